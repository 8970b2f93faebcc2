"""What planners that search a tree share."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np

from muzero.actions import Space
from muzero.config import Range
from muzero.inference import Path
from muzero.interfaces import GameSpec, Latent, Planner, WorldModel
from muzero.planners.doubt import DoubtingPlanner
from muzero.search import Result
from muzero.util.cpu import cores

ROWS_PER_THREAD = 256  # for which a thread of its own pays
MOST_THREADS = 8
Simulations = Annotated[int, Range(1, 10_000)]


@dataclass(frozen=True, kw_only=True)
class TreePlanner(DoubtingPlanner):
    """A planner that searches a tree, which can be read afterwards."""

    simulations: Simulations
    inference: Path
    rule: ClassVar[str]  # the function of `muzero.search`

    @property
    def path(self) -> str:
        return self.inference

    @abstractmethod
    def settings(self, explore: bool) -> dict[str, Any]:
        """What that function takes besides positions, evaluations and noise, by its names."""

    @abstractmethod
    def search(self, model: WorldModel, root: Latent, legal: np.ndarray, rng: np.random.Generator | None) -> Result:
        """The search by which `plan` decides, tree included.

        Args:
            model: imagines and predicts.
            root: latent of the positions, B in front.
            legal: [B, A] bool.
            rng: source of the noise for exploring; None for no exploration.
        """

    def edges(self, space: Space) -> int:
        """Actions of a node of the tree."""
        return space.columns

    def exported(self, space: Space) -> dict[str, Any]:
        """The search as the programs of an export know it: a rule and its settings; "policy" acts without search."""
        return {"rule": self.rule, **self.settings(explore=False)}

    def limited(self, simulations: int) -> Planner:
        return replace(self, simulations=min(simulations, self.simulations))

    def refuses(self, model: WorldModel, spec: GameSpec) -> str | None:
        if spec.actions.columns:
            return super().refuses(model, spec)
        return f"it searches actions that can be listed, and {spec.name} has {spec.actions.describe()}"


def threads_for(root: Latent) -> int:
    """Threads that share the trees of a search, whose result is the same for any number.

    One on the CPU, which the network keeps busy; on a GPU as many as the cores and the rows allow.
    """
    rows = next(iter(root.values()))
    if rows.device.type == "cpu":
        return 1
    return max(1, min(MOST_THREADS, cores(), len(rows) // ROWS_PER_THREAD))


def improved_value(result: Result) -> np.ndarray:
    """[B] float32, the value of following the improved policy, over the actions that were visited.

    Sequential halving visits bad actions as often as good ones at first, so the mean over all simulations,
    `result.value`, is far below the value of the policy: with two actions, half of all visits go to the worse.
    """
    share = np.where(result.visits > 0, result.policy, 0) + np.float32(1e-12) * (result.visits > 0)
    return (share * result.q).sum(1) / share.sum(1)

"""Planners that search a tree: pUCT as in MuZero, Gumbel as in Gumbel MuZero."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from muzero import search
from muzero.config import Range
from muzero.inference import Path, simulating
from muzero.interfaces import Decision, Latent, WorldModel
from muzero.search import Result

Simulations = Annotated[int, Range(1, 10_000)]


class TreePlanner(ABC):
    """A planner whose search can be read."""

    @abstractmethod
    def search(self, model: WorldModel, root: Latent, legal: np.ndarray, rng: np.random.Generator | None) -> Result:
        """The search that `plan` decides by, tree included; rng: what exploring draws from, None for not exploring."""


@dataclass(frozen=True, kw_only=True)
class GumbelPlanner(TreePlanner):
    """Sequential halving over sampled actions; a policy improvement at any number of simulations (Danihelka 2022)."""

    simulations: Simulations = 16
    inference: Path = "auto"
    considered: Annotated[int, Range(1, 10_000)] = 16
    value_scale: Annotated[float, Range(0.0, 1000.0)] = 0.1
    visit_offset: Annotated[float, Range(0.0, 10_000.0)] = 50.0
    rescale: bool = True

    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: np.ndarray,
        carry: Any,
        rng: np.random.Generator,
        explore: bool,
    ) -> tuple[Decision, Any]:
        result = self.search(model, root, legal, rng if explore else None)
        return Decision(result.action, result.policy, improved_value(result)), None

    def search(self, model: WorldModel, root: Latent, legal: np.ndarray, rng: np.random.Generator | None) -> Result:
        with simulating(model, root, self.simulations, self.inference) as (logits, value, expand):
            noise = rng.gumbel(size=logits.shape).astype(np.float32) if rng is not None else None
            return search.gumbel(
                logits,
                value,
                expand,
                self.simulations,
                legal=legal,
                noise=noise,
                considered=self.considered,
                value_scale=self.value_scale,
                visit_offset=self.visit_offset,
                rescale=self.rescale,
            )


@dataclass(frozen=True, kw_only=True)
class PuctPlanner(TreePlanner):
    """MuZero's search: noise at the root, moves in proportion to visits (Schrittwieser et al. 2020, App. B)."""

    simulations: Simulations = 50
    inference: Path = "auto"
    c_init: Annotated[float, Range(0.0, 1000.0)] = 1.25
    c_base: Annotated[float, Range(1.0, 1e9)] = 19652.0
    normalize: Literal["siblings", "tree"] = "tree"
    dirichlet_alpha: Annotated[float, Range(1e-3, 1000.0)] = 0.3
    dirichlet_fraction: Annotated[float, Range(0.0, 1.0)] = 0.25
    temperature: Annotated[float, Range(0.0, 100.0)] = 1.0

    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: np.ndarray,
        carry: Any,
        rng: np.random.Generator,
        explore: bool,
    ) -> tuple[Decision, Any]:
        result = self.search(model, root, legal, rng if explore else None)
        action = search.sample_action(result.visits, self.temperature, rng) if explore else result.action
        return Decision(action, result.policy, result.value), None

    def search(self, model: WorldModel, root: Latent, legal: np.ndarray, rng: np.random.Generator | None) -> Result:
        with simulating(model, root, self.simulations, self.inference) as (logits, value, expand):
            if rng is not None:
                logits = search.dirichlet(logits, legal, self.dirichlet_fraction, self.dirichlet_alpha, rng)
            return search.puct(
                logits,
                value,
                expand,
                self.simulations,
                legal=legal,
                c_init=self.c_init,
                c_base=self.c_base,
                normalize=self.normalize,
            )


def improved_value(result: Result) -> np.ndarray:
    """[B] float32, the value of following the improved policy, over the actions that were visited.

    Sequential halving visits bad actions as often as good ones at first, so the mean over all simulations,
    `result.value`, is far below what the policy is worth: with two actions, half of all visits go to the worse.
    """
    share = np.where(result.visits > 0, result.policy, 0) + np.float32(1e-12) * (result.visits > 0)
    return (share * result.q).sum(1) / share.sum(1)

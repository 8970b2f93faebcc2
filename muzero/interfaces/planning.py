"""What a planner is, and what it decides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from muzero.actions import Space
from muzero.interfaces.games import GameSpec
from muzero.interfaces.models import Latent, WorldModel

Carry = dict[str, np.ndarray]
"""What a planner keeps from move to move: arrays with the batch in front.  Self-play saves it and passes it back."""


@dataclass(frozen=True)
class Decision:
    """What a planner chose for B positions, and what it learned by planning.

    The improved policy, which is the training target, is a set of weighted candidates: where actions can be listed,
    all of them in order, else K of them.
    """

    action: np.ndarray  # [B, *shape of an action]
    weights: np.ndarray  # [B, K] float32; their sum is 1, or 0 in rows without a target
    value: np.ndarray  # [B] float32, the search's value of the position, for the player to move
    candidates: np.ndarray | None = None  # [B, K, *shape of an action]; None: candidate k is action k
    epistemic: np.ndarray | None = None  # [B] float32, standard deviation of the value that more experience removes


class Planner(ABC):
    """A way to choose moves with a model.  A frozen dataclass: its fields are its configuration."""

    @property
    def path(self) -> str:
        """How observations are computed for it on a GPU, as of `muzero.inference.Path`; "torch" records nothing."""
        return "torch"

    def start(self, batch: int, space: Space) -> Carry:
        """What the planner remembers before the first move of B games; {} if it remembers nothing."""
        return {}

    @abstractmethod
    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: np.ndarray,
        carry: Carry,
        first: np.ndarray,
        rng: np.random.Generator,
        explore: bool,
    ) -> tuple[Decision, Carry]:
        """Choose an action in each of B positions.

        Args:
            model: imagines and predicts.
            root: latent of the positions, B in front.
            legal: [B, columns of the space] bool; each row allows an action.
            carry: what the planner returned at the move before, or `start`.
            first: [B] bool, a new game begins there: what the carry holds of that row is of another game.
            rng: the only source of randomness.
            explore: whether to choose as training needs it; otherwise the best action, without randomness.
        """

    def kappa(self, explore: bool) -> float:
        """Deviations between a model's members that are part of rewards and values, as of `WorldModel.expand`."""
        return 0.0

    def candidates(self, space: Space) -> int:
        """K of its decisions, where they name their candidates; 0 where candidate k is action k."""
        return 0

    def limited(self, simulations: int) -> Planner:
        """The same planner with at most this number of simulations; itself if it does not simulate."""
        return self

    def refuses(self, model: WorldModel, spec: GameSpec) -> str | None:
        """Why the planner cannot serve this model or game, in words; None if it can."""
        return None

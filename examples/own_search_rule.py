"""A search rule of your own: the move with the best lower bound is played, not the most visited one.

python examples/own_search_rule.py --game board/tic_tac_toe --run runs/bound
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from muzero import build
from muzero.cli.train import train_command
from muzero.config import Range
from muzero.interfaces import Latent, WorldModel
from muzero.planners.tree import PuctPlanner
from muzero.search import Result


@dataclass(frozen=True, kw_only=True)
class LowerBoundPlanner(PuctPlanner):
    """Searches by pUCT; of the moves that were visited enough, it plays the one that is good for certain.

    A mean of n visits is uncertain by about 1 / sqrt(n) of the range of returns, so a move of few visits must look
    better than one of many (in the manner of KataGo's lower confidence bounds; Auer et al. 2002).

    Args:
        caution: standard errors by which a move's mean value is lowered; 0 plays the best mean.
        least_share: visits that a move needs, as a share of those of the most visited one.
    """

    caution: Annotated[float, Range(0.0, 100.0)] = 0.5
    least_share: Annotated[float, Range(0.0, 1.0)] = 0.1

    def search(self, model: WorldModel, root: Latent, legal: np.ndarray, rng: np.random.Generator | None) -> Result:
        found = super().search(model, root, legal, rng)
        return replace(found, action=self.choice(found.visits, found.q))

    def choice(self, visits: np.ndarray, q: np.ndarray) -> np.ndarray:
        """[B] the moves, by the visits and mean values [B, A] of the edges at the root."""
        bound = q - self.caution / np.sqrt(np.maximum(visits, 1))
        enough = visits >= np.maximum(1, self.least_share * visits.max(1, keepdims=True))
        return np.where(enough, bound, -np.inf).argmax(1)


build.register("planner", "lower_bound", LowerBoundPlanner)  # also for programs that import this one

if __name__ == "__main__":
    sys.exit(train_command([*sys.argv[1:], "--set", "planner.kind=lower_bound"]))

"""Players that know the outcome of every move, and the scores of moves that positions are held against."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from muzero.interfaces import Moves, PlayerError, Positions, Rules


class PerfectPlayer(ABC):
    """Plays uniformly among the moves with the best score."""

    title: str

    def act(self, positions: Positions) -> Moves:
        if positions.rules is None:
            raise PlayerError(
                f"{self.title} plays games whose rules it can consult: board/..., or your own with clone()"
            )
        scores = [self.scores(rules) for rules in positions.rules]
        best = [[action for action, score in row.items() if score == max(row.values())] for row in scores]
        chosen = [np.random.default_rng(seed).choice(row) for row, seed in zip(best, positions.seed, strict=True)]
        values = [outcome(max(row.values())) for row in scores]
        return Moves(np.array(chosen, np.int64), np.array(values, np.float32))

    @abstractmethod
    def scores(self, rules: Rules) -> dict[int, float]:
        """Every legal action's score: above 0 the mover wins, 0 is a draw, below 0 it loses; the best is the largest.

        Raises:
            PlayerError: if the game cannot be solved here.
        """

    def close(self) -> None:  # noqa: B027 (most hold nothing)
        """Release what the player holds."""


def outcome(score: float) -> float:
    """1, 0 or -1: win, draw or loss."""
    return float(np.sign(score))

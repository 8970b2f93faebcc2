"""Players that know the score of every move; evaluation compares other players' moves with these scores."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from muzero.interfaces import MemorylessPlayer, Moves, PlayerError, Positions, Rules


class PerfectPlayer(MemorylessPlayer):
    """Plays uniformly at random among the moves with the best score."""

    def choose(self, positions: Positions) -> Moves:
        """Choose a best move in each position; the value is the outcome of perfect play: 1, 0 or -1.

        Raises:
            PlayerError: if the game has no rules to consult, or cannot be solved here.
        """
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
        """The score of every legal action: above 0 the mover wins, at 0 it draws, below 0 it loses; higher is better.

        Raises:
            PlayerError: if the game cannot be solved here.
        """


def outcome(score: float) -> float:
    """Reduce a score to 1 for a win, 0 for a draw and -1 for a loss."""
    return float(np.sign(score))

"""A player that chooses at random."""

import numpy as np

from muzero.interfaces import Moves, Positions


class RandomPlayer:
    """Plays uniformly at random among the legal actions."""

    title = "random"

    def act(self, positions: Positions) -> Moves:
        """Draw a legal action for each position from the position's seed."""
        keys = np.stack([np.random.default_rng(seed).random(positions.legal.shape[1]) for seed in positions.seed])
        return Moves(np.where(positions.legal, keys, -1).argmax(1), np.full(len(keys), np.nan, np.float32))

    def close(self) -> None:
        """Do nothing: there are no resources to release."""

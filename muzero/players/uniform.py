"""A player that chooses at random."""

import numpy as np

from muzero.interfaces import MemorylessPlayer, Moves, Positions


class RandomPlayer(MemorylessPlayer):
    """Plays uniformly at random among the legal actions, or among all where actions cannot be listed."""

    title = "random"

    def choose(self, positions: Positions) -> Moves:
        """Draw a legal action for each position from the position's seed."""
        rows = zip(positions.legal, positions.seed, strict=True)
        drawn = [positions.actions.draw(legal[None], np.random.default_rng(seed)) for legal, seed in rows]
        return Moves(np.concatenate(drawn), np.full(len(drawn), np.nan, np.float32))

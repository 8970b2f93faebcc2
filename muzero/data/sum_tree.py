"""A sum tree: draws places with probability proportional to their numbers."""

from __future__ import annotations

import numpy as np

MOST_CHANGES = 10_000


class SumTree:
    """Numbers whose sum is kept, so that a place can be drawn in proportion to its number in log time.

    Sums are brought up to date when they are asked for: many small changes cost one pass.
    """

    def __init__(self, size: int) -> None:
        self.leaves = 1 << max(size - 1, 1).bit_length()
        self.nodes = np.zeros(2 * self.leaves)
        self.changed: list[np.ndarray] = []  # leaves whose sums are out of date

    @property
    def total(self) -> float:
        """The sum of all numbers."""
        self._sum()
        return float(self.nodes[1])

    def __getitem__(self, place: np.ndarray) -> np.ndarray:
        return self.nodes[self.leaves + place]

    def __setitem__(self, place: np.ndarray, number: np.ndarray | float) -> None:
        self.nodes[self.leaves + place] = number
        self.changed.append(self.leaves + place)
        if len(self.changed) > MOST_CHANGES:  # without sampling, as before learning begins, the list would grow
            self._sum()

    def _sum(self) -> None:
        node = np.concatenate(self.changed) if self.changed else np.empty(0, np.int64)
        while len(node) and node[0] > 1:
            node = np.unique(node >> 1)
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1]
        self.changed = []

    def find(self, mass: np.ndarray) -> np.ndarray:
        """Places at which the running sum passes mass [B], each at least 0 and below `total`."""
        self._sum()
        node = np.ones(len(mass), np.int64)
        while node[0] < self.leaves:
            left = self.nodes[2 * node]
            # An empty right side is never entered, whatever rounding says.
            right = (mass >= left) & (self.nodes[2 * node + 1] > 0)
            mass = np.where(right, mass - left, mass)
            node = 2 * node + right
        return node - self.leaves

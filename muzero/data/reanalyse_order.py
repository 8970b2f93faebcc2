"""The order in which stored positions are planned again: the one whose turn is the longest ago comes next."""

from __future__ import annotations

import math

import numpy as np

MOST_AT_ONCE = 1 << 20  # places that are looked at together
SHARE = (math.sqrt(5) - 1) / 2  # of the ring from each place to the next: what is handed out is spread evenly


class ReanalyseOrder:
    """A fixed cycle through the places of a ring, in which neighbours lie far apart.

    No place has a second turn before every other one had its own.  So no plan is older than a whole cycle; and where
    rows are overwritten faster than the cycle passes, it does not follow the oldest rows, which are about to go.
    """

    def __init__(self, capacity: int) -> None:
        """capacity: places of the ring."""
        self.capacity, self.stride = capacity, stride(capacity)
        self.passed = 0  # places of this cycle

    def next_places(self, count: int, able: np.ndarray) -> np.ndarray:
        """The next `count` places, no two alike; fewer if there are not so many.

        able: [N] bool, whether a place holds a position to plan; from N on places are empty.
        """
        there = int(able.sum())
        found = np.empty(0, np.int64)
        while missing := min(count, there) - len(found):
            passed = self.passed + np.arange(min(missing * self.capacity // there, MOST_AT_ONCE))
            places = passed * self.stride % self.capacity
            taken = np.flatnonzero(places < len(able))
            taken = taken[able[places[taken]]][:missing]
            found = np.append(found, places[taken])
            after = int(taken[-1]) + 1 if len(taken) == missing else len(passed)
            self.passed = (self.passed + after) % self.capacity
        return found


def stride(size: int) -> int:
    """Places from each to the next: about `SHARE` of the size, and prime to it, so that all places are passed."""
    found = max(1, round(size * SHARE))
    while math.gcd(found, size) != 1:
        found += 1
    return found

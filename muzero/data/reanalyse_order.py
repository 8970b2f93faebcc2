"""The order in which stored positions are planned again: every row once before any row a second time."""

from __future__ import annotations

import math

import numpy as np

SHARE = (math.sqrt(5) - 1) / 2  # of the rows from each to the next: what is handed out is spread evenly at any time


class ReanalyseOrder:
    """Numbers of rows, in an order in which neighbours lie far apart.

    A sweep is over the rows that are there when it begins.  Rows that are overwritten meanwhile are left out, newer
    ones belong to the next sweep.  The order is a fixed permutation, so three numbers save its place.
    """

    def __init__(self) -> None:
        self.first = self.size = self.taken = 0  # the rows of this sweep, and how many of them it has passed

    def next_rows(self, count: int, first: int, end: int) -> np.ndarray:
        """Numbers of at most `count` rows, at least one, no two alike; the rows first to end - 1 are there now.

        Raises:
            ValueError: if no rows are there.
        """
        if end <= first:
            raise ValueError(f"no rows from {first} to {end}")
        while True:
            if self.taken == self.size:
                self.first, self.size, self.taken = first, end - first, 0
            places = np.arange(self.taken, min(self.taken + count, self.size))
            self.taken += len(places)
            numbers = self.first + places * stride(self.size) % self.size
            if len(found := numbers[numbers >= first]):
                return found

    def state(self) -> list[int]:
        """The sweep's first row, its number of rows, and how many of them it has passed, for `restore`."""
        return [self.first, self.size, self.taken]

    def restore(self, state: list[int], end: int) -> None:
        """Continue a sweep; one over rows that are not there, numbered `end` or above, is left for a new one."""
        first, size, taken = (int(number) for number in state)
        if first >= 0 and 0 <= taken <= size and first + size <= end:
            self.first, self.size, self.taken = first, size, taken


def stride(size: int) -> int:
    """Rows from each to the next: about `SHARE` of the size, and prime to it, so that all rows are passed."""
    found = max(1, round(size * SHARE))
    while math.gcd(found, size) != 1:
        found += 1
    return found

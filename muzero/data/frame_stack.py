"""Stacked observations of consecutive rows, with each frame once.

Rows are [T, planes, ...], the oldest plane first.  In a game that stacks its newest frames, such as those of Atari,
each row has a few new planes; the others are the newest of the row before.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

MOST_NEW = 127  # planes in a row: a record has seven bits for their number


def new_planes(rows: np.ndarray) -> int:
    """The least number of new planes with which each row follows from the row before, bit for bit.

    0 if there is none: of a single row, or where a row does not follow.
    """
    if len(rows) < 2 or rows.ndim < 2:
        return 0
    return next((new for new in range(1, min(rows.shape[1], MOST_NEW + 1)) if _follow(rows, new)), 0)


def _follow(rows: np.ndarray, new: int) -> bool:
    # Bytes, not numbers: 0.0 equals -0.0.
    return all(after[:-new].tobytes() == before[new:].tobytes() for before, after in pairwise(rows))


def count(rows: int, planes: int, new: int) -> int:
    """Planes of this many rows, each once."""
    return planes + (rows - 1) * new


def unstack(rows: np.ndarray, new: int) -> np.ndarray:
    """The planes of rows, each once, the oldest first: [count, ...]."""
    return np.concatenate([rows[0], rows[1:, -new:].reshape(-1, *rows.shape[2:])])


def stack(once: np.ndarray, planes: int, new: int) -> np.ndarray:
    """The rows [T, planes, ...] of which `unstack` gives these planes."""
    oldest = np.arange(0, len(once) - planes + 1, new)  # plane of each row
    return once[oldest[:, None] + np.arange(planes)]

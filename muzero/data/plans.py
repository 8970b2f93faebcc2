"""What a search gave in stored rows: replaced where a position is planned again, and kept over a stop.

The log holds each row as it was played, so a checkpoint holds the plans that have replaced those since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from muzero.data.schema import Column
from muzero.runs.value_checks import require_like

PLANS = ("policy", "value", "candidates")  # names of the columns
PREFIX = "refreshed."  # of their names in a checkpoint


class StoredPositions(NamedTuple):
    """Positions of N stored rows, to be planned again."""

    numbers: np.ndarray  # [N] int64, of the rows
    observation: np.ndarray | Tensor  # [N, *observation], where the replay keeps them
    legal: np.ndarray  # [N, A] bool

    def on_host(self) -> StoredPositions:
        """The same positions as arrays, for another process."""
        seen = self.observation
        return self if isinstance(seen, np.ndarray) else self._replace(observation=seen.cpu().numpy())


def check(columns: Sequence[Column], count: int, plans: Mapping[str, np.ndarray]) -> None:
    """Refuse plans that do not fit.

    Args:
        columns: of the replay.
        count: of the rows.
        plans: by name of the column.

    Raises:
        ValueError: if names or shapes do not fit, or a number is not finite.
    """
    wanted = {column.name: (count, *column.shape) for column in columns if column.name in PLANS}
    finite = all(np.isfinite(array).all() for array in plans.values())
    if {name: array.shape for name, array in plans.items()} != wanted or not finite:
        found = " and ".join(f"{name} {array.shape}" for name, array in plans.items())
        expected = " and ".join(f"{name} {shape}" for name, shape in wanted.items())
        raise ValueError(f"new plans: expected finite {expected}; got {'' if finite else 'not finite '}{found}")


def replace(rows: Mapping[str, np.ndarray], places: np.ndarray, plans: Mapping[str, np.ndarray]) -> None:
    """Put plans, and the version of the weights that made each, in places of the ring; they teach the policy."""
    for name, array in plans.items():
        rows[name][places] = array
    rows["taught"][places] = plans["policy"].any(axis=-1)
    rows["refreshed"][places] = True


def saved(rows: Mapping[str, np.ndarray], numbers: np.ndarray) -> dict[str, np.ndarray]:
    """The plans that have replaced others, for `check_saved` and `bring_back`; empty if there are none.

    numbers: of the rows that are here.
    """
    numbers = numbers[rows["refreshed"][numbers % len(rows["refreshed"])]]
    if not len(numbers):
        return {}
    names = [name for name in (*PLANS, "version") if name in rows]
    places = numbers % len(rows["refreshed"])
    return {f"{PREFIX}numbers": numbers} | {PREFIX + name: rows[name][places] for name in names}


def check_saved(columns: Sequence[Column], arrays: Mapping[str, np.ndarray], written: int) -> None:
    """Refuse arrays that `saved` does not give.

    Args:
        columns: of the replay.
        arrays: as `saved` gave them, perhaps among others.
        written: rows ever written to the replay.

    Raises:
        ValueError: saying what was expected.
    """
    found = among(arrays)
    if not found:
        return
    numbers, version = (found.pop(name, np.empty(())) for name in ("numbers", "version"))
    require_like(f"replay.{PREFIX}numbers", numbers, np.dtype(np.int64), (numbers.size,))
    require_like(f"replay.{PREFIX}version", version, np.dtype(np.int64), (numbers.size,))
    if (numbers < 0).any() or (numbers >= written).any() or (version < -1).any():
        raise ValueError(f"replay.{PREFIX}numbers: expected rows from 0 and below {written:,}, of versions from -1")
    for column in columns:
        if column.name in PLANS:
            array = found.get(column.name, np.empty(()))
            require_like(f"replay.{PREFIX}{column.name}", array, np.dtype(column.dtype), (numbers.size, *column.shape))
    check(columns, numbers.size, found)


def bring_back(rows: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray], oldest: int) -> None:
    """Put the plans of `saved` back.

    Args:
        rows: the ring, in which the rows lie as they were played.
        arrays: as `saved` gave them, perhaps among others.
        oldest: number of the oldest row that is here.
    """
    found = among(arrays)
    if found:
        numbers = found.pop("numbers")
        here = numbers >= oldest
        places = numbers[here] % len(rows["refreshed"])
        replace(rows, places, {name: array[here] for name, array in found.items()})


def among(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of `saved` among others, by their names without the prefix."""
    return {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}

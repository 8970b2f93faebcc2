"""Checks of what a checkpoint says of self-play, before any of it is used."""

from __future__ import annotations

import numpy as np

from muzero.actions import Space
from muzero.runs.value_checks import LARGEST, require_like

Arrays = dict[str, np.ndarray]


def check_counters(expected: Arrays, found: Arrays, space: Space, segment_steps: int) -> None:
    """Refuse what is kept per slot if it is of another type or shape, or out of range.

    Raises:
        ValueError: naming the array, what was expected and what was given.
    """
    for name, counter in expected.items():
        require_like(name, found[name], counter.dtype, counter.shape)
        if name in ("action", "score"):
            continue
        low, high = (-1, 1) if name == "sign" else (0, segment_steps - 1 if name == "filled" else LARGEST)
        if not ((found[name] >= low) & (found[name] <= high)).all():
            raise ValueError(f"{name}: expected numbers from {low} to {high}")
    space.check(found["action"], np.ones((len(found["action"]), space.columns), bool), "action")


def check_rows(expected: Arrays, found: Arrays, filled: int) -> None:
    """Refuse rows that wait to be handed over if they are not of these columns.  filled: the most of one slot.

    Raises:
        ValueError: naming what was expected and what was given.
    """
    require_names("rows", expected, found)
    for name, row in expected.items():
        require_like(f"rows.{name}", found[name], row.dtype, (len(row), filled, *row.shape[2:]))


def check_carry(expected: Arrays, found: Arrays) -> None:
    """Refuse what a planner kept if it is not as at the start of games.

    Raises:
        ValueError: naming what was expected and what was given.
    """
    require_names("carry", expected, found)
    for name, array in expected.items():
        require_like(f"carry.{name}", found[name], array.dtype, array.shape)


def check_memory(expected: Arrays, found: Arrays) -> None:
    """Refuse what a model remembers if it is not as at the start of games; a latent may hold more.

    Raises:
        ValueError: naming what was expected and what was given.
    """
    for name, array in expected.items():
        require_like(f"memory.{name}", found.get(name, np.empty(0)), array.dtype, array.shape)


def require_names(part: str, expected: Arrays, found: Arrays) -> None:
    """Refuse arrays of other names.

    Raises:
        ValueError: naming all of both.
    """
    if set(found) != set(expected):
        names = (", ".join(each) or "none" for each in (expected, found))
        raise ValueError("{}: expected {}, got {}".format(part, *names))

"""What environments do that they must not: counted, told, and the end of a run only where nothing else comes."""

from __future__ import annotations

from typing import Any

import numpy as np

from muzero.interfaces import EnvironmentFault

MOST_IN_A_ROW = 20  # faults of one slot without a step that works in between


class Faults:
    """The faults of a batch of games."""

    def __init__(self, batch: int) -> None:
        self.total = 0
        self.last: str | None = None
        self.in_a_row = [0] * batch
        self.shaky = False  # whether a slot had a fault since its last good step

    def add(self, slot: int, message: str) -> None:
        """Count a fault.

        Raises:
            EnvironmentFault: if there were too many in a row.
        """
        self.total, self.last, self.shaky = self.total + 1, message, True
        self.in_a_row[slot] += 1
        if self.in_a_row[slot] > MOST_IN_A_ROW:
            raise EnvironmentFault(f"{self.in_a_row[slot]} faults in a row, the last: {message}")

    def stepped(self, slot: int) -> None:
        """A step of this slot worked."""
        self.in_a_row[slot] = 0
        self.shaky = any(self.in_a_row)


def truth(value: Any, name: str) -> bool:
    """A flag that an environment returned.

    Raises:
        ValueError: if it is no bool.
    """
    if isinstance(value, bool | np.bool_) or (
        isinstance(value, np.ndarray) and value.dtype.kind == "b" and not value.ndim
    ):
        return bool(value)
    raise ValueError(f"{name} is {value!r}, expected a bool")

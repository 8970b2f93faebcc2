"""What callers of an agent give, as positions that a player takes; and actions as the environment takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from muzero.games.checks import shown
from muzero.games.spaces import as_bytes
from muzero.interfaces import Games, Positions


class Reader:
    """Reads observations and masks of legal actions of one game."""

    def __init__(self, games: Games) -> None:
        """games: of the game; they convert observations, and are not played."""
        self.games, self.spec = games, games.spec

    def native(self, actions: np.ndarray) -> np.ndarray:
        """Actions as the environment takes them."""
        return np.stack([self.games.native(action) for action in actions])

    def positions(self, observation: Any, legal: Any) -> tuple[Positions, bool]:
        """What the player sees, and whether that is one observation without a batch."""
        batch, one = self.batch(observation)
        return Positions.alone(self.spec.actions, batch, self._mask(legal, len(batch), one)), one

    def batch(self, given: Any, single: bool = False) -> tuple[np.ndarray, bool]:
        """Observations as [B, *observation], and whether one without a batch was given."""
        expected = tuple(self.spec.observation)
        array = _array(given)
        if array is not None and array.ndim == 1 + len(expected) and array.shape[1:] == expected and not single:
            if not len(array):
                raise ValueError("observation: a batch of 0; expected at least 1")
            return self._checked(array), False
        if array is None or array.shape != expected:
            array = self._converted(given)
        return self._checked(array[None]), True

    def _mask(self, legal: Any, count: int, one: bool) -> np.ndarray:
        """[B, A] booleans of the legal actions that were given; of one position also [A]."""
        shape = (count, self.spec.actions.columns)
        if legal is None:
            return np.ones(shape, bool)
        array = _array(legal)
        given = np.empty(0, object) if array is None else array
        mask = given[None] if one and given.ndim == 1 else given
        if mask.shape != shape or not ((mask == 0) | (mask == 1)).all():
            expected = f"booleans of shape {shape[1:] if one else shape}, true where an action is legal"
            if not self.spec.actions.columns:
                expected = f"none: {self.spec.actions.describe()} cannot be listed"
            raise ValueError(f"legal: got {shown(legal)} of shape {given.shape}; expected {expected}")
        allows = self.spec.actions.allows(mask)
        if not allows.all():
            raise ValueError(f"legal: row {int(allows.argmin())} allows no action; expected at least 1")
        return mask.astype(bool)

    def _converted(self, given: Any) -> np.ndarray:
        """One observation that the environment returned, as an array [*observation]."""
        try:
            array = _array(self.games.convert(given))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{error}{self._remedy(given)}") from None
        if array is None or array.shape != tuple(self.spec.observation):
            found = type(given).__name__ if array is None else f"an array of shape {array.shape}"
            raise ValueError(f"observation: got {found}{self._remedy(given)}")
        return array

    def _remedy(self, given: Any) -> str:
        """What to give instead, for a message."""
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], dict):
            return "; reset() returns the pair observation, info: pass the observation alone"
        shape = ", ".join(map(str, self.spec.observation))
        return f"; expected one observation of {self.spec.name}, or arrays of shape (B, {shape})"

    def _checked(self, batch: np.ndarray) -> np.ndarray:
        """The batch in the type of the game."""
        if self.spec.dtype == "uint8":
            return np.ascontiguousarray(as_bytes(batch))
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
            array = np.ascontiguousarray(batch, self.spec.dtype)
        if not np.isfinite(array).all():
            raise ValueError(f"observation holds {array[~np.isfinite(array)][0]}; expected finite numbers")
        return array


def _array(given: Any) -> np.ndarray | None:
    """Numbers as an array; None if it is something else."""
    try:
        array = np.asarray(given)
    except ValueError:  # lists of different lengths
        return None
    return array if array.dtype.kind in "biuf" else None

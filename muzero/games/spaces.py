"""Environments of the gymnasium form: their spaces as arrays, and one of them as one game."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from muzero.games.batched import OneGame, UnknownGame
from muzero.games.faults import truth

CHANNELS = (1, 3, 4)  # a last axis of this length is taken for colours


class View(NamedTuple):
    """How observations of a space become arrays."""

    shape: tuple[int, ...]
    dtype: str
    write: Callable[[Any, np.ndarray], None]  # an observation into an array of this shape and dtype


def view(space: Any, game: str) -> View:
    """Boxes keep their shape, colours first; numbers and everything composed become one row, one-hot where discrete.

    Raises:
        UnknownGame: if observations of the space have no fixed size.
    """
    from gymnasium import spaces  # where it is used: it takes long to import

    if isinstance(space, spaces.Box):
        return _box_view(space)
    if isinstance(space, spaces.Discrete):
        return _one_hot_view(space)
    if not space.is_np_flattenable:
        raise UnknownGame(f"{game} cannot be played: its observations have no fixed size: {space}")

    def write(value: Any, out: np.ndarray) -> None:
        out[...] = _shaped(spaces.flatten(space, value), out.shape)

    row: Any = spaces.flatten_space(space)
    return View(tuple(row.shape), "float32", write)


def _box_view(space: Any) -> View:
    shape = tuple(space.shape)
    image = len(shape) in (2, 3) and space.dtype == np.uint8
    dtype = "uint8" if image else "float32"
    if len(shape) == 3 and shape[-1] in CHANNELS and shape[0] not in CHANNELS:

        def turn(value: Any, out: np.ndarray) -> None:
            out[...] = np.moveaxis(_shaped(value, shape), -1, 0)

        return View((shape[-1], *shape[:-1]), dtype, turn)
    seen = shape if len(shape) == 3 else (1, *shape) if image else (int(np.prod(shape)),)

    def write(value: Any, out: np.ndarray) -> None:
        out[...] = _shaped(value, shape).reshape(seen)

    return View(seen, dtype, write)


def _one_hot_view(space: Any) -> View:
    start, count = int(space.start), int(space.n)

    def write(value: Any, out: np.ndarray) -> None:
        if not start <= value < start + count:
            raise ValueError(f"observation {value}, expected {start} to {start + count - 1}")
        out[...] = 0
        out[int(value) - start] = 1

    return View((count,), "float32", write)


def _shaped(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value)
    if array.shape != shape:
        raise ValueError(f"observation of shape {array.shape}, expected {shape}")
    return array


def count_actions(space: Any, game: str) -> int:
    """How many actions there are.

    Raises:
        UnknownGame: if the space is not Discrete.
    """
    from gymnasium.spaces import Discrete

    if not isinstance(space, Discrete):
        raise UnknownGame(f"{game} cannot be played: its actions are {space}; only Discrete actions can be planned")
    return int(space.n)


class GymnasiumGame(OneGame):
    """One environment of the gymnasium form.

    With masked, an `action_mask` in the environment's info says which actions are legal, as [A] zeros and ones.
    """

    def __init__(self, environment: Any, seen: View, discount: float, masked: bool) -> None:
        self._environment = environment
        self._write = seen.write
        self._discount = discount
        self._masked = masked
        self._start = int(environment.action_space.start)
        self._actions = int(environment.action_space.n)

    def reset(self, seed: int) -> None:
        self._observation, self._info = self._environment.reset(seed=seed)

    def step(self, action: int) -> tuple[float, float, bool]:
        self._observation, reward, terminated, truncated, self._info = self._environment.step(self._start + action)
        over, cut = truth(terminated, "terminated"), truth(truncated, "truncated")
        return float(reward), 0.0 if over else self._discount, cut

    def observe(self, out: np.ndarray) -> None:
        self._write(self._observation, out)

    def legal(self) -> Sequence[int] | None:
        if not self._masked or "action_mask" not in self._info:
            return None
        mask = np.asarray(self._info["action_mask"])
        if mask.shape != (self._actions,):
            raise ValueError(f"action_mask of shape {mask.shape}, expected ({self._actions},)")
        return np.flatnonzero(mask).tolist()

    def close(self) -> None:
        # An environment of the user's own need not inherit gymnasium's, so need not have a close.
        getattr(self._environment, "close", lambda: None)()

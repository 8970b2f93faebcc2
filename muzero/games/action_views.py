"""Spaces of gymnasium: how actions reach the environment."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from muzero.actions import Box, Discrete, Space
from muzero.games.checks import shown
from muzero.games.errors import Unplayable

MOST_COMBINATIONS = 512  # of actions of several parts; each of them needs an output of the network
MOST_BOUND = 2.0**53  # of an action; up to here a float64 holds every whole number


class ActionView(NamedTuple):
    """How the package's actions become those of an environment."""

    space: Space
    native: Callable[[Any], Any]  # one action as the environment takes it


def action_view(space: Any, game: str, bins: int | None = None) -> ActionView:
    """How the package's actions become those of a space.

    Discrete keeps its actions, counted from 0.  MultiDiscrete and MultiBinary become one action for each combination
    of their parts.  A Box becomes a row of numbers from -1 to 1, of which -1 is its lower bound and 1 its upper bound.

    Args:
        space: of gymnasium.
        game: for messages.
        bins: of each number of a Box; then each combination of them is one action.

    Raises:
        Unplayable: if the space is of another kind, has no bounds or too many combinations.
    """
    from gymnasium import spaces

    if bins is not None and not isinstance(space, spaces.Box):
        raise Unplayable(f"{game} cannot be played with game.bins: its actions {shown(space)} can be listed already")

    if isinstance(space, spaces.Discrete):
        start = int(space.start)
        return ActionView(Discrete(int(space.n)), lambda action: np.int64(start + action))
    if isinstance(space, spaces.MultiDiscrete):
        return _product(space, np.asarray(space.nvec), np.asarray(space.start), game)
    if isinstance(space, spaces.MultiBinary):
        return _product(space, np.full(space.shape, 2), np.zeros(space.shape), game)
    if isinstance(space, spaces.Box):
        return _scaled(space, game) if bins is None else _binned(space, game, bins)
    expected = "expected Discrete, MultiDiscrete, MultiBinary or Box"
    raise Unplayable(f"{game} cannot be played: its actions are {shown(space)}; {expected}")


def _product(space: Any, counts: np.ndarray, start: np.ndarray, game: str) -> ActionView:
    """All combinations of several choices as one action each; the last part changes fastest."""
    lengths = [int(count) for count in counts.flat]
    combinations = math.prod(lengths)
    if not 1 <= combinations <= MOST_COMBINATIONS:
        raise Unplayable(
            f"{game} cannot be played: its actions {shown(space)} have {combinations:,} combinations; the most is "
            f"{MOST_COMBINATIONS}; give the environment fewer choices, or one Discrete choice per step"
        )
    table = np.stack(np.unravel_index(np.arange(combinations), lengths), 1).reshape(combinations, *counts.shape) + start
    table = table.astype(space.dtype)
    names = tuple(f"({','.join(map(str, row.ravel().tolist()))})" for row in table)
    return ActionView(Discrete(combinations, names), lambda action: table[int(action)].copy())


def _scaled(space: Any, game: str) -> ActionView:
    """Numbers from -1 to 1 as numbers between the bounds of a box."""
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    remedy = "give action_space finite bounds: gymnasium.spaces.Box(low, high)"
    if not space.is_bounded():  # asked of the space, since whole numbers cannot be infinite
        raise Unplayable(f"{game} cannot be played: its actions {shown(space)} have no bounds; {remedy}")
    most = max(np.abs(low).max(initial=0), np.abs(high).max(initial=0))
    if most > MOST_BOUND:
        raise Unplayable(
            f"{game} cannot be played: its actions have bounds up to {most:g}; the most is {MOST_BOUND:g}; {remedy}"
        )
    if not 1 <= low.size <= MOST_COMBINATIONS:
        raise Unplayable(
            f"{game} cannot be played: its actions have {low.size:,} numbers; expected 1 to {MOST_COMBINATIONS}"
        )
    whole = np.dtype(space.dtype).kind in "iu"

    def native(action: Any) -> np.ndarray:
        share = (np.asarray(action, np.float64).reshape(low.shape) + 1) / 2
        value = np.clip(low + share * (high - low), low, high)
        return (np.rint(value) if whole else value).astype(space.dtype)

    return ActionView(Box(low.size), native)


def _binned(space: Any, game: str, bins: int) -> ActionView:
    """All combinations of evenly spaced numbers from bound to bound as one action each; the last changes fastest."""
    real = _scaled(space, game)
    (size,) = real.space.shape
    if bins**size > MOST_COMBINATIONS:
        most = int(MOST_COMBINATIONS ** (1 / size) + 1e-9)
        remedy = f"set game.bins to at most {most}, or leave it out" if most > 1 else "leave game.bins out"
        raise Unplayable(
            f"{game} cannot be played: {bins} bins of {size} numbers have {bins**size:,} combinations; the most is "
            f"{MOST_COMBINATIONS}; {remedy}"
        )
    grid = np.stack(np.unravel_index(np.arange(bins**size), [bins] * size), 1) / (bins - 1) * 2 - 1
    table = [real.native(row) for row in grid]
    names = tuple(f"({','.join(f'{number:.3g}' for number in value.ravel())})" for value in table)
    return ActionView(Discrete(len(table), names), lambda action: table[int(action)].copy())

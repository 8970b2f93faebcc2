"""Spaces of gymnasium: how actions reach the environment, and how recorded ones come back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from muzero.actions import Box, Discrete, Space
from muzero.games.checks import shown
from muzero.games.errors import Unplayable
from muzero.games.spaces import check_numbers

MOST_COMBINATIONS = 512  # of actions of several parts; each of them needs an output of the network
MOST_BOUND = 2.0**53  # of an action; up to here a float64 holds every whole number
ROUNDING = 1e-5  # share of a bound by which a recorded action may exceed it
BETWEEN = 1e-3  # on the scale from -1 to 1, by which a recorded action may miss a bin


class ActionView(NamedTuple):
    """How the package's actions become those of an environment, and back."""

    space: Space
    native: Callable[[Any], Any]  # one action as the environment takes it
    own: Callable[[Any], Any]  # and back; raises ValueError for what is not an action of the environment


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
        start, count = int(space.start), int(space.n)
        return ActionView(
            Discrete(count),
            lambda action: np.int64(start + action),
            lambda action: int(_whole(action, (), np.array(start), np.array(count)) - start),
        )
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

    def own(action: Any) -> int:
        choices = _whole(action, counts.shape, start, counts) - start
        return int(np.ravel_multi_index(tuple(choices.astype(np.int64).ravel()), tuple(lengths)))

    return ActionView(Discrete(combinations, names), lambda action: table[int(action)].copy(), own)


def _whole(action: Any, shape: tuple[int, ...], low: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The action as whole numbers, each of which is one of `count` from `low` on.

    Raises:
        ValueError: if it is not that.
    """
    array = check_numbers(action, shape, "action")
    if not ((array >= low) & (array < low + count) & (array == np.floor(array))).all():
        most = (low + count - 1).tolist()
        raise ValueError(f"action is {shown(action)}, expected whole numbers from {low.tolist()} to {most}")
    return array


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

    def own(action: Any) -> np.ndarray:
        value = check_numbers(action, low.shape, "action").astype(np.float64)
        room = ROUNDING * np.maximum(np.abs(low), np.abs(high))
        if not ((value >= low - room) & (value <= high + room)).all():  # false for NaN
            raise ValueError(f"action is {shown(action)}, expected numbers from {low.tolist()} to {high.tolist()}")
        share = (value - low) / np.where(high > low, high - low, 1)
        return (2 * np.clip(share, 0, 1) - 1).astype(np.float32).ravel()

    return ActionView(Box(low.size), native, own)


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

    def own(action: Any) -> int:
        row = real.own(action)
        places = np.rint((row.astype(np.float64) + 1) / 2 * (bins - 1)).astype(np.int64)
        number = int(np.ravel_multi_index(tuple(places), (bins,) * size))
        if np.abs(real.own(table[number]) - row).max() > BETWEEN:
            raise ValueError(f"action is {shown(action)}, which is none of the {bins} bins; leave game.bins out")
        return number

    return ActionView(Discrete(len(table), names), lambda action: table[int(action)].copy(), own)

"""Checks of what callers and environments pass: seeds, actions, masks, turns, sizes."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from muzero.actions import Space
from muzero.games.errors import Unplayable, WrongForm
from muzero.interfaces import GameSpec

MOST_NUMBERS = 2**24  # in one observation: 64 MiB of float32
MOST_ACTIONS = 100_000  # shogi has 13,689
SHOWN = 100  # characters of a value in a message


def shown(value: Any) -> str:
    """A value of an environment in a message: on one line, and not longer than `SHOWN`."""
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def check_seeds(seeds: np.ndarray, batch: int) -> np.ndarray:
    """The seeds as [B] int64.

    Raises:
        ValueError: if they are not B integers.
    """
    seeds = np.asarray(seeds)
    if seeds.shape != (batch,) or seeds.dtype.kind not in "iu":
        raise ValueError(f"seeds: expected int64 of shape ({batch},), got {seeds.dtype} {seeds.shape}")
    return seeds.astype(np.int64)


def legal_actions(mask: Any, actions: int, name: str) -> list[int]:
    """The actions that a mask of an environment allows.

    Args:
        mask: `actions` booleans, or zeros and ones; true where an action is legal.
        actions: how many there are.
        name: of the mask, for the message.

    Raises:
        ValueError: if it is anything else, such as a list of action numbers or a mask to be added to logits.
    """
    try:
        array = np.asarray(mask)
    except ValueError:  # parts of different lengths
        array = np.empty(len(mask), object)
    zeros_and_ones = array.dtype.kind == "b" or (
        array.dtype.kind in "iuf" and bool(((array == 0) | (array == 1)).all())
    )
    if zeros_and_ones and array.shape == (actions,):
        return np.flatnonzero(array).tolist()
    expected = f"{actions} booleans, or zeros and ones, one for each action: true where it is legal"
    raise ValueError(f"{name} is {shown(mask)}, of shape {array.shape}; expected {expected}{_mask_hint(array)}")


def _mask_hint(array: np.ndarray) -> str:
    """What a wrong mask seems to be, and how to make a right one of it."""
    if array.ndim == 1 and array.dtype.kind in "iu" and len(set(array.tolist())) == len(array):
        return "; from a list of action numbers: mask = np.zeros(n, bool); mask[numbers] = True"
    if array.dtype.kind == "f" and np.isneginf(array).any() and not np.isnan(array).any():
        return "; from a mask that is added to logits: mask = np.isfinite(added)"
    return ""


def legal_mask(space: Space, allowed: Sequence[Sequence[int] | None]) -> np.ndarray | None:
    """Masks of the actions that games allow.

    One assignment for the whole batch: filling row by row costs more than the rules of small games.

    Args:
        space: of the actions.
        allowed: of each game, the legal actions; None for all.

    Returns:
        [B, columns] bool; None if a game has no legal action, an unknown one or one twice.
    """
    legal = np.zeros((len(allowed), space.columns), bool)
    columns = np.array([action for row in allowed if row is not None for action in row], np.int64)
    counts = [0 if row is None else len(row) for row in allowed]
    if len(columns) and not (columns.min() >= 0 and columns.max() < space.columns):
        return None
    legal[np.repeat(np.arange(len(allowed)), counts), columns] = True
    if legal.sum() != len(columns):
        return None
    legal[[row is None for row in allowed]] = True
    return legal if space.allows(legal).all() else None


def player_to_move(value: Any) -> int:
    """Whose turn a two-player game says it is.

    Raises:
        WrongForm: if it is a third player's.
        ValueError: if it is not 0 or 1.
    """
    try:
        player = operator.index(value)
    except TypeError:
        raise ValueError(f"to_move() is {shown(value)}, expected 0 or 1") from None
    if player > 1:
        raise WrongForm(f"to_move() is {player}, expected 0 or 1: games of more than two players cannot be played")
    if player < 0:
        raise ValueError(f"to_move() is {player}, expected 0 or 1; at the end of a game it is not asked")
    return player


def number(value: Any, name: str) -> float:
    """A number that an environment returned; it may be infinite or NaN.

    Raises:
        ValueError: if it is not a number.
    """
    try:
        if not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(f"{name} is {shown(value)}, expected a number")


def check_size(spec: GameSpec) -> None:
    """Refuse a game that is empty, or too large for a network, before anything of its size is allocated.

    Raises:
        Unplayable: with the size and the limit.
    """
    numbers = math.prod(spec.observation)
    if min(spec.observation, default=1) < 1:
        raise Unplayable(f"{spec.name} cannot be played: its observations are empty, of shape {spec.observation}")
    if numbers > MOST_NUMBERS:
        size = f"its observations of shape {spec.observation} have {numbers:,} numbers"
        raise Unplayable(f"{spec.name} cannot be played: {size}; the most is {MOST_NUMBERS:,}")
    if not 1 <= spec.actions.width <= MOST_ACTIONS:
        raise Unplayable(
            f"{spec.name} cannot be played: it has {spec.actions.describe()}; expected 1 to {MOST_ACTIONS:,}"
        )

"""Spaces of gymnasium: how observations become arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from muzero.games.checks import shown
from muzero.games.errors import Unplayable

Channels = Literal["auto", "first", "last"]
COLOURS = (1, 3, 4)  # grey, RGB, RGBA


class View(NamedTuple):
    """How observations of a space become arrays."""

    shape: tuple[int, ...]
    dtype: str
    write: Callable[[Any, np.ndarray], None]  # an observation into an array of this shape and dtype
    bounds: tuple[np.ndarray, np.ndarray] | None = None  # [*shape] each, inclusive; None: everything is inside


def view(space: Any, game: str, channels: Channels = "auto") -> View:
    """How observations of a space become arrays.

    A Box of three axes becomes planes [C, H, W], and images (uint8) of two or four axes too; other boxes become one
    row.  Discrete becomes a one-hot row, and everything composed (Tuple, Dict, MultiDiscrete) one row of its parts.

    Args:
        space: of gymnasium.
        game: for messages.
        channels: where an image has them; "auto" finds it out, see `guess_channels`.

    Raises:
        Unplayable: if observations have no fixed size, or it is not clear where their channels are.
    """
    from gymnasium import spaces  # where it is used: it takes long to import

    if isinstance(space, spaces.Box):
        return _box_view(space, game, channels)
    if isinstance(space, spaces.Discrete):
        return _one_hot_view(space)
    if not isinstance(space, spaces.Space):
        raise Unplayable(f"{game} cannot be played: observation_space is {shown(space)}, expected a gymnasium space")
    if not space.is_np_flattenable:
        raise Unplayable(f"{game} cannot be played: its observations have no fixed size: {space}")

    def write(value: Any, out: np.ndarray) -> None:
        check_member(space, value, "observation")
        with np.errstate(over="ignore"):  # the caller reports infinity
            out[...] = spaces.flatten(space, value)

    row: Any = spaces.flatten_space(space)
    return View(tuple(row.shape), "float32", write, _bounds(row.low, row.high, row.shape))


def _box_view(space: Any, game: str, channels: Channels) -> View:
    shape = tuple(int(length) for length in space.shape)
    image = space.dtype == np.uint8 and len(shape) > 1
    if image and len(shape) > 4:
        raise Unplayable(f"{game} cannot be played: {_unclear(shape)}")
    planes = (image and len(shape) == 4) or len(shape) == 3
    last = planes and _channels_last(shape, game, channels)

    def arranged(array: np.ndarray) -> np.ndarray:
        if not planes:
            return array.reshape((1, *shape) if image else -1)
        array = np.moveaxis(array, -1, -3) if last else array
        return array.reshape(-1, *array.shape[-2:])

    seen, dtype = arranged(np.empty(shape, np.bool_)).shape, "uint8" if image else "float32"

    def write(value: Any, out: np.ndarray) -> None:
        array = check_numbers(value, shape, "observation")
        out[...] = arranged(as_bytes(array) if image else array)

    bounds = _bounds(arranged(space.low), arranged(space.high), seen)
    return View(seen, dtype, write, None if image else bounds)


def _channels_last(shape: tuple[int, ...], game: str, channels: Channels) -> bool:
    """Whether images of this shape, or stacks of images, have their channels last.

    Raises:
        Unplayable: if it is not clear.
    """
    found = channels if channels != "auto" else guess_channels(shape[-3:])
    last = found == "last"
    height, width = shape[-3:-1] if last else shape[-2:]
    # The frames of a stack are in front, and fewer than its rows and columns; another order would be misread.
    if found is None or (len(shape) == 4 and channels == "auto" and shape[0] >= min(height, width)):
        raise Unplayable(f"{game} cannot be played: {_unclear(shape)}")
    return last


def guess_channels(shape: tuple[int, ...]) -> Literal["first", "last"] | None:
    """Where an image of three axes has its channels; None where that is not clear.

    Three signs have to agree, as far as they say anything: an end has length 1, 3 or 4 and the other end has not; an
    end is shorter than both other axes; the two axes beside an end are equal.
    """
    first, middle, last = shape
    signs = (
        (first in COLOURS, last in COLOURS),
        (first < min(middle, last), last < min(first, middle)),
        (middle == last, first == middle),
    )
    places = {at_first for at_first, at_last in signs if at_first != at_last}
    if len(places) != 1:
        return None
    return "first" if places.pop() else "last"


def _unclear(shape: tuple[int, ...]) -> str:
    """What to do about images of which it is not clear how they are laid out."""
    what = f"it is not clear how its images of shape {shape} are laid out"
    if len(shape) == 3:
        return f"{what}; say where the channels are with --set game.channels=first, or last"
    return (
        f"{what}; expected [H, W], [C, H, W], [H, W, C], or frames [N, C, H, W] or [N, H, W, C]: "
        f"reshape them in the environment, or say where the channels of each frame are with --set game.channels=first"
    )


def _one_hot_view(space: Any) -> View:
    count = int(space.n)

    def write(value: Any, out: np.ndarray) -> None:
        check_member(space, value, "observation")
        out[...] = 0
        out[int(value) - int(space.start)] = 1

    return View((count,), "float32", write)


def _bounds(low: np.ndarray, high: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """The bounds in float32, as observations are rounded; None for bounds that are all infinite."""
    if np.isneginf(low).all() and np.isposinf(high).all():
        return None
    with np.errstate(over="ignore"):
        return low.reshape(shape).astype(np.float32), high.reshape(shape).astype(np.float32)


def check_numbers(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """The value as an array of numbers.

    Raises:
        ValueError: if it has another shape, or is not made of numbers.
    """
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} is {shown(value)}, expected an array of numbers of shape {shape}")
    if array.shape != shape:
        raise ValueError(f"{name} of shape {array.shape}, expected {shape}")
    return array


def as_bytes(array: np.ndarray) -> np.ndarray:
    """Numbers as uint8.

    Raises:
        ValueError: if one of them is not a whole number from 0 to 255.
    """
    if array.dtype == np.uint8:
        return array
    wrong = ~((array >= 0) & (array <= 255))
    if not wrong.any() and array.dtype.kind == "f":
        wrong = array != np.floor(array)
    if wrong.any():
        raise ValueError(
            f"observation of dtype uint8 has the value {array[wrong][0]}, expected whole numbers from 0 to 255"
        )
    return array.astype(np.uint8)


def check_member(space: Any, value: Any, name: str) -> None:
    """Check that a value can be flattened as one of the space; boxes may exceed their bounds.

    Raises:
        ValueError: naming the part that does not fit.
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        if not (isinstance(value, dict) and set(value) == set(space)):
            raise ValueError(f"{name} is {shown(value)}, expected a dict with the keys {', '.join(map(str, space))}")
        for key, part in space.items():
            check_member(part, value[key], f"{name}[{key!r}]")
    elif isinstance(space, spaces.Tuple):
        if not (isinstance(value, tuple | list) and len(value) == len(space)):
            raise ValueError(f"{name} is {shown(value)}, expected a tuple of {len(space)} parts")
        for number, part in enumerate(space):
            check_member(part, value[number], f"{name}[{number}]")
    elif isinstance(space, spaces.Box):
        check_numbers(value, space.shape or (), name)
    elif isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        _check_whole(space, value, name)
    elif not space.contains(value):
        raise ValueError(f"{name} is {shown(value)}, expected a member of {space}")


def _check_whole(space: Any, value: Any, name: str) -> None:
    """Check whole numbers against the range that their space gives each of them."""
    from gymnasium import spaces

    low, count = 0, 2
    if isinstance(space, spaces.Discrete):
        low, count = space.start, space.n
    elif isinstance(space, spaces.MultiDiscrete):
        low, count = space.start, space.nvec
    array = check_numbers(value, space.shape or (), name)
    if not ((array >= low) & (array < low + count) & (array == np.floor(array))).all():
        raise ValueError(f"{name} is {shown(value)}, expected whole numbers of {space}")

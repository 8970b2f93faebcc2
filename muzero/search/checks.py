"""Checks of arguments: an error names the argument, what was expected and what was given."""

import numbers
from collections.abc import Callable

import numpy as np


def check_array(
    given: np.ndarray, name: str, kinds: str, expected: str, shape: tuple[int, ...] | None = None
) -> np.ndarray:
    """A plain copy of an array, so that another thread cannot change what is checked from here on.

    Args:
        given: the argument.
        name: of the argument, for errors.
        kinds: the kinds of dtype that are allowed, as in `numpy.dtype.kind`.
        expected: what the kinds are called in errors; "float32" allows no other floats.
        shape: the shape that is required; two dimensions and not empty if None.

    Raises:
        TypeError: if it is not an array.
        ValueError: if shape or dtype differ.
    """
    if not isinstance(given, np.ndarray):
        raise TypeError(f"{name}: expected {expected} of shape {shape or '(batch, actions)'}, got {type(given)}")
    fits = given.shape == shape if shape else given.ndim == 2 and given.size > 0
    if not fits or given.dtype.kind not in kinds or (expected == "float32" and given.dtype != np.float32):
        raise ValueError(
            f"{name}: expected {expected} of shape {shape or '(batch, actions)'}, got {given.dtype} of shape "
            f"{given.shape}"
        )
    return np.array(given)


def check_rows(good: np.ndarray, name: str, complaint: str) -> None:
    """Raise ValueError with the first row that is not good everywhere, by [B] or [B, A] bool."""
    rows = good.reshape(len(good), -1).all(axis=1)
    if not rows.all():
        raise ValueError(f"{name}[{int(rows.argmin())}] {complaint}")


def check_number(given: float, name: str, expected: str, valid: Callable[[float], bool]) -> float:
    """The number as a float.  TypeError if it is not a number, ValueError if it is not valid."""
    if not isinstance(given, numbers.Real):
        raise TypeError(f"{name}: expected {expected}, got {given!r}")
    try:
        number = float(given)
    except OverflowError:
        number = np.inf
    if not valid(number):
        raise ValueError(f"{name}: expected {expected}, got {given!r}")
    return number


def check_integer(given: int, name: str, low: int, high: int) -> int:
    """The number as an int.  TypeError if it is not an integer, ValueError if it is out of range."""
    expected = f"an integer from {low} to {high}"
    if not isinstance(given, numbers.Integral) or isinstance(given, bool):
        raise TypeError(f"{name}: expected {expected}, got {given!r}")
    if not low <= given <= high:
        raise ValueError(f"{name}: expected {expected}, got {given!r}")
    return int(given)


def check_generator(given: np.random.Generator | None) -> np.random.Generator:
    """The generator.  TypeError if it is not a random generator of numpy."""
    if not isinstance(given, np.random.Generator):
        raise TypeError(f"rng: expected a numpy.random.Generator, got {given!r}; try numpy.random.default_rng(seed)")
    return given

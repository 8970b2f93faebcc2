"""Checks of values that were read from files: type, finiteness and range."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

LARGEST = 2**53  # up to here every whole number is a float too


def number(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number from `low` to `high`, both included.

    Raises:
        ValueError: naming the field, what was expected and what was given.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: expected a number, got {brief(value)}")
    if not (-LARGEST <= value <= LARGEST if isinstance(value, int) else math.isfinite(value)):
        raise ValueError(f"{name}: expected a finite number, got {brief(value)}")
    if not low <= value <= high:
        raise ValueError(f"{name}: expected a number from {low:g} to {high:g}, got {brief(value)}")
    return float(value)


def whole(name: str, value: Any, low: int = 0, high: int = LARGEST) -> int:
    """A whole number from `low` to `high`, both included.

    Raises:
        ValueError: naming the field, what was expected and what was given.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name}: expected a whole number from {low:,} to {high:,}, got {brief(value)}")
    return value


def table(name: str, value: Any, *keys: str) -> dict[str, Any]:
    """A table that has at least these keys.

    Raises:
        ValueError: naming the field, what was expected and what was given.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{name}: expected a table, got {brief(value)}")
    missing = [key for key in keys if key not in value]
    if missing:
        raise ValueError(f"{name}: {', '.join(missing)} missing")
    return value


def brief(value: Any) -> str:
    """A value for a message, in at most about 40 characters, however large it is."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST:
        return f"a number of {value.bit_length():,} bits"
    if isinstance(value, dict | list | str) and len(value) > 40:
        return f"a {type(value).__name__} of length {len(value):,}"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def finite_json(text: str) -> Any:
    """The value of a JSON text without NaN, Infinity or numbers that do not fit a float.

    Raises:
        ValueError: naming such a number, or because the text is not JSON.
        RecursionError: if it is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a finite number")


def _finite(text: str) -> float:
    found = float(text)
    return found if math.isfinite(found) else _refuse(text)


def require_like(name: str, array: np.ndarray, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Refuse an array of another type or shape.

    Raises:
        ValueError: naming both.
    """
    if (array.dtype, array.shape) != (dtype, shape):
        raise ValueError(f"{name}: expected {dtype} {shape}, got {array.dtype} {array.shape}")

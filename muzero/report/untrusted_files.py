"""Files of a folder that someone else may have written: bounded, regular files only, and plain values only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeGuard

from muzero.util.files import read_regular
from muzero.util.text import printable

MOST_BYTES = 64 << 20  # of a file
MOST_ITEMS = 10_000  # of a list or table inside a value
DEEPEST = 20  # levels of lists and tables
LARGEST = 1e100  # of a number that is shown; larger ones overflow the arithmetic of charts
WORDS = 1000  # characters of a text that is shown


class Unreadable(Exception):
    """A file cannot be read; the message says why, for a line of the report."""


def read(path: Path) -> str:
    """The text of a file; bytes that are not UTF-8 are replaced.

    Raises:
        Unreadable: if it is missing, too large, or not a regular file; a pipe is not waited for.
    """
    try:
        return read_regular(path, MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from error


def parse(text: str) -> dict[str, Any]:
    """A JSON object as plain, finite values; see `plain`.

    Raises:
        Unreadable: if it is anything else.
    """
    try:
        found = json.loads(text, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise Unreadable("is not JSON") from error
    if not isinstance(found, dict):
        raise Unreadable("is not a JSON object")
    return plain(found)


def _whole(digits: str) -> float | int:
    """A number of any length, without the quadratic cost of converting it."""
    return int(digits) if len(digits) <= 18 else float(digits)


def plain(value: Any, depth: int = 0) -> Any:
    """A value without what a page or chart cannot show: control characters, infinite numbers, endless nesting."""
    if value is None or isinstance(value, bool) or number(value):
        return value
    if isinstance(value, str):
        return printable(value, WORDS)
    if isinstance(value, dict) and depth < DEEPEST:
        return {printable(str(key), 100): plain(each, depth + 1) for key, each in list(value.items())[:MOST_ITEMS]}
    if isinstance(value, list) and depth < DEEPEST:
        return [plain(each, depth + 1) for each in value[:MOST_ITEMS]]
    return None


def number(value: Any) -> TypeGuard[float]:
    """Whether a value is a finite number of a size that can be shown."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST


def rows(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; empty if it is not a list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []

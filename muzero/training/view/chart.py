"""Curves as characters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from rich.text import Text

Points = Sequence[tuple[float, float]]
DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # bits of a braille character, by place
BRAILLE = 0x2800
BARS = "▁▂▃▄▅▆▇█"
MARK = "●"
LINE, MARKED = "cyan", "bold yellow"


def chart(line: Points, marks: Points, width: int, height: int) -> Text:
    """A chart of a line, in dots of braille, and of single marks over it; numbers at its left and below.

    Args:
        line: (x, y), x ascending.
        marks: (x, y).
        width: columns, all of which are used.
        height: lines, the one with the numbers below included.
    """
    line, marks = ([point for point in points if all(map(math.isfinite, point))] for points in (line, marks))
    every = [*line, *marks]
    if not every:
        return Text("nothing to show yet", style="dim", no_wrap=True, overflow="ellipsis")
    low, high = min(y for _, y in every), max(y for _, y in every)
    if low == high:
        low, high = low - 0.5, high + 0.5
    left, right = min(x for x, _ in every), max(x for x, _ in every)
    labels = short(high), short(low)
    margin = max(map(len, labels)) + 1
    columns, lines = max(width - margin, 2), max(height - 1, 1)
    cells = np.zeros((lines, columns), int)

    def place(x: float, y: float, across: int, down: int) -> tuple[int, int]:
        """Column and line of a point, in a grid of these numbers."""
        column = (x - left) / (right - left or 1.0) * (across - 1)
        return round(column), round((high - y) / (high - low) * (down - 1))

    for column, row in _filled([place(x, y, 2 * columns, 4 * lines) for x, y in line]):
        cells[row // 4, column // 2] |= DOTS[row % 4, column % 2]
    letters = [[chr(BRAILLE + cell) if cell else " " for cell in row] for row in cells]
    marked = {place(x, y, columns, lines) for x, y in marks}
    for column, row in marked:
        letters[row][column] = MARK
    text = Text(no_wrap=True)
    for row, drawn in enumerate(letters):
        label = labels[0] if row == 0 else labels[1] if row == lines - 1 else ""
        text.append(f"{label:>{margin - 1}} ", "dim")
        at = len(text)
        text.append("".join(drawn), LINE)
        for column in (column for column in range(columns) if (column, row) in marked):
            text.stylize(MARKED, at + column, at + column + 1)
        text.append("\n")
    ends = short(left), short(right)
    between = max(columns - sum(map(len, ends)), 1)
    text.append(" " * margin + (f"{ends[0]}{' ' * between}{ends[1]}" if columns > 12 else ends[1])[:columns], "dim")
    return text


def _filled(points: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Points of a grid, and those between neighbours."""
    found = list(points[:1])
    for (x, y), (column, row) in pairwise(points):
        steps = max(abs(column - x), abs(row - y), 1)
        found += [(round(x + (column - x) * k / steps), round(y + (row - y) * k / steps)) for k in range(1, steps + 1)]
    return found


def sparkline(values: Sequence[float], width: int) -> str:
    """The last values as bars, from the smallest of them to the largest."""
    shown = [value for value in values if math.isfinite(value)][-width:]
    if len(shown) < 2:
        return ""
    low, high = min(shown), max(shown)
    return "".join(BARS[round((value - low) / (high - low or 1.0) * (len(BARS) - 1))] for value in shown)


def short(number: float) -> str:
    """A number in at most seven characters: 12_345 as "12.3k"."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= max(factor, 9_999.5):
            return f"{number / factor:.3g}{unit}"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"

"""Positions as squares that can be clicked, read from the drawings of OpenSpiel's games and the names of moves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from muzero.games.board_rules import BoardRules
from muzero.interfaces import Rules

Square = tuple[int, int]
"""Row and column, from the top left."""

Taps = tuple[tuple[Square, ...], ...]
"""What to click for a move, in order: each time one of these squares.  Nothing where a move has no square."""

ROW = re.compile(r"\s*(\d+)\s*((?:[^\d\s/]\s*)+?)\s*\d*\s*")  # of a board: its label, its cells, sometimes the label
LETTERS = re.compile(r"\s*([A-Za-z](?:\s*[A-Za-z])*)\s*")  # a line of labels of columns
PAIR = re.compile(r"(\d+),(\d+)")
FIELD = re.compile(r"([a-z])(\d+)")


class Piece(NamedTuple):
    """How a piece looks, and what it is called."""

    side: int  # 0 or 1: its colour
    glyph: str  # drawn on it; empty for a plain disc
    name: str


@dataclass(frozen=True)
class Look:
    """How the board of a game looks."""

    shape: Literal["marks", "discs", "stones", "lines", "hexagons", "chequered"]
    pieces: Mapping[str, Piece]
    taps: Callable[[Grid, str], Taps] = field(default_factory=lambda: fields)
    drawing: Callable[[str], str] = str  # changes the drawing before it is read


@dataclass(frozen=True)
class Grid:
    """What was read of a drawing."""

    rows: Sequence[str]  # labels, from the top
    columns: Sequence[str]  # labels, from the left
    cells: Sequence[str]  # a string for each row

    def square(self, row: str, column: str) -> Square:
        """The square with these labels; ValueError if there is none."""
        return self.rows.index(row), self.columns.index(column)


def fields(grid: Grid, name: str) -> Taps:
    """The fields that a name mentions, "e2e4", in their order."""
    return tuple((grid.square(row, column),) for column, row in FIELD.findall(name.lower()))


def pairs(grid: Grid, name: str) -> Taps:
    """The pair of row and column that a name mentions, "x(0,1)"."""
    return tuple((grid.square(row, column),) for row, column in PAIR.findall(name))


def drop(grid: Grid, name: str) -> Taps:
    """Any square of the column that a name ends with, "x3"."""
    column = grid.columns.index(name[1:])
    return (tuple((row, column) for row in range(len(grid.rows))),)


def kings(text: str) -> str:
    """The drawing of checkers with its kings, "8" and "*", as letters: elsewhere a number is a label."""
    return re.sub(r"^(.)(.+)$", lambda line: line[1] + line[2].replace("8", "O").replace("*", "X"), text, flags=re.M)


def numbered(text: str) -> str:
    """The drawing of Connect Four, where only columns have labels, with numbers of rows."""
    return "\n".join(f"{number} {line}" for number, line in enumerate(text.rstrip().split("\n")[:-1]))


def two(first: str, second: str, names: tuple[str, str] = ("black", "white")) -> dict[str, Piece]:
    """The pieces of a game in which they are all alike."""
    return {first: Piece(0, "", names[0]), second: Piece(1, "", names[1])}


MARKS = {"x": Piece(0, "×", "x"), "o": Piece(1, "○", "o")}  # noqa: RUF001 (signs, not letters)
MEN = two("x", "o", ("red", "blue"))
CHESS = {
    letter: Piece(side, glyph + "\ufe0e", f"{colour} {name}")  # the sign after it asks for text, not an emoji
    for side, colour, change in ((0, "black", str.lower), (1, "white", str.upper))
    for letter, glyph, name in (
        (change("k"), "♚", "king"),
        (change("q"), "♛", "queen"),
        (change("r"), "♜", "rook"),
        (change("b"), "♝", "bishop"),
        (change("n"), "♞", "knight"),
        (change("p"), "♟", "pawn"),
    )
}
KINGS = {"O": Piece(0, "♛\ufe0e", "black king"), "X": Piece(1, "♛\ufe0e", "white king")}
LOOKS: dict[str, Look] = {
    "breakthrough": Look("chequered", two("b", "w")),
    "checkers": Look("chequered", two("o", "+") | KINGS, drawing=kings),
    "chess": Look("chequered", CHESS),
    "clobber": Look("chequered", two("o", "x")),
    "connect_four": Look("discs", MEN, drop, numbered),
    "go": Look("lines", two("X", "O")),
    "gomoku": Look("lines", two("b", "w"), pairs),
    "hex": Look("hexagons", MEN),
    "lines_of_action": Look("chequered", two("x", "o")),
    "mnk": Look("marks", MARKS, pairs),
    "othello": Look("stones", two("x", "o")),
    "othello_6x6": Look("stones", two("x", "o")),
    "tic_tac_toe": Look("marks", MARKS, pairs),
}
"""The boards that are drawn as squares; any other is shown as text, beside the list of legal moves."""


def read(text: str) -> Grid:
    """The grid of a drawing.

    Raises:
        ValueError: if it has none.
    """
    lines = text.split("\n")
    found = [match for match in map(ROW.fullmatch, lines) if match]
    rows, cells = [match[1] for match in found], ["".join(match[2].split()) for match in found]
    heads = [list("".join(match[1].lower().split())) for match in map(LETTERS.fullmatch, lines) if match]
    width = len(cells[0]) if cells else 0
    if not width or any(len(row) != width for row in cells):
        raise ValueError("the drawing has no rows of equal length")
    labels = [head for head in heads if len(head) == width and head == sorted(set(head))]
    return Grid(rows, labels[0] if labels else [str(column) for column in range(width)], cells)


def board(rules: Rules | None) -> dict[str, Any] | None:
    """A position as squares, in plain values; None where the game has no such board.

    Returns:
        shape: how it looks.  rows, columns: labels.
        cells: for each square, row by row, None or [side, glyph, name] of the piece.
        taps: for each legal move, what to click: a list of lists of squares, numbered row by row.
    """
    look = LOOKS.get(rules.game) if rules is not None else None
    if rules is None or look is None:
        return None
    try:
        grid = read(look.drawing(rules.draw()))
        width = len(grid.columns)
        taps = {action: look.taps(grid, name) for action, name in clicked(rules).items()}
    except ValueError:  # a variant of the game that is drawn in another way
        return None
    return {
        "shape": look.shape,
        "rows": list(grid.rows),
        "columns": list(grid.columns),
        "cells": [look.pieces.get(cell) for row in grid.cells for cell in row],
        "taps": {
            action: [[row * width + column for row, column in squares] for squares in each]
            for action, each in taps.items()
        },
    }


def player(rules: Rules, number: int) -> str:
    """What a player is called: by the colour of its pieces where these are drawn, with their letter if it differs."""
    called = rules.player(number)
    letter = called.partition(",")[0]
    look = LOOKS.get(rules.game)
    piece = None if look is None else look.pieces.get(letter)
    if piece is None:
        return called if look is None else letter
    return piece.name if piece.name.startswith(letter) else f"{piece.name} ({letter})"


def clicked(rules: Rules) -> dict[int, str]:
    """The legal moves by the names that say what to click; of chess these are not the usual ones."""
    if rules.game == "chess" and isinstance(rules, BoardRules) and not rules.over:
        return {action: name for name, action in rules.long_algebraic()[2].items()}
    return {action: rules.name(action) for action in rules.legal()}


def last_squares(before: Rules, action: int) -> list[int]:
    """The squares of a move: where a piece changed, of those that can be clicked for it.

    Args:
        before: the position in which it was played.
        action: it.
    """
    shown, after = board(before), board(before.child(action))
    if shown is None or after is None:
        return []
    squares = [square for choice in shown["taps"].get(action, []) for square in choice]
    return [square for square in squares if shown["cells"][square] != after["cells"][square]]

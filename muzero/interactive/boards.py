"""Boards as squares, read from the drawings of OpenSpiel's games and the names of their moves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from muzero.games.board_rules import BoardRules
from muzero.interfaces import Rules

Taps = tuple[tuple[int, ...], ...]
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


Shape = Literal["marks", "discs", "stones", "lines", "hexagons", "chequered"]


@dataclass(frozen=True)
class Board:
    """A position as squares, which are numbered row by row from the top left."""

    shape: Shape  # how it looks; stones lie on squares, or else on the crossings of lines
    rows: Sequence[str]  # labels, from the top
    columns: Sequence[str]  # labels, from the left
    cells: Sequence[Piece | None]

    def square(self, row: str, column: str) -> int:
        """The square with these labels; ValueError if there is none."""
        return self.rows.index(row) * len(self.columns) + self.columns.index(column)

    def place(self, taps: Taps) -> int | None:
        """The empty square that a move fills: of a column the lowest one; None where a piece moves, or of a pass."""
        free = [square for square in taps[0] if self.cells[square] is None] if len(taps) == 1 else []
        return free[-1] if free else None


@dataclass(frozen=True)
class Look:
    """How the board of a game looks, and how its moves name squares."""

    shape: Shape
    pieces: Mapping[str, Piece]
    taps: Callable[[Board, str], Taps] = field(default_factory=lambda: fields)
    drawing: Callable[[str], str] = str  # changes the drawing before it is read


def fields(board: Board, name: str) -> Taps:
    """The fields that a name mentions, "e2e4", in their order."""
    return tuple((board.square(row, column),) for column, row in FIELD.findall(name.lower()))


def pairs(board: Board, name: str) -> Taps:
    """The pair of row and column that a name mentions, "x(0,1)"."""
    return tuple((board.square(row, column),) for row, column in PAIR.findall(name))


def drop(board: Board, name: str) -> Taps:
    """Any square of the column that a name ends with, "x3"."""
    return (tuple(board.square(row, name[1:]) for row in board.rows),)


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
"""The games whose boards are read; any other is shown as text."""


def board_of(rules: Rules | None) -> Board | None:
    """The board of a position; None of games that are not known, and of variants that are drawn in another way."""
    look = LOOKS.get(rules.game) if rules is not None else None
    return None if rules is None or look is None else read(look, rules.draw())


def read(look: Look, text: str) -> Board | None:
    """The board of a drawing; None if it has none."""
    lines = look.drawing(text).split("\n")
    found = [match for match in map(ROW.fullmatch, lines) if match]
    rows, cells = [match[1] for match in found], ["".join(match[2].split()) for match in found]
    width = len(cells[0]) if cells else 0
    if not width or any(len(row) != width for row in cells):
        return None
    heads = [list("".join(match[1].lower().split())) for match in map(LETTERS.fullmatch, lines) if match]
    labels = [head for head in heads if len(head) == width and head == sorted(set(head))]
    columns = labels[0] if labels else [str(column) for column in range(width)]
    return Board(look.shape, rows, columns, [look.pieces.get(cell) for row in cells for cell in row])


def taps(rules: Rules, board: Board) -> dict[int, Taps]:
    """What to click for each legal move; nothing at all where a move names squares that the board does not have.

    board: of the position.
    """
    names = {action: rules.name(action) for action in rules.legal()}
    if rules.game == "chess" and isinstance(rules, BoardRules) and not rules.over:
        # The usual names of its moves do not say from where a piece moves.
        names = {action: name for name, action in rules.long_algebraic()[2].items()}
    try:
        return {action: LOOKS[rules.game].taps(board, name) for action, name in names.items()}
    except ValueError:
        return {}


def last_squares(before: Rules, after: Rules) -> list[int]:
    """The squares of the move that led from a position to another: where a piece changed, of those it names."""
    old, new = board_of(before), board_of(after)
    if old is None or new is None:
        return []
    named = taps(before, old).get(after.history[-1], ())
    return [square for choice in named for square in choice if old.cells[square] != new.cells[square]]

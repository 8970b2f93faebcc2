"""Boards as people read them: OpenSpiel's drawings with the coordinates by which it names moves."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

ANSI = re.compile(r"\x1b\[[0-9;]*m")  # colours
EMPTY = ".-+ "  # cells without a piece
SENTENCE = re.compile(r"[A-Za-z]{2,}[ :(]|[/(=]")  # in lines that are not rows of a board


def drawing(game: str, text: str) -> str:
    """A drawing for people.

    Args:
        game: OpenSpiel's name of the game, "connect_four".
        text: OpenSpiel's drawing of a position; returned as it is if it has coordinates already.
    """
    text = ANSI.sub("", text).rstrip("\n")
    return DRAWINGS[game](text) if game in DRAWINGS else text


def marked(before: str, after: str) -> str:
    """A drawing with the last move in brackets: "[x]"; as it is where there is no room for them.

    Args:
        before: the drawing before the move.
        after: the drawing after it.
    """
    old, new = before.split("\n"), after.split("\n")
    if len(old) != len(new):
        return after
    changed = [
        (row, column)
        for row, (was, line) in enumerate(zip(old, new, strict=True))
        if len(was) == len(line) and not SENTENCE.search(line)
        for column, (a, b) in enumerate(zip(was, line, strict=True))
        if a != b and b not in EMPTY
    ]
    # Where a piece was put on an empty cell, others that changed were turned or are details of it.
    for row, column in [(row, column) for row, column in changed if old[row][column] in EMPTY] or changed:
        line = new[row] + " "
        if column > 0 and line[column - 1] == " " and line[column + 1] == " ":
            new[row] = f"{line[: column - 1]}[{line[column]}]{line[column + 2 :]}".rstrip()
    return "\n".join(new)


def rows_and_columns(text: str, first: int) -> str:
    """A grid with the numbers of its rows and columns, counted from `first`."""
    lines = text.split("\n")
    if len(set(map(len, lines))) > 1 or " " in text:
        return text
    labels = [str(first + index) for index in range(max(len(lines), len(lines[0])))]
    width = max(map(len, labels))
    head = " " * width + "".join(f" {label:>{width}}" for label in labels[: len(lines[0])])
    rows = [
        f"{label:>{width}}" + "".join(f" {cell:>{width}}" for cell in line)
        for label, line in zip(labels, lines, strict=False)
    ]
    return "\n".join([head, *rows])


def columns_below(text: str) -> str:
    """A grid with the numbers of its columns below it, and room for a mark at its left."""
    lines = text.split("\n")
    labels = [str(column) for column in range(len(lines[0]))]
    width = max(map(len, labels))
    return "\n".join("".join(f" {cell:>{width}}" for cell in line) for line in [*lines, labels])


def skewed(text: str) -> str:
    """A board of Hex with the letters of its columns and the numbers of its rows."""
    lines = text.split("\n")
    letters = " ".join(chr(ord("a") + column) for column in range(len(lines[0].split())))
    return "\n".join([f"   {letters}", *(f"{row:2} {line.rstrip()}" for row, line in enumerate(lines, 1))])


def chess(text: str, files: Sequence[str], ranks: Sequence[str]) -> str:
    """The board of a position in Forsyth-Edwards notation, and the notation below it; upper case is white.

    files: labels of columns from the left.  ranks: labels of rows from the top.
    """
    rows = [re.findall(r"\+?[A-Za-z]|\d", row) for row in re.split(r"[ \[]", text)[0].split("/")]
    cells = [[cell for piece in row for cell in (["."] * int(piece) if piece.isdigit() else [piece])] for row in rows]
    width = max(len(cell) for row in cells for cell in row)
    board = [f"{rank} " + " ".join(f"{cell:>{width}}" for cell in row) for rank, row in zip(ranks, cells, strict=True)]
    return "\n".join([*board, "  " + " ".join(f"{label:>{width}}" for label in files), text])


def _gomoku(text: str) -> str:
    to_move, _, board = text.partition("\n")
    return f"{rows_and_columns(board, 0)}\n{to_move} to move"


def _go(text: str) -> str:
    rows = [line.split() for line in text.split("\n") if re.match(r" *\d+ ", line)]
    board = [f"{number:>2} {' '.join(cells.replace('+', '.'))}" for number, cells in rows]
    return "\n".join([*board, f"   {' '.join(text.split()[-1])}"])


DRAWINGS: dict[str, Callable[[str], str]] = {
    "amazons": lambda text: rows_and_columns(text, 1),
    "antichess": lambda text: chess(text, "abcdefgh", "87654321"),
    "chess": lambda text: chess(text, "abcdefgh", "87654321"),
    "connect_four": columns_below,
    "crazyhouse": lambda text: chess(text, "abcdefgh", "87654321"),
    "go": _go,
    "gomoku": _gomoku,
    "hex": skewed,
    "mnk": lambda text: rows_and_columns(text, 0),
    "shogi": lambda text: chess(text, "987654321", "abcdefghi"),
    "tic_tac_toe": lambda text: rows_and_columns(text, 0),
    "xiangqi": lambda text: rows_and_columns(text, 0),
}

PLAYERS: dict[str, tuple[str, str]] = {
    "antichess": ("black", "white"),
    "breakthrough": ("b", "w"),
    "checkers": ("o", "+"),
    "chess": ("black, lower case", "white, upper case"),
    "clobber": ("o", "x"),
    "connect_four": ("x", "o"),
    "crazyhouse": ("black, lower case", "white, upper case"),
    "go": ("black, X", "white, O"),
    "gomoku": ("b", "w"),
    "hex": ("x", "o"),
    "lines_of_action": ("x", "o"),
    "mnk": ("x", "o"),
    "nine_mens_morris": ("W", "B"),
    "othello": ("black, x", "white, o"),
    "othello_6x6": ("black, x", "white, o"),
    "shogi": ("black, upper case", "white, lower case"),
    "tic_tac_toe": ("x", "o"),
    "xiangqi": ("upper case", "lower case"),
}
"""What the two players of a game are called, or their pieces look like, by OpenSpiel's numbers of players."""

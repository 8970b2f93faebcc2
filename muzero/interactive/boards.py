"""Boards of known games as cells, read from the drawings of their rules."""

from __future__ import annotations

import re
from dataclasses import dataclass

from muzero.interfaces import Rules

Cell = tuple[int, int]  # row from the top, column from the left


@dataclass(frozen=True)
class Board:
    """A position as cells."""

    shape: str  # how it is drawn: "marks", "discs", "stones", "hexagons"
    cells: list[list[int]]  # 0 empty, 1 the first kind of pieces, 2 the second
    last: Cell | None  # where the last move went; None if there was none, or a pass

    def place(self, game: str, action: int) -> Cell | None:
        """The cell that an action fills; None of a pass, or a column that is full."""
        rows, columns = len(self.cells), len(self.cells[0])
        if game == "connect_four":
            free = [row for row in range(rows) if not self.cells[row][action]]
            return (free[-1], action) if free else None
        row, column = divmod(action, columns)
        if row >= rows:
            return None
        return (rows - 1 - row, column) if game == "go" else (row, column)


SHAPES = {
    "tic_tac_toe": "marks",
    "mnk": "marks",
    "connect_four": "discs",
    "othello": "stones on squares",
    "othello_6x6": "stones on squares",
    "go": "stones",
    "gomoku": "stones",
    "hex": "hexagons",
}
PIECES = {"x": 1, "X": 1, "b": 1, "o": 2, "O": 2, "w": 2}


def board_of(rules: Rules) -> Board | None:
    """The board of a position; None of games that are not known, or drawn in another way than expected."""
    game = rules.game
    if game not in SHAPES:
        return None
    rows = _rows(game, rules.draw().split("\n"))
    if not rows or len({len(row) for row in rows}) > 1:
        return None
    cells = [[PIECES.get(cell, 0) for cell in row] for row in rows]
    board = Board(SHAPES[game], cells, None)
    if not rules.history:
        return board
    action = rules.history[-1]
    if game == "connect_four":
        taken = [row for row in range(len(cells)) if cells[row][action]]
        return Board(board.shape, cells, (taken[0], action) if taken else None)
    return Board(board.shape, cells, board.place(game, action))


def _rows(game: str, lines: list[str]) -> list[list[str]]:
    """The rows of a drawing, from the top, without coordinates."""
    if game == "connect_four":
        return [line.split() for line in lines[:-1]]
    if game.startswith("othello"):
        return [line.split()[1:-1] for line in lines if re.match(r"\s*\d", line)]
    if game == "go":
        return [list(found[1].replace(" ", "")) for line in lines if (found := re.match(r"\s*\d+ ([+.XO ]+)$", line))]
    return [line.split()[1:] for line in lines if re.match(r"\s*\d+ +[^\d\s]", line)]

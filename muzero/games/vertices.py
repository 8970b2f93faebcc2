"""Points of boards as the Go Text Protocol names them, "D4" or "PASS", in games whose moves are single points.

Black is the player who moves first.  Rows count from the bottom and columns leave out the letter I, as in Go.  Othello,
Hex, Y and Havannah keep the notation of their players, in which rows count from the top and no letter is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from muzero.interfaces import Rules

LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
PASS = "PASS"
EMPTY, FIRST, SECOND = ".", "X", "O"  # what `cells` shows


@dataclass(frozen=True)
class Vertices:
    """How the points of a game are named, and where its drawing shows them."""

    size: Callable[[Rules], tuple[int, int]]  # columns and rows
    name: Callable[[Rules, Sequence[int], int], str]  # of an action after others, of the game of these rules
    drawn: Callable[[Sequence[str]], list[list[str]]] | None = None  # cells by rows from the top, of a drawing's lines
    pieces: str = "xo"  # of the player who moves first, and of the other, in the drawing
    downwards: bool = False  # rows count from the top


def vertices(rules: Rules) -> Vertices | None:
    """How the points of a game are named; None if its moves are not points of a board with a name."""
    known = VERTICES.get(rules.game)
    # Gomoku has boards of more dimensions, and in Hex and its kin a move may take over the other player's.
    odd = rules.parameters.get("dims", 2) != 2 or rules.parameters.get("swap", False)
    return known if known and not odd and max(known.size(rules)) <= len(LETTERS) else None


def vertex(rules: Rules, action: int) -> str:
    """The name of a legal action, in upper case.

    Raises:
        KeyError: if the moves of the game are not points.
    """
    return VERTICES[rules.game].name(rules, rules.history, action).upper()


def played(rules: Rules) -> list[str]:
    """The names of the moves so far, in upper case.

    Raises:
        KeyError: if the moves of the game are not points.
    """
    name, history = VERTICES[rules.game].name, rules.history
    return [name(rules, history[:ply], action).upper() for ply, action in enumerate(history)]


def actions(rules: Rules) -> dict[str, int]:
    """The legal actions by their names, in upper case; of Connect Four also by the letter of the column alone."""
    found = {vertex(rules, action): action for action in rules.legal()}
    if rules.game == "connect_four":
        found |= {name[0]: action for name, action in found.items()}
    return found


def title(game: str) -> str:
    """The name of a game for programs, as GoGui wants it: an upper-case letter, then only lower-case ones.

    game: OpenSpiel's name of it.
    """
    return "".join(letter for letter in game.partition("_6x6")[0] if letter.isalpha()).capitalize()


def cells(rules: Rules) -> list[list[str]]:
    """The board by rows from the top: ".", "X" of the player who moves first, "O" of the other.

    [] if it is not a grid, or the game is not known.
    """
    known = vertices(rules)
    if known is None or known.drawn is None:
        return []
    names = {known.pieces[0]: FIRST, known.pieces[1]: SECOND}
    return [[names.get(cell, EMPTY) for cell in row] for row in known.drawn(rules.draw().split("\n"))]


# --- the games -----------------------------------------------------------------------------------------------------


def _square(name: str) -> Callable[[Rules], tuple[int, int]]:
    """The size of a board whose side is a parameter."""
    return lambda rules: (rules.parameters[name], rules.parameters[name])


def _sides(columns: str, rows: str) -> Callable[[Rules], tuple[int, int]]:
    """The size of a board with a parameter for each side."""
    return lambda rules: (rules.parameters[columns], rules.parameters[rows])


def _fixed(side: int) -> Callable[[Rules], tuple[int, int]]:
    return lambda rules: (side, side)


def _named(rules: Rules, before: Sequence[int], action: int) -> str:
    """Of "d3", and of "B d3", as OpenSpiel has it."""
    return rules.name(action).split()[-1]


def _numbered(rules: Rules, before: Sequence[int], action: int) -> str:
    """Of "x(0,1)" and "0,1": the row from the top, and the column."""
    row, column = map(int, re.findall(r"\d+", rules.name(action)))
    return f"{LETTERS[column]}{VERTICES[rules.game].size(rules)[1] - row}"


def _landing(rules: Rules, before: Sequence[int], action: int) -> str:
    """Of a column: the point where the disc comes to lie."""
    return f"{LETTERS[action]}{list(before).count(action) + 1}"


def _labelled(lines: Sequence[str]) -> list[list[str]]:
    """Rows that begin with their number, and may end with it."""
    rows = [line.split()[1:] for line in lines if re.match(r" *\d+ +[^\d ]", line)]
    return [[cell for cell in row if not cell.isdecimal()] for row in rows]


def _unlabelled(lines: Sequence[str]) -> list[list[str]]:
    """Rows above a line of numbers."""
    return [line.split() for line in lines[:-1]]


VERTICES: dict[str, Vertices] = {
    "connect_four": Vertices(_sides("columns", "rows"), _landing, _unlabelled),
    "go": Vertices(_square("board_size"), _named, _labelled, "XO"),
    "gomoku": Vertices(_square("size"), _numbered, _labelled, "bw"),
    "havannah": Vertices(lambda rules: (2 * rules.parameters["board_size"] - 1,) * 2, _named, downwards=True),
    "hex": Vertices(_sides("num_cols", "num_rows"), _named, downwards=True),
    "mnk": Vertices(_sides("m", "n"), _numbered, _labelled),
    "othello": Vertices(_fixed(8), _named, _labelled, downwards=True),
    "othello_6x6": Vertices(_fixed(6), _named, _labelled, downwards=True),
    "tic_tac_toe": Vertices(_fixed(3), _numbered, _labelled),
    "y": Vertices(_square("board_size"), _named, downwards=True),
}
"""By OpenSpiel's names of games."""

"""How a finished game ended: by how many points, or in what way."""

from __future__ import annotations

from muzero.games.vertices import EMPTY, FIRST, SECOND, cells
from muzero.interfaces import Rules

NUMBERS = {3: "three", 4: "four", 5: "five", 6: "six"}
CONNECTIONS = {"hex": "a chain from side to side", "y": "a chain that joins the three sides"}
LINES = {"connect_four": "x_in_row", "gomoku": "connect", "mnk": "k"}  # parameters: how many in a row win


def points(rules: Rules, komi: float | None = None) -> float | None:
    """The points of the player who moves first less those of the other, also before the end; None without points.

    Go by area (Tromp and Taylor): stones, and empty regions that touch one colour only.  Othello by discs.

    Args:
        rules: the position.
        komi: points that White gets in Go; None: those of the rules.
    """
    if rules.game not in ("go", "othello", "othello_6x6"):
        return None
    board = cells(rules)
    if rules.game == "go":
        return _area(board) - float(rules.parameters["komi"] if komi is None else komi)
    flat = [cell for row in board for cell in row]
    return float(flat.count(FIRST) - flat.count(SECOND))


def ending(rules: Rules) -> str:
    """How a game ended by its rules, in words: "four in a row", "by 3.5 points"; empty where that is not known."""
    drawn, lead = rules.returns[0] == 0, points(rules)
    if lead is not None:
        return "" if lead == 0 else f"by {abs(lead):g} {'points' if rules.game == 'go' else 'discs'}"
    if rules.game in LINES or rules.game == "tic_tac_toe":
        count = rules.parameters[LINES[rules.game]] if rules.game in LINES else 3
        return "the board is full" if drawn else f"{NUMBERS.get(count, str(count))} in a row"
    if rules.game == "chess":
        return "" if drawn else "checkmate"
    return "" if drawn else CONNECTIONS.get(rules.game, "")


def _area(board: list[list[str]]) -> int:
    """Points of the first player less those of the second."""
    sign = {FIRST: 1, SECOND: -1, EMPTY: 0}
    total, seen = sum(sign[cell] for row in board for cell in row), set()
    for y, row in enumerate(board):
        for x, cell in enumerate(row):
            if cell != EMPTY or (x, y) in seen:
                continue
            region, borders, waiting = {(x, y)}, set(), [(x, y)]
            while waiting:
                a, b = waiting.pop()
                for c, d in ((a + 1, b), (a - 1, b), (a, b + 1), (a, b - 1)):
                    if not (0 <= d < len(board) and 0 <= c < len(row)) or (c, d) in region:
                        continue
                    if board[d][c] == EMPTY:
                        region.add((c, d))
                        waiting.append((c, d))
                    else:
                        borders.add(board[d][c])
            seen |= region
            total += len(region) * sign[borders.pop()] if len(borders) == 1 else 0
    return total

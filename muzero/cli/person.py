"""What is said to a person who plays at the terminal: who sits where, how a game ended, how several did."""

from __future__ import annotations

from collections.abc import Sequence

from muzero.games.endings import ending
from muzero.interfaces import Rules


def seated(first: Rules | None, seat: int) -> str:
    """The person's side: "you are x and move first".

    Args:
        first: the first position; None if the rules cannot be consulted.
        seat: of the person; 0 moves first.
    """
    order = "second" if seat else "first"
    if first is None:
        return f"you move {order}"
    return f"you are {first.player(1 - first.to_move if seat else first.to_move)} and move {order}"


def ended(score: float, other: str, moves: int, resigned: bool, rules: Rules | None) -> str:
    """How a game ended: "you win: four in a row, after 11 moves".

    Args:
        score: of the person.
        other: the name of the opponent.
        moves: their number.
        resigned: whether the player who lost did.
        rules: the last position; None if the rules cannot be consulted.
    """
    result = "you win" if score > 0 else "you lose" if score < 0 else "draw"
    if resigned:
        how = " (you resigned)" if score < 0 else f" ({other} resigned)"
    else:
        words = ending(rules) if rules is not None and rules.over else ""
        how = words and (f" {words}" if words.startswith("by ") else f": {words}")
    return f"{result}{how}, after {moves} move{'s' * (moves != 1)}"


def tally(scores: Sequence[float]) -> str:
    """How several games ended for the person; empty for one game."""
    if len(scores) < 2:
        return ""
    won, lost = sum(score > 0 for score in scores), sum(score < 0 for score in scores)
    return f"of {len(scores)} games you won {won}, drew {len(scores) - won - lost}, lost {lost}"

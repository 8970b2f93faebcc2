"""What an agent thinks of a position, in the terminal."""

from __future__ import annotations

from rich.console import Console

from muzero.cli.tables import Figures, say_wrapped
from muzero.interactive.thoughts import Thoughts
from muzero.interfaces import Rules

MOST = 12  # moves of the table


def show(console: Console, thoughts: Thoughts, rules: Rules | None, side: str) -> None:
    """A table of the moves, the best first; the line that is expected; and what the position is worth.

    Args:
        console: where it is shown.
        thoughts: of the agent.
        rules: the position; None if the rules cannot be consulted.
        side: the player to move.
    """
    count = thoughts.simulations
    searched = f"{count:,} simulations" if count else "no search: what its network proposes"
    # Without a search nothing was visited, so nothing but the network's proposals is known.
    columns = ["move", "prior", "visits", "value", "chosen"][: None if count else 2]
    drawn = Figures(f"what the agent thinks, for {side} ({searched})", columns)
    for move in thoughts.moves[:MOST]:
        value = "" if move.value is None else f"{move.value:+.2f}"
        row = [move.name, f"{move.prior:.1%}", f"{move.visits:,}", value, f"{move.policy:.1%}"]
        drawn.add_row(*row[: len(columns)])
    rest = thoughts.moves[MOST:]
    if rest:
        prior, policy = (sum(values) for values in zip(*((move.prior, move.policy) for move in rest), strict=True))
        visits = sum(move.visits for move in rest)
        row = [f"{len(rest)} more", f"{prior:.1%}", f"{visits:,}", "", f"{policy:.1%}"]
        drawn.add_row(*row[: len(columns)], style="dim")
    console.print(drawn)
    if count:
        say_wrapped(console, f"expects: {' '.join(line(thoughts, rules))}")
    say_wrapped(console, f"worth to {side}: {thoughts.value:+.2f} (+1 is a win, 0 even, -1 a loss)")


def line(thoughts: Thoughts, rules: Rules | None) -> list[str]:
    """The moves that the agent expects, as far as the rules allow them."""
    found = []
    for name in thoughts.line:
        if rules is not None:
            legal = {rules.name(action): action for action in rules.legal()}
            if name not in legal:
                break
            rules = rules.child(legal[name])
        found.append(name)
    return found

"""A board in the terminal: the last move in brackets and, where the terminal has colours, the two sides in colours."""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

from muzero.games.coordinates import PLAYERS, SENTENCE, marked
from muzero.interfaces import Rules

SIDES = ("bold red", "bold cyan")  # by OpenSpiel's numbers of players
LAST = "reverse"
LABELS = "dim"


def board(console: Console, before: str, rules: Rules) -> Text:
    """The position for a person.

    Args:
        console: where it is shown; without colours, nothing but characters is shown.
        before: the drawing of the position before the last move.
        rules: the position.
    """
    drawn = marked(before, rules.draw())
    if not console.is_terminal or console.no_color or console.color_system is None:
        return Text(drawn)
    whole = Text()
    for number, line in enumerate(drawn.split("\n")):
        whole.append("\n" if number else "")
        whole.append_text(Text(line, style=LABELS) if is_label(line) else pieces(line, rules.game))
    return whole


def is_label(line: str) -> bool:
    """Whether a line names columns, or says something about the position."""
    words = line.split()
    if SENTENCE.search(line) or all(word.isdecimal() for word in words):
        return True
    return len(words) > 1 and words == sorted(set(words)) and all(len(word) == 1 and word.isalpha() for word in words)


def pieces(line: str, game: str) -> Text:
    """A row of the board with its pieces coloured."""
    text = Text(line)
    for side, style in zip(PLAYERS.get(game, ()), SIDES, strict=False):
        pattern = {"upper case": "[A-Z]", "lower case": "[a-z]"}.get(side.rpartition(", ")[2])
        if pattern is None:
            pattern = re.escape(side.rpartition(", ")[2])
        text.highlight_regex(rf"(?<![A-Za-z\d]){pattern}(?![A-Za-z\d])", style)
    text.highlight_regex(r"\[.\]", LAST)
    return text

"""Moves as people type them: by number, by the game's own name, or by a simpler form of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from muzero.games.vertices import actions, vertices
from muzero.interfaces import Rules
from muzero.util.text import nearest

LISTED = 30  # moves that are shown
NEGATIVE = re.compile(r"\s*-\s*\d")  # "-1" is not another form of "1"
TOKENS = re.compile(r"\d+|[^\W\d_]+|[+#=]")


class Typed:
    """What may be typed for the legal moves of a position.

    The exact name comes first, then the number, then what is simpler and means one move only: in either case of
    letters, with other signs between the parts, without the mark of the player in front ("0,1" for "x(0,1)"), or the
    point as in Go ("d4"; of Connect Four the letter of the column suffices).
    """

    def __init__(self, names: Mapping[int, str], rules: Rules | None) -> None:
        """names: of the legal actions.  rules: the position; None if the rules cannot be consulted."""
        self.names = names
        self._exact = {str(action): action for action in names} | {name: action for action, name in names.items()}
        self._simple = simpler(names)
        if rules is not None and vertices(rules):
            self._simple |= {_form(name): action for name, action in actions(rules).items()}

    def action(self, text: str) -> int | None:
        """The move that a text means; None if it means none, or several."""
        if text in self._exact:
            return self._exact[text]
        return None if NEGATIVE.match(text) else self._simple.get(_form(text))

    def listed(self) -> str:
        """The moves for people: "0 = x(0,0), 1 = x(0,1) and 7 more"."""
        each = [name if name == str(action) else f"{action} = {name}" for action, name in self.names.items()]
        return ", ".join(each[:LISTED]) + (f" and {len(each) - LISTED} more" * (len(each) > LISTED))

    def near(self, text: str) -> str | None:
        """The name of a move that was probably meant."""
        return next(iter([] if text.isdecimal() else nearest(text, self.names.values())), None)


def simpler(names: Mapping[int, str]) -> dict[str, int]:
    """Actions by simpler forms of their names, without those that several share."""
    forms = {action: _form(name).split() for action, name in names.items()}
    marked = len({tokens[0] for tokens in forms.values() if tokens}) == 1
    found: dict[str, set[int]] = {}
    for action, tokens in forms.items():
        found.setdefault(" ".join(tokens), set()).add(action)
        # A name of one token, "d", and a point of two, "d 3", is nothing without its first.
        if marked and len(tokens) > 2:
            found.setdefault(" ".join(tokens[1:]), set()).add(action)
    return {form: each.pop() for form, each in found.items() if form and len(each) == 1}


def _form(text: str) -> str:
    """Letters and numbers of a text, apart: "x(0,1)" and "X 0 1" are "x 0 1"."""
    return " ".join(TOKENS.findall(text.lower()))

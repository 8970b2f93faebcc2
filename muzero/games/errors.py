"""What is reported about a game: errors in its name, in its form, and warnings about it."""

from __future__ import annotations

from collections.abc import Iterable

from muzero.interfaces import EnvironmentFault
from muzero.util.text import nearest

LISTING = "muzero-games lists what can be played"


class UnknownGame(ValueError):
    """A name that is not a game, or a game that cannot be played here; the message says why."""


class Unplayable(UnknownGame):
    """A game that is known, but has spaces or a form that cannot be played."""


class WrongForm(EnvironmentFault):
    """An environment has a form that a new game cannot mend, such as a third player; it ends the run at once."""


class EnvironmentWarning(UserWarning):
    """An environment contradicts what it declares, in a way that does not stop its games.

    Warnings of one topic differ only in where it was noticed; a command shows the first.
    """

    def __init__(self, message: str, topic: str) -> None:
        super().__init__(message, topic)
        self.topic = topic

    def __str__(self) -> str:
        return str(self.args[0])


def unknown(kind: str, name: str, names: Iterable[str]) -> UnknownGame:
    """The error for a misspelt name, with the nearest of the names that there are."""
    close = [f"{kind}/{word}" for word in nearest(name, names, 3)]
    hint = f"; nearest: {', '.join(close)}" if close else ""
    if kind != "python":
        hint += f"; {LISTING}"
    return UnknownGame(f"game '{kind}/{name}' is not known{hint}")

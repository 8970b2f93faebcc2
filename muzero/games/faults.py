"""Faults of environments: what counts as one, how it is described, and how many of them end a run."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from muzero.games.torch_settings import environments_own
from muzero.interfaces import EnvironmentFault
from muzero.util.signals import is_interrupt

MOST_BROKEN = 20  # games of one slot that break in a row, without one that ends in between
T = TypeVar("T")
OTHERS = (
    f"{Path(__file__).parent.parent}{os.sep}",
    "site-packages",
    "<",
)  # in the paths of code that is not the user's


class Faults:
    """Counts the games of a batch that broke, and gives up on a slot in which no game reaches its end."""

    def __init__(self, batch: int) -> None:
        self.total = 0
        self.last: str | None = None
        self.in_a_row = [0] * batch  # games that broke since one of the slot ended
        self.pending = False  # whether any slot has broken games that an end would forgive

    def add(self, slot: int, message: str) -> None:
        """Count a game that broke.

        Raises:
            EnvironmentFault: if too many games of this slot broke in a row.
        """
        self.total, self.last, self.pending = self.total + 1, message, True
        self.in_a_row[slot] += 1
        if self.in_a_row[slot] > MOST_BROKEN:
            raise EnvironmentFault(
                f"{self.in_a_row[slot]} games in a row broke before their end; the environment has to be mended. "
                f"The last: {message}"
            )

    def ended(self, slot: int) -> None:
        """Forgive this slot what broke before: one of its games reached its end."""
        self.in_a_row[slot] = 0
        self.pending = any(self.in_a_row)


def describe(error: BaseException) -> str:
    """An exception as one text, with the user's line that raised it: "KeyError: 'x' (envs.py, line 12)".

    Raises:
        KeyboardInterrupt: if the exception is a real Ctrl-C, which is not a fault.
    """
    raise_interrupt(error)
    try:
        text = str(error)
    except BaseException as problem:  # an exception of the user's own can fail to print in any way
        raise_interrupt(problem)
        text = f"(its text cannot be shown: {type(problem).__name__})"
    return f"{type(error).__name__}{f': {text}' if text else ''}{_where(error)}"


def raise_interrupt(error: BaseException) -> None:
    """Raise a real Ctrl-C again: it ends what an environment's exception must not."""
    if is_interrupt(error):
        raise error


def _where(error: BaseException) -> str:
    """The innermost line of the user's own code, if there is any."""
    places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [place for place in places if not any(part in place[0] for part in OTHERS)]
    return f" ({Path(own[-1][0]).name}, line {own[-1][1]})" if own else ""


def attempt(what: str, action: Callable[[], T], *known: type[BaseException]) -> T:
    """Call something of an environment, and turn whatever it raises into an EnvironmentFault.

    `sys.exit()` and other exceptions that are not an Exception are faults too: an environment must not end a run.

    Args:
        what: the beginning of the message: "python/envs:Env cannot be made".
        action: is called without arguments.
        known: exceptions that are explained already, and pass.

    Raises:
        EnvironmentFault: if the action raises.
    """
    try:
        with environments_own():
            return action()
    except BaseException as error:
        if isinstance(error, (EnvironmentFault, *known)):
            raise
        raise EnvironmentFault(f"{what}: {describe(error)}") from error


def truth(value: Any, name: str) -> bool:
    """A flag that an environment returned.

    Raises:
        ValueError: if it is not a bool.
    """
    if isinstance(value, bool | np.bool_) or (
        isinstance(value, np.ndarray) and value.dtype.kind == "b" and not value.ndim
    ):
        return bool(value)
    raise ValueError(f"{name} is {value!r}, expected a bool")

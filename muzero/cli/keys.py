"""Keys that are pressed while a command shows something."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

ESCAPE = "\x1b"


class Keys(Protocol):
    """Reads keys one at a time."""

    def __call__(self, seconds: float) -> str:
        """Wait at most this long for a key; "" if none was pressed.  A key of several characters is its last."""
        ...


@contextmanager
def pressed() -> Iterator[Keys | None]:
    """Read keys without Enter and without echo inside the `with` block; None where standard input is not a terminal."""
    try:
        import termios  # not everywhere
        import tty

        handle = sys.stdin.fileno()
        before = termios.tcgetattr(handle)
    except (ImportError, OSError, ValueError, AttributeError):
        yield None
        return

    def wait(seconds: float) -> str:
        if not select.select([handle], [], [], max(seconds, 0.0))[0]:
            return ""
        read = os.read(handle, 32).decode("utf-8", "replace")
        return read[-1:] or "q"  # the terminal is gone

    try:
        tty.setcbreak(handle)  # Ctrl-C still interrupts
        yield wait
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)

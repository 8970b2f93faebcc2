"""Signals that ask a run to stop."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt(KeyboardInterrupt):
    """The user's Ctrl-C, inside `marked_interrupts`."""


@contextmanager
def marked_interrupts() -> Iterator[None]:
    """Make Ctrl-C raise `Interrupt`, so that it differs from a KeyboardInterrupt that an environment raises."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored, or handled in another way
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(number: int, frame: Any) -> None:
    raise Interrupt


def is_interrupt(error: BaseException) -> bool:
    """Whether an exception is the user's Ctrl-C, not a KeyboardInterrupt that an environment raised itself.

    Where Python's own handler is installed the two look the same, and the exception counts as a Ctrl-C.
    """
    default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return isinstance(error, Interrupt) or (isinstance(error, KeyboardInterrupt) and default)


class Stop:
    """One signal asks to stop; a second ends the process, with the last checkpoint as it is."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """wake: called with the first signal, from its handler."""
        self.number: int | None = None  # of the signal that asks to stop
        self.woken = threading.Event()  # set with it
        self.wake = wake
        self.leave: Callable[[], None] = lambda: None  # called before a second signal ends the process

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle signals inside the `with` block."""
        # What is ignored stays ignored: that is how nohup says that a run outlives its terminal.
        taken = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        handlers = {number: signal.signal(number, self._take) for number in taken}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _take(self, number: int, frame: Any) -> None:
        if self.number is not None:
            self.leave()
            os._exit(128 + number)
        self.number = number
        self.woken.set()
        self.wake()

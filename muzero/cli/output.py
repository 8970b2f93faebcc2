"""Standard output and standard error as a run needs them: writing never fails."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import Any, TextIO


def occupy() -> None:
    """Take the numbers of standard files that are closed, or the next file opened would get what is printed."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)


class Outlet(io.TextIOBase):
    """A stream whose reader may leave.  What is written after that goes nowhere, and the work goes on."""

    def __init__(self, stream: TextIO | None) -> None:
        """stream: None where it was closed before the program began."""
        self.stream = stream
        self.broken: Exception | None = None  # what the first failed write said
        # What an encoding lacks is spelt out, and no reason to end.
        with suppress(AttributeError, OSError, ValueError):
            self.stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the stream."""
        return getattr(self.stream, "encoding", None) or "utf-8"

    @property
    def buffer(self) -> Any:
        """Of the stream, for those who write bytes, at their own risk."""
        return getattr(self.stream, "buffer", None)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.broken is None and self.stream is not None and self.stream.isatty()

    def fileno(self) -> int:
        if self.stream is None:
            raise io.UnsupportedOperation("fileno")
        return self.stream.fileno()

    def write(self, text: str) -> int:
        if self.stream is not None and self.broken is None:
            try:
                self.stream.write(text)
            except (OSError, ValueError) as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        if self.stream is not None and self.broken is None:
            try:
                self.stream.flush()
            except (OSError, ValueError) as error:
                self._give_up(error)

    finish = flush

    def close(self) -> None:
        """Flush; the stream belongs to the program."""
        self.flush()

    def _give_up(self, error: Exception) -> None:
        """Let what waits in buffers, and what other libraries write, go nowhere."""
        self.broken = error
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)

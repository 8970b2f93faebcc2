"""Standard output and standard error as a run needs them: writing never fails."""

from __future__ import annotations

import errno
import io
import os
from contextlib import suppress
from typing import Any, TextIO


def occupy() -> None:
    """Open /dev/null in place of standard files that are closed, so that no other file receives what is printed."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)


class Outlet(io.TextIOBase):
    """A stream whose reader may leave: what is written after that is dropped, and the work continues."""

    def __init__(self, stream: TextIO | None) -> None:
        """Wrap a stream; None stands for one that was closed before the program began."""
        self.stream = stream
        self.broken: Exception | None = None  # the error of the first failed write
        self.terminal = self.isatty()
        # A character that the encoding lacks is written as an escape sequence; it does not end the program.
        with suppress(AttributeError, OSError, ValueError):
            self.stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]

    @property
    def incomplete(self) -> OSError | None:
        """Why the reader of the output did not get all of it; None if it did, or if the output has no reader."""
        error = self.broken
        if not isinstance(error, OSError) or isinstance(error, ConnectionError) or error.errno == errno.EBADF:
            return None
        return None if self.terminal and error.errno == errno.EIO else error

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream."""
        return getattr(self.stream, "encoding", None) or "utf-8"

    @property
    def buffer(self) -> Any:
        """The stream's buffer of bytes; writing to it can fail."""
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
        """Drop what waits in buffers and what other libraries write."""
        self.broken = error
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)

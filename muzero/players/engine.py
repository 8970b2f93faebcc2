"""A program that plays, as a child process that reads and writes lines."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import time
import weakref
from collections.abc import Iterable, Iterator

from muzero.interfaces import PlayerError
from muzero.util.text import printable

PATIENCE = 300.0  # seconds for an answer
GOODBYE = 2.0  # seconds that an engine has to end by itself
LONGEST = 16 << 20  # bytes of an answer
TAIL = 10_000  # bytes of the error output that are kept
CHUNK = 1 << 16  # bytes of one read


class Engine:
    """A child process.  Its failures become a PlayerError with the last line of its error output.

    An answer is bounded in time and in size, so an engine that is silent, or that never stops writing, is an error.
    """

    def __init__(self, command: str, patience: float = PATIENCE) -> None:
        """Start the engine.

        Args:
            command: words as in a shell; they are not run by a shell.
            patience: seconds for an answer.

        Raises:
            PlayerError: if it cannot be started.
        """
        self.command, self.patience = command, patience
        self._output = bytearray()  # what the engine wrote and `line` has not returned yet
        self._errors = b""
        self._deadline, self._budget = 0.0, 0  # of the answer that is awaited: clock time, and bytes that are left
        try:
            # In a session of its own: Ctrl-C reaches this process alone, which then asks the engine to end.
            self._process = subprocess.Popen(
                shlex.split(command) or [""],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise PlayerError(
                f"{printable(command)!r} cannot be started: {error}; give the command of an engine"
            ) from None
        self._finalizer = weakref.finalize(self, _end, self._process)
        self._to, self._from, self._log = (stream.fileno() for stream in _streams(self._process))
        for file in (self._to, self._from, self._log):
            os.set_blocking(file, False)
        self._open = {self._from, self._log}  # files of the engine's output that have not ended

    def send(self, lines: Iterable[str]) -> None:
        """Write lines, and start the time of their answer.

        Raises:
            PlayerError: if the engine has ended, or does not read.
        """
        self._deadline, self._budget = time.monotonic() + self.patience, LONGEST
        waiting = "".join(f"{line}\n" for line in lines).encode()
        while waiting:
            waiting = waiting[self._exchange(waiting) :]

    def line(self) -> str:
        """The next line, without its end.

        Raises:
            PlayerError: if the engine has ended, or its answer takes too long or is too large.
        """
        while (end := self._output.find(b"\n")) < 0:
            if self._from not in self._open:
                raise self.error("has ended")
            self._exchange(b"")
        line = bytes(self._output[:end])
        del self._output[: end + 1]
        return line.decode(errors="replace").rstrip("\r")

    def _exchange(self, waiting: bytes) -> int:
        """Wait until the engine writes, or reads some of what waits for it.

        Both at once: an engine that waits until its output is read does not read its input meanwhile.

        Returns:
            number of bytes that the engine's pipe took.

        Raises:
            PlayerError: if the engine has ended, or the answer's time or size is used up.
        """
        poll = select.poll()
        for file in self._open:
            poll.register(file, select.POLLIN)
        if waiting:
            poll.register(self._to, select.POLLOUT)
        seconds = self._deadline - time.monotonic()
        ready = dict(poll.poll(max(seconds, 0.0) * 1000))
        if not ready or seconds <= 0:  # an engine that never stops writing is always ready
            raise self.error(f"has not answered within {self.patience:g} s")
        for file in self._open & ready.keys():
            self._read(file)
        if self._to not in ready:
            return 0
        try:
            return os.write(self._to, waiting)
        except BlockingIOError:
            return 0
        except OSError:
            raise self.error("has ended") from None

    def _read(self, file: int) -> None:
        """Take in what the engine wrote to one of its two outputs."""
        try:
            found = os.read(file, CHUNK)
        except BlockingIOError:
            return
        if not found:
            self._open.discard(file)
        elif file == self._log:
            self._errors = (self._errors + found)[-TAIL:]
        else:
            self._output += found
            self._budget -= len(found)
            if self._budget < 0:
                raise self.error(f"has written more than {LONGEST:,} bytes in one answer")

    def error(self, what: str) -> PlayerError:
        """An error that names the engine, with the last line of its error output."""
        if self._log in self._open:
            self._read(self._log)
        last = self._errors.decode(errors="replace").strip().split("\n")[-1]
        return PlayerError(
            f"{printable(self.command)!r} {what}" + (f"; it said: {printable(last, 200)}" if last else "")
        )

    @contextlib.contextmanager
    def closed_on_error(self) -> Iterator[None]:
        """Close the engine if what is done with it raises."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process: ask it to, then kill it with its children."""
        self._finalizer()


def _streams(process: subprocess.Popen[bytes]) -> list:
    """The child's input, output and error output."""
    return [stream for stream in (process.stdin, process.stdout, process.stderr) if stream is not None]


def _end(process: subprocess.Popen[bytes]) -> None:
    entrance, *exits = _streams(process)
    with contextlib.suppress(OSError, ValueError):
        entrance.write(b"quit\n")
    with contextlib.suppress(OSError):
        entrance.close()
    try:
        process.wait(GOODBYE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in exits:
        stream.close()


def parts(argument: str) -> tuple[str, list[str]]:
    """Split "gnugo --mode gtp; komi 5.5" into the engine's command, and commands to send to it."""
    command, *more = (part.strip() for part in argument.split(";"))
    return command, [part for part in more if part]

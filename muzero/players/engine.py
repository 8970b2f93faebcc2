"""A program that plays, as a child process that is spoken to line by line."""

from __future__ import annotations

import contextlib
import queue
import shlex
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Iterable

from muzero.interfaces import PlayerError
from muzero.util.text import printable

PATIENCE = 300.0  # seconds until an engine that says nothing is given up
GOODBYE = 2.0  # seconds that an engine has to end by itself


class Engine:
    """A child process; whatever goes wrong with it becomes a PlayerError that says what it said last."""

    def __init__(self, command: str, patience: float = PATIENCE) -> None:
        """command: as in a shell, which however is not used.

        Raises:
            PlayerError: if it cannot be started.
        """
        self.command, self.patience = command, patience
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the engine lives)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        try:
            words = shlex.split(command)
            # In a session of its own: Ctrl-C is for us, who then ask it to end.
            self._process = subprocess.Popen(
                words or [""],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise PlayerError(
                f"{printable(command)!r} cannot be started: {error}; give the command of an engine"
            ) from None
        threading.Thread(target=_read, args=(self._process.stdout, self._lines), daemon=True).start()
        self._finalizer = weakref.finalize(self, _end, self._process)

    def send(self, lines: Iterable[str]) -> None:
        """Write lines."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("".join(f"{line}\n" for line in lines))
            self._process.stdin.flush()
        except (OSError, ValueError):
            raise self.error("has ended") from None

    def line(self) -> str:
        """The next line, without its end.

        Raises:
            PlayerError: if the engine has ended, or says nothing for too long.
        """
        try:
            found = self._lines.get(timeout=self.patience)
        except queue.Empty:
            raise self.error(f"has said nothing for {self.patience:g} s") from None
        if found is None:
            self._lines.put(None)
            raise self.error("has ended")
        return found

    def error(self, what: str) -> PlayerError:
        """An error that names the engine, with the last line that it wrote for people."""
        self._errors.seek(0)
        said = self._errors.read()[-10_000:].decode(errors="replace").strip().split("\n")[-1]
        return PlayerError(
            f"{printable(self.command)!r} {what}" + (f"; it said: {printable(said, 200)}" if said else "")
        )

    def close(self) -> None:
        """End the child."""
        self._finalizer()


def _read(stream: Iterable[str], lines: queue.SimpleQueue[str | None]) -> None:
    with contextlib.suppress(OSError, ValueError):
        for line in stream:
            lines.put(line.rstrip("\r\n"))
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(OSError, ValueError):
        assert process.stdin is not None
        process.stdin.write("quit\n")
        process.stdin.close()
    try:
        process.wait(GOODBYE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def parts(argument: str) -> tuple[str, list[str]]:
    """ "gnugo --mode gtp; komi 5.5" -> the engine's command, and what to tell it at the start of games."""
    command, *more = (part.strip() for part in argument.split(";"))
    return command, [part for part in more if part]

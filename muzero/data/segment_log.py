"""An append-only log of segments: the replay as it lies on disk.

A process that dies loses nothing that `append` returned for; a computer that loses power loses the last second.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from muzero.data.schema import Segment
from muzero.data.segment_format import FRAME, Damaged, Layout, frame, records, unframe
from muzero.interfaces import GameSpec
from muzero.util.files import FULL, open_regular, sync

NAME = re.compile(r"(\d{8})\.log")
MOST_HEADER = 1 << 16  # bytes of a file's first record
SYNC_EVERY = 1.0  # seconds


class LogError(Exception):
    """A log cannot be used: it is of another game, or was changed by another program."""


class Position(NamedTuple):
    """A place between two records."""

    file: int
    offset: int


class SegmentLog:
    """A folder of records.  One process at a time may open it; its own threads may use it together."""

    def __init__(self, folder: Path, spec: GameSpec, candidates: int = 0, file_bytes: int = 64 << 20) -> None:
        """Open a log, and create it if needed; an unfinished record at its end is removed.

        Args:
            folder: of its files.
            spec: of the game.
            candidates: actions that the planner weighs in a position, see `schema.columns`.
            file_bytes: size from which on the next record begins a new file.

        Raises:
            LogError: if it is of another game or another format.
        """
        self.folder, self.file_bytes = folder, file_bytes
        self.layout = Layout(spec, candidates)
        self.damaged = 0  # places at which records had to be skipped
        self.torn = 0  # bytes cut off when opened
        self.sync_error: OSError | None = None  # why the last fsync failed, until one works
        self.sync_failures = 0
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.unsynced: set[Path] = set()
        self.known: set[int] = set()  # files that must be there
        self.closed = False
        folder.mkdir(parents=True, exist_ok=True)
        for number in (files := self.files()):
            self._check_header(number)
            self.known.add(number)
        if files:
            self._open(files[-1])
            self._cut_torn()
        else:
            self._begin(1)
        self.flusher = threading.Thread(target=self._sync_in_time, name="segment log", daemon=True)
        self.flusher.start()

    # --- files ---------------------------------------------------------------------------------------------------

    def files(self) -> list[int]:
        """Numbers of the files, ascending."""
        found = (NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(name.group(1)) for name in found if name)

    def path(self, number: int) -> Path:
        """Path of the file with this number."""
        return self.folder / f"{number:08d}.log"

    def _open(self, number: int, flags: int = 0) -> None:
        try:
            handle = open_regular(self.path(number), os.O_RDWR | flags, 0o600)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise LogError(f"{self.path(number)} cannot be opened: {error.strerror}") from error
        self.known.add(number)
        self.handle, self.number, self.end = handle, number, os.fstat(handle).st_size

    def _begin(self, number: int) -> None:
        """Create a file with its header, or no file if that fails."""
        self._open(number, os.O_CREAT | os.O_TRUNC)
        self.end = 0
        try:
            self._write(frame(self.layout.header))
        except OSError:
            os.close(self.handle)
            self.path(number).unlink()
            self.known.discard(number)
            raise
        self.unsynced.add(self.folder)

    def _check_header(self, number: int) -> None:
        """Refuse a file of another game.  With a damaged header it passes: its records are checked anyway."""
        try:
            with os.fdopen(open_regular(self.path(number)), "rb") as file:
                text = file.read(MOST_HEADER)
        except OSError as error:
            raise LogError(f"{self.path(number)} cannot be opened: {error.strerror}") from error
        try:
            payload, _ = unframe(text, 0, MOST_HEADER)
        except Damaged:
            return
        if payload not in self.layout.headers:
            there = payload.decode("utf-8", "replace")
            raise LogError(f"{self.path(number)} is a log of {there}, expected {self.layout.header.decode()}")

    def _cut_torn(self) -> None:
        text, good = self.path(self.number).read_bytes(), 0
        for offset, payload in records(text, 0, self.layout.most_bytes, []):
            good = offset + FRAME.size + len(payload)
        if good == 0:  # not even a header
            os.close(self.handle)
            self._begin(self.number)
        else:
            self._truncate(good)
        self.torn = len(text) - good

    def _truncate(self, size: int) -> None:
        os.ftruncate(self.handle, size)
        self.end = size

    # --- writing -------------------------------------------------------------------------------------------------

    @property
    def position(self) -> Position:
        """Position of the next record."""
        return Position(self.number, self.end)

    def append(self, segment: Segment, payload: bytes | None = None) -> Position:
        """Write a segment to the end of the log.  Returns the position after it.

        payload: the segment as `Layout.pack` gives it, if it was packed already.

        Raises:
            OSError: if the disk is full; the log is as it was before.
        """
        record = frame(self.layout.pack(segment) if payload is None else payload)
        with self.lock:
            if self.end >= self.file_bytes:
                before, number = self.handle, self.number
                try:
                    self._begin(number + 1)
                except OSError:
                    self._open(number)
                    raise
                finally:
                    os.close(before)
            self._write(record)
            return self.position

    def _write(self, record: bytes) -> None:
        try:
            done = 0
            while done < len(record):
                done += os.pwrite(self.handle, record[done:], self.end + done)
        except OSError:
            os.ftruncate(self.handle, self.end)
            raise
        self.end += len(record)
        with self.lock:
            self.unsynced.add(self.path(self.number))
            self.changed.notify_all()

    def sync(self) -> None:
        """Flush appended records to disk (fsync).

        Raises:
            OSError: if it cannot.
        """
        with self.lock:
            waiting, self.unsynced = self.unsynced, set()
        for path in waiting:
            try:
                sync(path)
            except FileNotFoundError:  # dropped meanwhile
                continue
            except OSError:
                with self.lock:
                    self.unsynced |= waiting
                raise

    def _sync_in_time(self) -> None:
        while True:
            with self.lock:
                self.changed.wait_for(lambda: self.unsynced or self.closed)
                if self.closed:
                    return
                self.changed.wait_for(lambda: self.closed, SYNC_EVERY)
            try:
                self.sync()
                self.sync_error = None
            except OSError as error:
                self.sync_error, self.sync_failures = error, self.sync_failures + 1

    def close(self) -> None:
        """Flush appended records to disk and close the file."""
        with self.lock:
            if self.closed:
                return
            self.closed = True
            self.changed.notify_all()
        self.sync()
        with suppress(
            OSError
        ):  # where an environment closed the descriptor, the error of the last append is the one to see
            os.close(self.handle)

    # --- forgetting ----------------------------------------------------------------------------------------------

    def holds(self, position: Position) -> bool:
        """Whether the log reaches to a position."""
        path = self.path(position.file)
        return path.is_file() and 0 <= position.offset <= path.stat().st_size

    def lost(self) -> list[Path]:
        """Files that were removed or replaced by something other than this log."""
        with self.lock:
            gone = [self.path(number) for number in sorted(self.known) if not self.path(number).is_file()]
            written = self.path(self.number)
            if written not in gone and written.stat().st_ino != os.fstat(self.handle).st_ino:
                gone.append(written)
            return gone

    def rewind(self, position: Position) -> None:
        """Remove all records from a position on.

        Raises:
            LogError: if the position does not lie between two records of this log.
        """
        with self.lock:
            begins = self.holds(position) and position.offset in {0, *self._boundaries(position.file)}
            if not begins:
                raise LogError(f"{self.folder}: {position} does not lie between two records")
            for number in reversed(self.files()):  # the last first: a crash in the middle leaves no gap
                if number > position.file:
                    self.path(number).unlink()
                    self.known.discard(number)
            os.close(self.handle)
            self._open(position.file)
            self._truncate(position.offset)
            self.unsynced |= {self.path(position.file), self.folder}

    def _boundaries(self, number: int) -> Iterator[int]:
        for offset, payload in records(self.path(number).read_bytes(), 0, self.layout.most_bytes, []):
            yield offset + FRAME.size + len(payload)

    def drop_before(self, number: int) -> None:
        """Remove the files with lower numbers."""
        with self.lock:
            for found in self.files():
                if found < min(number, self.number):
                    self.path(found).unlink()
                    self.known.discard(found)

    # --- reading -------------------------------------------------------------------------------------------------

    def scan(self, start: Position | None = None) -> Iterator[tuple[Position, Segment]]:
        """The segments from a position on, each with the place where its record begins.

        Damaged records are skipped and counted in `damaged`.  A file at a time is held in memory.
        """
        for number in self.files():
            if start is not None and number < start.file:
                continue
            text = self.path(number).read_bytes()
            offset = start.offset if start is not None and number == start.file else 0
            problems: list[int] = []
            for place, payload in records(text, offset, self.layout.most_bytes, problems):
                if place == 0 and payload in self.layout.headers:
                    continue
                try:
                    yield Position(number, place), self.layout.unpack(payload)
                except Damaged:
                    problems.append(place)
            self.damaged += len(problems)

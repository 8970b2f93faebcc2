"""Files that grow by rows: each row is written completely or not at all, and links are never followed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from muzero.util.files import open_regular, read_regular

MOST = 1 << 30  # bytes of a file that is read


class Rows:
    """An append-only file that a run keeps open: a full disk costs rows, never the run."""

    def __init__(self, path: Path) -> None:
        """Open the file, made if needed.

        Raises:
            OSError: if it is not a regular file, or cannot be written to.
        """
        self.handle = open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.dropped = 0  # rows that could not be written

    def add(self, row: bytes) -> bool:
        """Add a row; false, and counted, if it cannot be written now."""
        try:
            self.write(row)
        except OSError:
            self.dropped += 1
            return False
        return True

    def write(self, row: bytes) -> None:
        """Add a row.

        Raises:
            OSError: if it cannot be written; the file is as it was before.
        """
        before = os.fstat(self.handle).st_size
        try:
            done = 0
            while done < len(row):
                done += os.write(self.handle, row[done:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(self.handle, before)  # the part of the row that was written
            raise

    def close(self) -> None:
        """Close the file; rows that come later are dropped."""
        with suppress(OSError):
            os.close(self.handle)
        self.handle = -1


def encoded(row: Mapping[str, Any]) -> bytes:
    """A row as a line of JSON."""
    return (json.dumps(row) + "\n").encode()


def append(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to a file of JSON lines, made if needed.

    Raises:
        OSError: if that is impossible; complete rows may have been added.
    """
    file = Rows(path)
    try:
        for row in rows:
            file.write(encoded(row))
    finally:
        file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines, without lines that are not JSON objects; none where it cannot be read."""
    try:
        text = read_regular(path, MOST).decode("utf-8", "replace")
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            found.append(row)
    return found

"""Files of rows that a run adds to while it learns: a full disk costs rows, never the run."""

from __future__ import annotations

import io
import json
import os
import socket
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

_number = count()  # of the events files of this process


class Rows:
    """A file that rows are added to, each whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("ab", buffering=0)  # no row waits in a buffer that a full disk would tear
        self.dropped = 0

    def add(self, row: bytes) -> bool:
        """Add a row; false if there is no room for it now."""
        before = None
        try:
            before = os.fstat(self.file.fileno()).st_size
            if self.file.write(row) == len(row):
                return True
        except (OSError, ValueError):
            pass
        if before is not None:
            with suppress(OSError, ValueError):
                self.file.truncate(before)  # of a part of the row
        self.dropped += 1
        return False

    def close(self) -> None:
        """The end of the file."""
        with suppress(OSError):
            self.file.close()


class Metrics:
    """`metrics.jsonl`, and the same figures as TensorBoard events.

    TensorBoard's own writer leaves the writing to a thread, which a full disk ends with a traceback and for good.
    """

    def __init__(self, folder: Path) -> None:
        self.rows = Rows(folder / "metrics.jsonl")
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_number)}"
        self.events = Rows(folder / name)
        self.events.add(_event(file_version="brain.Event:2"))

    @property
    def dropped(self) -> int:
        """Rows that are missing from one of the files."""
        return self.rows.dropped + self.events.dropped

    def add(self, head: dict[str, Any], values: dict[str, Any]) -> None:
        """One row.  The head is its place, with the steps so far; the values are numbers."""
        self.rows.add((json.dumps(head | values) + "\n").encode())
        figures = [{"tag": name, "simple_value": float(value)} for name, value in values.items()]
        self.events.add(_event(step=head["steps"], summary={"value": figures}))

    def close(self) -> None:
        """The end of both files."""
        self.rows.close()
        self.events.close()


def _event(**fields: Any) -> bytes:
    """An event as TensorBoard's files hold it: with its length and checksums."""
    from tensorboard.compat.proto import event_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    buffer = io.BytesIO()
    RecordWriter(buffer).write(event_pb2.Event(wall_time=time.time(), **fields).SerializeToString())  # type: ignore[attr-defined]
    return buffer.getvalue()

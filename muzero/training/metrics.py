"""The figures of a run in files, while it learns: a full disk costs rows, never the run."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from muzero.runs.folder import RunFolder
from muzero.runs.json_lines import Rows, encoded

TAGS = {
    "self_play_score": "1_score/exploring",
    "self_play_length": "1_score/episode_length",
    "steps_per_second": "3_speed/steps_per_second",
    "updates_per_second": "3_speed/updates_per_second",
    "cpu_seconds": "3_speed/cpu_seconds",
    "learner_waits": "3_speed/learner_waits",
    "environment_faults": "faults/environment_faults",
    "rejected_segments": "faults/rejected_segments",
    "skipped_updates": "faults/skipped_updates",
    "recoveries": "faults/recoveries",
    "checkpoint_failures": "faults/checkpoint_failures",
}
GROUPS = {"evaluation": "1_score/greedy", "loss": "2_loss", "actors": "pool", "orders": "pool_orders"}

SPREAD = "spread"  # group of the histograms
BINS = 30
NOTHING: Mapping[str, np.ndarray] = MappingProxyType({})

_number = count()  # of the events files of this process


class Metrics:
    """`metrics.jsonl`, and the same figures as TensorBoard events.

    TensorBoard's own writer writes in a thread, which a full disk ends with a traceback, for the rest of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.rows = Rows(RunFolder(folder).metrics)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_number)}"
        self.events = Rows(folder / name)
        self.events.add(_event(file_version="brain.Event:2"))

    @property
    def dropped(self) -> int:
        """Rows that are missing from one of the files."""
        return self.rows.dropped + self.events.dropped

    def add(self, head: dict[str, Any], values: dict[str, Any], spreads: Mapping[str, np.ndarray] = NOTHING) -> None:
        """Add a row.

        Args:
            head: its place, with the steps so far.
            values: numbers.
            spreads: numbers of which TensorBoard shows histograms; `metrics.jsonl` has none.
        """
        self.rows.add(encoded(head | values))
        figures = [{"tag": tag(name), "simple_value": float(value)} for name, value in values.items()]
        figures += [{"tag": f"{SPREAD}/{name}", "histo": histogram(spread)} for name, spread in spreads.items()]
        self.events.add(_event(step=head["steps"], summary={"value": figures}))

    def close(self) -> None:
        """Close metrics.jsonl and the events of TensorBoard; further rows are dropped."""
        self.rows.close()
        self.events.close()


def tag(name: str) -> str:
    """The tag in TensorBoard of a value in `metrics.jsonl`.

    TensorBoard sorts tags by name, so the digits put first what says whether a run learns.
    """
    if name in TAGS:
        return TAGS[name]
    group, slash, rest = name.partition("/")
    if group in GROUPS and slash:
        return f"{GROUPS[group]}/{rest}"
    return name if slash else f"other/{name}"


def histogram(numbers: np.ndarray) -> dict[str, Any]:
    """Finite numbers as the histogram of an event."""
    found = np.asarray(numbers, np.float64)
    found = found[np.isfinite(found)]
    counts, limits = np.histogram(found, BINS)
    moments = {"min": found.min(initial=np.inf), "max": found.max(initial=-np.inf), "num": found.size}
    moments |= {"sum": found.sum(), "sum_squares": np.square(found).sum()}
    return moments | {"bucket_limit": limits[1:].tolist(), "bucket": counts.tolist()}


def _event(**fields: Any) -> bytes:
    """An event as TensorBoard's files hold it: with its length and checksums."""
    from tensorboard.compat.proto import event_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    event = event_pb2.Event(wall_time=time.time(), **fields)  # type: ignore[attr-defined]
    buffer = io.BytesIO()
    RecordWriter(buffer).write(event.SerializeToString())
    return buffer.getvalue()

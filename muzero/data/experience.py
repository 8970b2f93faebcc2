"""Writes segments to the log, then to the replay: a segment counts as received once it is in the log."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from muzero.data.limits import Limits
from muzero.data.replay import Replay
from muzero.data.schema import Segment
from muzero.data.segment_log import LogError, Position, SegmentLog
from muzero.runs.checkpoint import CheckpointError
from muzero.util.failpoints import failpoint


@dataclass
class Ledger:
    """How many segments came in, and what became of them."""

    submitted: int = 0  # without duplicates
    acknowledged: int = 0  # in the log and the replay
    failed: int = 0  # played with weights too old to learn from
    duplicates: int = 0  # second copies


class Experience:
    """A replay, the log that it is restored from, and segments that wait until the disk has room."""

    def __init__(self, replay: Replay, log: SegmentLog, limits: Limits | None = None) -> None:
        """limits: count the rewards and returns that the model cannot express."""
        self.replay, self.log, self.limits = replay, log, limits or Limits({})
        self.ledger = Ledger()
        self.waiting: deque[tuple[Segment, bytes | None]] = deque()
        self.error: OSError | None = None  # why segments wait

    def receive(
        self, segments: Iterable[Segment | bytes], usable: Callable[[int], bool] = lambda version: True
    ) -> bool:
        """Log and store segments; false if the disk has no room and some wait.

        Args:
            segments: segments, or records of them in the format of the log.
            usable: whether segments played with weights of a version may be learned from.

        Raises:
            ValueError: if a segment fails validation.
        """
        for found in segments:
            segment, record = (found, None) if isinstance(found, Segment) else (self.log.layout.unpack(found), found)
            self.replay.check(segment)  # first: what is in the log comes back with every resume
            self.ledger.submitted += 1
            if usable(segment.version):
                self.limits.see(segment)
                self.waiting.append((segment, record))
            else:
                self.ledger.failed += 1
        return self.write()

    def write(self) -> bool:
        """Log and store what waits; false if the disk has no room, and no new segments should be made."""
        while self.waiting:
            segment, record = self.waiting[0]
            if self.replay.has(segment.id):
                self.ledger.duplicates += 1
                self.ledger.submitted -= 1
            else:
                mark = self.log.position
                try:
                    failpoint("log.before_append")
                    self.log.append(segment, record)
                except OSError as error:
                    self.error = error
                    return False
                failpoint("log.after_append")
                self.ledger.acknowledged += 1
                self.replay.add(segment, mark)
            self.waiting.popleft()
        self.error = None
        return True

    @property
    def empty(self) -> bool:
        """Whether the log holds no segment."""
        return next(self.log.scan(), None) is None

    def counts(self) -> dict[str, float]:
        """What happened so far, as metrics; the balance is 0 unless a segment was lost without being noticed."""
        ledger, in_flight = self.ledger, len(self.waiting)
        return {
            "segments/submitted": ledger.submitted,
            "segments/acknowledged": ledger.acknowledged,
            "segments/failed": ledger.failed,
            "segments/in_flight": in_flight,
            "segments/duplicates": ledger.duplicates,
            "segments/balance": ledger.submitted - ledger.acknowledged - ledger.failed - in_flight,
            "replay/duplicates": self.replay.duplicates,
            "log/damaged_records": self.log.damaged,
            "log/torn_bytes": self.log.torn,
            "log/sync_failures": self.log.sync_failures,
            **self.limits.counts(),
        }

    def messages(self) -> list[str]:
        """What the user should know of the log and the experience in it; repeated as long as it is true.

        What `Limits` reports is reported once.
        """
        log, found = self.log, []
        if log.torn:
            found.append(f"{log.folder}: an unfinished record of {log.torn:,} bytes at the end was removed")
        if log.damaged:
            found.append(f"{log.folder}: damaged in {log.damaged:,} places; the segments there are lost")
        if (error := log.sync_error) is not None:
            found.append(f"{log.folder} cannot be flushed to the disk ({error}): a power failure would lose experience")
        return found + self.limits.messages()

    @property
    def oldest(self) -> Position:
        """Position of the first record that the replay needs."""
        found = self.replay.oldest
        return found[1] if found else self.log.position

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and plain values for `restore`; the segments themselves stay in the log."""
        arrays, values = self.replay.state()
        values["log"] = {"oldest": list(self.oldest), "end": list(self.log.position)}
        return arrays, values | {"ledger": vars(self.ledger).copy()}

    def require(self, values: dict[str, Any]) -> None:
        """Check that the log holds the segments of a state.

        Raises:
            CheckpointError: saying what is missing.
        """
        for position in (Position(*values["log"]["oldest"]), Position(*values["log"]["end"])):
            if not self.log.holds(position):
                place = f"{self.log.path(position.file).name} up to byte {position.offset:,}"
                raise CheckpointError(f"{self.log.folder} does not hold {place}, which the checkpoint needs")

    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> int:
        """Take over a state.  Returns how many rows are missing because their segments are damaged."""
        oldest, end = Position(*values["log"]["oldest"]), Position(*values["log"]["end"])
        missing = self.replay.restore(arrays, values, takewhile(lambda found: found[0] < end, self.log.scan(oldest)))
        self.ledger = Ledger(**values["ledger"])
        self.end = end
        return missing

    def tail_incarnation(self, values: dict[str, Any]) -> int:
        """An incarnation above all that played after a state."""
        end = Position(*values["log"]["end"])
        return 1 + max((segment.id.incarnation for _, segment in self.log.scan(end)), default=-1)

    def forget_tail(self) -> None:
        """Remove from the log what was played after the restored state: it is about to be played again."""
        try:
            self.log.rewind(self.end)
        except LogError as error:
            raise CheckpointError(str(error)) from error

    def keep_tail(self) -> int:
        """Store what was played after the restored state.  Returns its number of segments."""
        count = 0
        for mark, segment in self.log.scan(self.end):
            if self.replay.add(segment, mark):
                count += 1
        self.ledger.submitted += count
        self.ledger.acknowledged += count
        return count

    def close(self) -> None:
        """Flush and close the log."""
        self.log.close()

"""The way of experience from actors to the replay: a segment counts as received once it is in the log."""

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
    """Where the segments are that actors were asked for.  A duplicate is a second copy of one acknowledged.

    Failed are those that came too late to be learned from.
    """

    submitted: int = 0
    acknowledged: int = 0
    failed: int = 0
    duplicates: int = 0


class Experience:
    """A replay, the log that it is made from after a restart, and what still waits to be written."""

    def __init__(self, replay: Replay, log: SegmentLog, limits: Limits | None = None) -> None:
        """limits: count the rewards and returns that the model cannot express."""
        self.replay, self.log, self.limits = replay, log, limits or Limits({})
        self.ledger = Ledger()
        self.waiting: deque[tuple[Segment, bytes | None]] = deque()
        self.error: OSError | None = None  # why segments wait

    def receive(
        self, segments: Iterable[Segment | bytes], usable: Callable[[int], bool] = lambda version: True
    ) -> bool:
        """Log segments and store them; false where the disk takes no more, and they wait.

        segments: or the records of them, in the format of the log.
        usable: says of the version of weights that played whether it is too old to learn from.

        Raises:
            ValueError: if one does not hold.
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
        """Log and store what waits.  False where the disk takes no more: nobody should make new segments then."""
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
        """Where the log begins that the replay is made from."""
        found = self.replay.oldest
        return found[1] if found else self.log.position

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and plain values from which `restore` makes the same; the segments themselves stay in the log."""
        arrays, values = self.replay.state()
        values["log"] = {"oldest": list(self.oldest), "end": list(self.log.position)}
        return arrays, values | {"ledger": vars(self.ledger).copy()}

    def require(self, values: dict[str, Any]) -> None:
        """Refuse a state whose segments the log does not have.

        Raises:
            CheckpointError: saying what is missing.
        """
        for position in (Position(*values["log"]["oldest"]), Position(*values["log"]["end"])):
            if not self.log.holds(position):
                raise CheckpointError(f"{self.log.folder} does not hold {position}, which the checkpoint needs")

    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> int:
        """Become what had this state.  Returns how many rows are missing because their segments are damaged."""
        oldest, end = Position(*values["log"]["oldest"]), Position(*values["log"]["end"])
        missing = self.replay.restore(arrays, values, takewhile(lambda found: found[0] < end, self.log.scan(oldest)))
        self.ledger = Ledger(**values["ledger"])
        self.end = end
        return missing

    def tail_incarnation(self) -> int:
        """A number above those of the actors that played after the state restored."""
        return 1 + max((segment.id.incarnation for _, segment in self.log.scan(self.end)), default=-1)

    def forget_tail(self) -> None:
        """Remove from the log what was played after the state restored: it is about to be played again."""
        try:
            self.log.rewind(self.end)
        except LogError as error:
            raise CheckpointError(str(error)) from error

    def keep_tail(self) -> int:
        """Store what was played after the state restored.  Returns its number of segments."""
        count = 0
        for mark, segment in self.log.scan(self.end):
            if self.replay.add(segment, mark):
                count += 1
        self.ledger.submitted += count
        self.ledger.acknowledged += count
        return count

    def close(self) -> None:
        """Have the disk hold everything."""
        self.log.close()

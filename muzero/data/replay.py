"""A ring of experience: segments in, training windows out.

Every step is a row; rows of a game are linked from each to the next, so a window crosses from segment to segment and
an unfinished game can be learned from already.  Rows are named by the number of rows written before
them, which never repeats; ``number % capacity`` is the place in the ring.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch

from muzero.config import Range
from muzero.data import plans, schema
from muzero.data.augmentation import augmented
from muzero.data.device_rows import DeviceRows
from muzero.data.plans import StoredPositions
from muzero.data.reanalyse_order import ReanalyseOrder
from muzero.data.schema import Segment, SegmentId
from muzero.data.sum_tree import SumTree
from muzero.data.symmetric_windows import under_symmetries
from muzero.data.windows import UNKNOWN, window
from muzero.interfaces import GameSpec, Symmetries, Window, WindowSize
from muzero.util.seeds import derive


@dataclass
class Chain:
    """How far a game has been stored: links the next segment, and recognises one that comes a second time."""

    row: int  # number of its last row
    sequence: int  # of its last segment


def row_bytes(spec: GameSpec, candidates: int = 0) -> int:
    """Memory of a row: its columns, its links, its version, and at most 32 bytes of priority and its sums."""
    return schema.row_bytes(spec, candidates) + 8 + 8 + 8 + 1 + 1 + 32


def most_rows(spec: GameSpec, candidates: int, capacity: int, gigabytes: float) -> int:
    """Rows of a replay with these settings, see `Replay`."""
    return min(capacity, int(gigabytes * 1e9 / row_bytes(spec, candidates)))


class Replay:
    """The most recent rows of all games."""

    def __init__(
        self,
        spec: GameSpec,
        seed: int,
        candidates: int = 0,
        find_symmetries: Callable[[], Symmetries | None] = lambda: None,
        device: torch.device | None = None,
        *,
        capacity: Annotated[int, Range(100, 100_000_000)] = 100_000,
        gigabytes: Annotated[float, Range(0.001, 10_000.0)] = 8.0,
        priority_exponent: Annotated[float, Range(0.0, 2.0)] = 0.0,
        importance_exponent: Annotated[float, Range(0.0, 2.0)] = 0.4,
        symmetries: bool = True,
        shift: Annotated[int, Range(0, 64)] = 0,
        intensity: Annotated[float, Range(0.0, 0.5)] = 0.0,
    ) -> None:
        """Reserve the memory.

        Args:
            spec: of the game.
            seed: of everything that is drawn.
            candidates: actions that the planner weighs in a position, see `schema.columns`.
            find_symmetries: finds those of the game; called once, if they are used.
            device: of the learner.  On a GPU observations are kept in its memory, so batches need not travel there;
                everything else stays on the host.
            capacity: most rows; fewer if that many do not fit into `gigabytes`.
            gigabytes: most memory, in 10^9 bytes.
            priority_exponent: how much sampling prefers rows with a high priority; 0 samples uniformly (Schaul et al.
                2016, eq. 1).  The priority is the error of the value, and of an ensemble also the mean error of its
                members' rewards.
            importance_exponent: how far importance weights correct for that preference; 0 not at all, 1 in full
                (Schaul et al. 2016, section 3.4).
            symmetries: learn from mirrored and rotated boards, too, if the rules of the game are the same there: every
                sampled window is shown under a symmetry drawn at random.  Only board games have symmetries.
            shift: most pixels by which a sampled window is moved at random, all its frames alike; 4 is usual for
                frames of 84 and 96 pixels (Yarats et al. 2021).  For frames, not for boards.
            intensity: standard deviation of the random factor by which a sampled window is brighter or darker, all its
                frames alike (Ye et al. 2021 use 0.05).  For frames, not for boards.

        Raises:
            ValueError: if not one row fits.
        """
        self.spec, self.candidates = spec, candidates
        self.capacity = most_rows(spec, candidates, capacity, gigabytes)
        if self.capacity < 1:
            size = row_bytes(spec, candidates)
            raise ValueError(f"{spec.name}: not one row of {size:,} bytes fits into {gigabytes} GB")
        self.priority_exponent = priority_exponent
        self.importance_exponent = importance_exponent
        self.rng = np.random.default_rng(derive(seed, "replay"))
        self.columns = schema.columns(spec, candidates)
        self.rows: dict[str, Any] = {column.name: column.rows(self.capacity) for column in self.columns}
        if device is not None and device.type == "cuda":
            self.rows["observation"] = DeviceRows(self.capacity, spec.observation, spec.dtype, device)
        self.rows["next"] = np.full(self.capacity, UNKNOWN, np.int64)
        self.rows["previous"] = np.full(self.capacity, UNKNOWN, np.int64)
        self.rows["over"] = np.zeros(self.capacity, bool)  # the game is over in the row's position
        self.rows["version"] = np.zeros(self.capacity, np.int64)  # of the weights that played, or planned again since
        self.rows["refreshed"] = np.zeros(self.capacity, bool)  # planned again since it was played
        # Candidates would have to be turned, too; board games have none.
        self.symmetries = find_symmetries() if symmetries and not candidates else None
        self.shift, self.intensity = shift, intensity
        self.priority = SumTree(self.capacity)
        self.reanalyse_order = ReanalyseOrder(self.capacity)
        self.largest = 1.0  # priority of new rows
        self.written = 0  # rows ever written
        self.steps = 0  # environment steps ever added
        self.duplicates = 0  # segments that came a second time
        self.chains: dict[tuple[int, int, int], Chain] = {}  # least recently stored first
        self.marks: deque[tuple[int, Any]] = deque()  # first row and mark of each segment that is here, even in part

    def __len__(self) -> int:
        return min(self.written, self.capacity)

    def has(self, number: SegmentId) -> bool:
        """Whether a segment, or a later one of its game, was added."""
        before = self.chains.get(number[:3])
        return before is not None and number.sequence <= before.sequence

    def check(self, segment: Segment) -> None:
        """Check that a segment can be stored.

        Raises:
            ValueError: if the segment does not fit the game, or is longer than the ring.
        """
        segment.check(self.spec, self.candidates)
        if len(segment) > self.capacity:
            raise ValueError(f"a segment of {len(segment)} rows does not fit a replay of {self.capacity}")

    def add(self, segment: Segment, mark: Any = None) -> bool:
        """Store a segment; false, and nothing stored, if it was added before.

        mark: whatever the caller needs to find the segment again, see `oldest`.

        Raises:
            ValueError: if the segment does not fit the game, or is longer than the ring.
        """
        self.check(segment)
        game = segment.id[:3]
        before = self.chains.get(game)
        if self.has(segment.id):
            self.duplicates += 1
            return False
        numbers = self.written + np.arange(len(segment))
        places = numbers % self.capacity
        for name, array in segment.columns.items():
            self.rows[name][places] = array
        self.rows["next"][places] = np.append(numbers[1:], UNKNOWN)
        self.rows["previous"][places] = np.append(UNKNOWN, numbers[:-1])
        self.rows["version"][places], self.rows["refreshed"][places] = segment.version, False
        ends = segment.columns["discount"][: segment.steps] == 0
        self.rows["over"][places] = False
        self.rows["over"][places[1:]] = ends[: len(segment) - 1]
        if segment.tail:  # nothing was stepped from there, so nothing ended there
            self.rows["discount"][places[-1]] = 1
        # A row can be learned from once it is known what its step led to.
        complete = np.append(np.ones(len(segment) - 1, bool), not segment.tail and ends[-1])
        self.priority[places] = np.where(complete, self.largest, 0.0)
        self.marks.append((self.written, mark))
        self.written += len(segment)
        self.steps += segment.steps
        while len(self.marks) > 1 and self.marks[1][0] <= self.written - self.capacity:
            self.marks.popleft()
        self._link(game, before, segment, int(numbers[0]), int(numbers[-1]))
        return True

    def _link(self, game: tuple[int, int, int], before: Chain | None, segment: Segment, start: int, end: int) -> None:
        """Link the segment before it to this one, if that is still here and no segment between them is missing."""
        if before is not None and segment.id.sequence == before.sequence + 1 and before.row >= end + 1 - self.capacity:
            place = np.array([before.row % self.capacity])
            self.rows["next"][place] = start
            self.rows["previous"][start % self.capacity] = before.row
            self.rows["over"][start % self.capacity] = self.rows["discount"][place[0]] == 0
            self.priority[place] = self.largest
        self.chains.pop(game, None)
        self.chains[game] = Chain(end, segment.id.sequence)
        while self.chains[oldest := next(iter(self.chains))].row < self.written - self.capacity:
            del self.chains[oldest]

    def sample(self, batch: int, size: WindowSize) -> tuple[np.ndarray, Window]:
        """Draw B rows by priority.  Returns their numbers [B], for `update`, and the windows that begin there."""
        mass = (np.arange(batch) + self.rng.random(batch)) / batch * self.priority.total
        places = self.priority.find(mass)
        numbers = self._numbers(places)
        weight = (len(self) * self.priority[places] / self.priority.total) ** -self.importance_exponent
        if self.priority_exponent == 0:
            weight = np.ones(batch)
        found = window(self.rows, self.spec, numbers, size, weight / weight.max(), self.written, self.rng)
        if self.symmetries is not None:
            found = under_symmetries(found, self.symmetries, self.rng)
        return numbers, augmented(found, self.shift, self.intensity, self.rng)

    def update(self, numbers: np.ndarray, priority: np.ndarray) -> None:
        """Set the priorities of sampled rows; rows overwritten since are left alone."""
        if self.priority_exponent == 0:
            return
        here = numbers >= self.written - self.capacity
        scaled = (priority[here] + 1e-6) ** self.priority_exponent
        if len(scaled):
            self.priority[numbers[here] % self.capacity] = scaled
            self.largest = max(self.largest, float(scaled.max()))

    def positions(self, count: int) -> StoredPositions:
        """At most `count` positions to plan again, no row twice before every other had its turn; see `refresh`.

        Positions after the end of a game are left out: they have no policy.

        Raises:
            ValueError: if there are no positions to plan.
        """
        places = self.reanalyse_order.next_places(count, ~self.rows["over"][: len(self)])
        if not len(places):
            raise ValueError(f"no positions to plan again among {len(self)} rows")
        return StoredPositions(self._numbers(places), self.rows["observation"][places], self.rows["legal"][places])

    def refresh(
        self,
        numbers: np.ndarray,
        policy: np.ndarray,
        value: np.ndarray,
        candidates: np.ndarray | None = None,
        *,
        version: int,
    ) -> int:
        """Replace the policies and values of rows, which teach the policy from then on.

        Args:
            numbers: [N] of the rows, as `positions` gave them; rows overwritten since are left alone.
            policy: [N, A], or [N, K] weights of the candidates.
            value: [N].
            candidates: [N, K, *shape of an action]; None where the planner weighs all actions, in order.
            version: of the weights that planned.

        Returns:
            how many of the rows were still here.

        Raises:
            ValueError: if shapes do not fit or a number is not finite; nothing is replaced.
        """
        new = {"policy": policy, "value": value} | ({} if candidates is None else {"candidates": candidates})
        plans.check(self.columns, len(numbers), new)
        here = (numbers >= self.written - self.capacity) & (numbers < self.written)
        here &= ~self.rows["over"][numbers % self.capacity]  # a position after the end of a game has no policy
        new["version"] = np.full(len(numbers), version)
        plans.replace(self.rows, numbers[here] % self.capacity, {name: array[here] for name, array in new.items()})
        return int(here.sum())

    def _numbers(self, places: np.ndarray) -> np.ndarray:
        """Numbers of the rows that lie at these places of the ring now."""
        newest = self.written - 1
        return newest - (newest - places) % self.capacity

    @property
    def oldest(self) -> tuple[int, Any] | None:
        """Number of the first row, and mark, of the oldest segment of which a row is here."""
        return self.marks[0] if self.marks else None

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """What `restore` needs besides the segments themselves, from the oldest on: arrays and plain values."""
        here = np.arange(self.written - len(self), self.written)
        values = {
            "written": self.written,
            "first": self.marks[0][0] if self.marks else 0,
            "steps": self.steps,
            "duplicates": self.duplicates,
            "largest": self.largest,
            "rng": self.rng.bit_generator.state,
            "passed": self.reanalyse_order.passed,
        }
        return {"priority": self.priority[here % self.capacity]} | plans.saved(self.rows, here), values

    def restore(
        self, arrays: dict[str, np.ndarray], values: dict[str, Any], segments: Iterable[tuple[Any, Segment]]
    ) -> int:
        """Take over the `state` of another replay, in place of what is here.

        segments: with their marks, in the order in which they were added, from the oldest on.

        Returns:
            how many of its rows are missing because segments are; the others are usable.
        """
        self.priority, self.chains, self.marks = SumTree(self.capacity), {}, deque()
        self.rows["next"][:] = UNKNOWN
        self.written = values["first"]
        for mark, segment in segments:
            self.add(segment, mark)
        missing = values["written"] - self.written
        priority = arrays["priority"][-len(self) :] if len(self) else arrays["priority"][:0]
        if missing == 0:
            self.priority[np.arange(self.written - len(priority), self.written) % self.capacity] = priority
            plans.bring_back(self.rows, arrays, self.written - len(self))
        self.steps, self.largest = values["steps"], values["largest"]
        self.duplicates = values["duplicates"]
        self.rng.bit_generator.state = values["rng"]
        self.reanalyse_order.passed = values.get("passed", 0) % self.capacity  # older checkpoints have none
        return missing

"""A ring of experience: segments in, training windows out.

Every step is a row; rows of a game are linked from each to the next, so a window crosses from segment to segment and
a game that is still being played can be learned from already.  Rows are named by the number of rows written before
them, which never repeats; ``number % capacity`` is the place in the ring.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch

from muzero.config import Range
from muzero.interfaces import GameSpec, Segment, Window, WindowSize

UNKNOWN = -1  # no next row: the game is over, was cut short, or goes on in a segment still to come


class SumTree:
    """Numbers whose sum is kept, so that a place can be drawn in proportion to its number in log time.

    Sums are brought up to date when they are asked for: many small changes cost one pass.
    """

    def __init__(self, size: int) -> None:
        self.leaves = 1 << max(size - 1, 1).bit_length()
        self.nodes = np.zeros(2 * self.leaves)
        self.changed: list[np.ndarray] = []  # leaves whose sums are out of date

    @property
    def total(self) -> float:
        self._sum()
        return float(self.nodes[1])

    def __getitem__(self, place: np.ndarray) -> np.ndarray:
        return self.nodes[self.leaves + place]

    def __setitem__(self, place: np.ndarray, number: np.ndarray | float) -> None:
        self.nodes[self.leaves + place] = number
        self.changed.append(self.leaves + place)

    def _sum(self) -> None:
        node = np.concatenate(self.changed) if self.changed else np.empty(0, np.int64)
        while len(node) and node[0] > 1:
            node = np.unique(node >> 1)
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1]
        self.changed = []

    def find(self, mass: np.ndarray) -> np.ndarray:
        """Places at which the running sum passes mass [B], each at least 0 and below `total`."""
        self._sum()
        node = np.ones(len(mass), np.int64)
        while node[0] < self.leaves:
            left = self.nodes[2 * node]
            # An empty right side is never entered, whatever rounding says.
            right = (mass >= left) & (self.nodes[2 * node + 1] > 0)
            mass = np.where(right, mass - left, mass)
            node = 2 * node + right
        return node - self.leaves


@dataclass
class Chain:
    """How far a game has been stored: to link the segment that follows, and to know one that comes again."""

    row: int  # number of its last row
    sequence: int  # of its last segment


class Replay:
    """The most recent rows of all games."""

    def __init__(
        self,
        spec: GameSpec,
        seed: int,
        *,
        capacity: Annotated[int, Range(100, 100_000_000)] = 100_000,
        priority_exponent: Annotated[float, Range(0.0, 2.0)] = 0.0,
        importance_exponent: Annotated[float, Range(0.0, 2.0)] = 0.4,
    ) -> None:
        """capacity in rows.  A priority_exponent of 0 samples uniformly (Schaul et al. 2016, eq. 1 and section 3.4)."""
        self.spec = spec
        self.capacity = capacity
        self.priority_exponent = priority_exponent
        self.importance_exponent = importance_exponent
        self.rng = np.random.default_rng(seed)
        self.rows = {
            "observation": np.zeros((capacity, *spec.observation), spec.dtype),
            "legal": np.zeros((capacity, spec.actions), bool),
            "action": np.zeros(capacity, np.int64),
            "reward": np.zeros(capacity, np.float32),
            "discount": np.zeros(capacity, np.float32),
            "policy": np.zeros((capacity, spec.actions), np.float32),
            "value": np.zeros(capacity, np.float32),
            "random": np.zeros(capacity, bool),
            "next": np.full(capacity, UNKNOWN, np.int64),
        }
        self.priority = SumTree(capacity)
        self.largest = 1.0  # priority of new rows
        self.written = 0  # rows ever written
        self.steps = 0  # real steps ever added
        self.duplicates = 0
        self.chains: dict[tuple[int, int, int], Chain] = {}  # least recently stored first

    def __len__(self) -> int:
        return min(self.written, self.capacity)

    def add(self, segment: Segment) -> bool:
        """Store a segment; false, and nothing stored, if it is here already.

        Raises:
            ValueError: if the segment does not fit the game, or is longer than the ring.
        """
        segment.check(self.spec)
        if len(segment) > self.capacity:
            raise ValueError(f"a segment of {len(segment)} rows does not fit a replay of {self.capacity}")
        game = segment.id[:3]
        before = self.chains.get(game)
        if before is not None and segment.id.sequence <= before.sequence:
            self.duplicates += 1
            return False
        numbers = self.written + np.arange(len(segment))
        places = numbers % self.capacity
        for name in ("observation", "legal", "action", "reward", "discount", "policy", "value", "random"):
            self.rows[name][places] = getattr(segment, name)
        self.rows["next"][places] = np.append(numbers[1:], UNKNOWN)
        if segment.cut:  # nothing was stepped from there, so nothing ended there
            self.rows["discount"][places[-1]] = 1
        # A row can be learned from once it is known what its step led to.
        complete = np.append(np.ones(len(segment) - 1, bool), not segment.cut and segment.discount[-1] == 0)
        self.priority[places] = np.where(complete, self.largest, 0.0)
        self.written += len(segment)
        self.steps += segment.steps
        self._link(game, before, segment, int(numbers[0]), int(numbers[-1]))
        return True

    def _link(self, game: tuple[int, int, int], before: Chain | None, segment: Segment, start: int, end: int) -> None:
        """Join the segment to the one before it, if that is still here and nothing between them was lost."""
        if before is not None and segment.id.sequence == before.sequence + 1 and before.row >= end + 1 - self.capacity:
            place = np.array([before.row % self.capacity])
            self.rows["next"][place] = start
            self.priority[place] = self.largest
        self.chains.pop(game, None)
        self.chains[game] = Chain(end, segment.id.sequence)
        while self.chains[oldest := next(iter(self.chains))].row < self.written - self.capacity:
            del self.chains[oldest]

    def sample(self, batch: int, size: WindowSize) -> tuple[np.ndarray, Window]:
        """Draw rows by priority.  Returns their numbers [B], for `update`, and the windows that begin there."""
        mass = (np.arange(batch) + self.rng.random(batch)) / batch * self.priority.total
        places = self.priority.find(mass)
        numbers = self._numbers(places)
        weight = (len(self) * self.priority[places] / self.priority.total) ** -self.importance_exponent
        if self.priority_exponent == 0:
            weight = np.ones(batch)
        return numbers, self._window(numbers, size, weight / weight.max())

    def update(self, numbers: np.ndarray, priority: np.ndarray) -> None:
        """Set the priorities of sampled rows; rows overwritten since are left alone."""
        if self.priority_exponent == 0:
            return
        here = numbers >= self.written - self.capacity
        scaled = (priority[here] + 1e-6) ** self.priority_exponent
        if len(scaled):
            self.priority[numbers[here] % self.capacity] = scaled
            self.largest = max(self.largest, float(scaled.max()))

    def _numbers(self, places: np.ndarray) -> np.ndarray:
        """Numbers of the rows that are at places now."""
        newest = self.written - 1
        return newest - (newest - places) % self.capacity

    def _window(self, numbers: np.ndarray, size: WindowSize, weight: np.ndarray) -> Window:
        path, known, over = self._follow(numbers, size.steps)
        places = path % self.capacity
        now, ahead = places[:, : size.observations], places[:, : size.steps]
        rows, ended = self.rows, over[:, : size.steps]
        random = self.rng.integers(self.spec.actions, size=ended.shape)
        arrays = {
            "observation": rows["observation"][now],
            "action": np.where(ended, random, rows["action"][ahead]),
            "reward": np.where(ended, 0, rows["reward"][ahead]),
            "discount": np.where(ended, 0, rows["discount"][ahead]),
            "value": np.where(over, 0, rows["value"][places]),
            "policy": rows["policy"][now],
            "random": rows["random"][ahead] & ~ended,
            "known": known,
            "over": over,
            "weight": weight.astype(np.float32),
        }
        return Window(**{name: torch.from_numpy(array) for name, array in arrays.items()})

    def _follow(self, numbers: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers of the rows along each game [B, W + 1], and which of them are known, and past its end."""
        path = np.repeat(numbers[:, None], steps + 1, 1)
        known, over = np.ones(path.shape, bool), np.zeros(path.shape, bool)
        for k in range(steps):
            place = path[:, k] % self.capacity
            following = self.rows["next"][place]
            moves = following != UNKNOWN
            over[:, k + 1] = over[:, k] | (self.rows["discount"][place] == 0)
            known[:, k + 1] = known[:, k] & (moves | over[:, k + 1])
            path[:, k + 1] = np.where(moves, following, path[:, k])
            if not moves.any():  # every game ended: what follows repeats
                path[:, k + 2 :] = path[:, k + 1, None]
                over[:, k + 2 :], known[:, k + 2 :] = over[:, k + 1, None], known[:, k + 1, None]
                break
        return path, known, over

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and plain values from which `restore` makes the same replay."""
        filled = np.arange(len(self))
        arrays = {name: array[: len(self)] for name, array in self.rows.items()}
        arrays["priority"] = self.priority[filled]
        values = {
            "written": self.written,
            "steps": self.steps,
            "duplicates": self.duplicates,
            "largest": self.largest,
            "chains": [[*game, chain.row, chain.sequence] for game, chain in self.chains.items()],
            "rng": self.rng.bit_generator.state,
        }
        return arrays, values

    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> None:
        """Become the replay whose `state` this is."""
        filled = np.arange(len(arrays["priority"]))
        for name, array in self.rows.items():
            array[filled] = arrays[name]
        self.priority[filled] = arrays["priority"]
        self.written, self.steps = values["written"], values["steps"]
        self.duplicates, self.largest = values["duplicates"], values["largest"]
        self.chains = {(a, i, g): Chain(row, sequence) for a, i, g, row, sequence in values["chains"]}
        self.rng.bit_generator.state = values["rng"]

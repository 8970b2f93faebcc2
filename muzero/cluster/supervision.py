"""When an actor gets work, when it has failed, when it is tried again: arithmetic without Ray and without a clock."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from muzero.actors.tasks import Play, Task, Work

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 60.0  # seconds until an actor that failed is tried again
MOST_DEATHS = 5  # in a row, without a result in between; after one more it counts as given up, but is still tried
MOST_MISSES = 20  # attempts to reach an actor that is being restarted, which then count as one death
REVIEW = 50  # tasks after which it is estimated again how long a task takes
USUAL = 10.0  # times the duration that 99 of 100 tasks stay below, after which one counts as hanging


@dataclass(eq=False)
class Slot:
    """A place for an actor; its process may change."""

    number: int
    kind: type[Work]  # what it does
    actor: Any = None  # the handle; None where a new one must be made
    called: bool = False  # it was asked whether it is there
    alive: bool = False  # it answered
    generation: int = 0  # of processes: failures of an earlier one do not count for this one
    flying: dict[int, tuple[Task, float]] = field(default_factory=dict)  # tasks under way, and since when
    since: float = 0.0  # when it last answered
    not_before: float = 0.0
    watched_until: float = 0.0  # time of the next check whether it hangs
    deaths: int = 0  # in a row
    raised: int = 0  # tasks whose work raised an exception since a game of this actor ended
    misses: int = 0
    where: str = "nowhere yet"  # node and process, as it reported

    @property
    def given_up(self) -> bool:
        """Whether it failed too often in a row."""
        return max(self.deaths, self.raised) > MOST_DEATHS

    def answered(self, now: float, where: str) -> None:
        """Note that its process is ready."""
        self.alive, self.since, self.where, self.misses = True, now, where, 0

    def free(self, now: float, depth: int) -> bool:
        """Whether it takes another task, if at most `depth` may be under way."""
        return self.alive and len(self.flying) < depth and now >= self.not_before

    def send(self, task: Task, now: float) -> None:
        """Note a task that is sent to it."""
        if not self.flying:
            self.since = now
        self.flying[task.number] = task, now

    def finish(self, number: int, now: float, ended: bool = True) -> float:
        """Note that a task is done.  Returns the seconds that it took.

        ended: whether the actor proved that its environment works: of tasks that play, whether a game ended.
        """
        del self.flying[number]
        took, self.since = now - self.since, now
        self.deaths = 0
        if ended:
            self.raised = 0
        return took

    def fail(self, now: float, generation: int, unreachable: bool, raised: bool = False) -> bool:
        """Note a failure.  Returns whether it counts as a death: only the first failure of a process does.

        unreachable: the actor did not answer, as while its process is restarted.
        raised: the work raised an exception; results in between do not forgive it, only a game that ends.
        """
        if generation != self.generation:
            return False
        counts = self.alive or not unreachable
        self.misses += not counts
        if self.misses >= MOST_MISSES:
            counts, self.misses = True, 0
        self.generation += 1
        self.deaths += counts
        self.raised += counts and raised
        self.alive = self.called = False
        pause = min(FIRST_PAUSE * 2.0 ** max(self.deaths - 1, 0), LONGEST_PAUSE)
        self.not_before = now + (LONGEST_PAUSE if self.given_up else pause)
        return counts


def room(slots: Sequence[Slot], cores: float, cpus: float) -> int:
    """The number of playing actors to add; at least one plays.

    Args:
        slots: the actors that there are.
        cores: for all actors.
        cpus: cores for each of them.
    """
    playing = sum(slot.kind is Play for slot in slots)
    return max(1 - playing, int(cores / max(cpus, 1e-3)) - len(slots), 0)


def counts(slots: Sequence[Slot], tally: Counter[str]) -> dict[str, float]:
    """Metrics of tasks and actors; the balance of tasks is 0 unless one was lost.

    tally: of tasks that were submitted, acknowledged or failed, and of actors that died or hung.
    """
    flying = sum(len(slot.flying) for slot in slots)
    return {
        "orders/submitted": tally["submitted"],
        "orders/acknowledged": tally["acknowledged"],
        "orders/failed": tally["failed"],
        "orders/in_flight": flying,
        "orders/balance": tally["submitted"] - tally["acknowledged"] - tally["failed"] - flying,
        "actors/wanted": len(slots),
        "actors/alive": sum(slot.alive for slot in slots),
        "actors/given_up": sum(slot.given_up for slot in slots),
        "actors/deaths": tally["deaths"],
        "actors/hung": tally["hung"],
    }


class Patience:
    """The seconds after which an unfinished task counts as hanging."""

    def __init__(self, least: float) -> None:
        self.least = self.now = least
        self.took: deque[float] = deque(maxlen=500)
        self.finished = 0

    def finish(self, seconds: float) -> None:
        """Note the duration of a finished task."""
        self.took.append(seconds)
        self.finished += 1
        if self.finished % REVIEW == 0:
            self.now = max(self.least, USUAL * float(np.quantile(self.took, 0.99)))

    def seconds(self) -> float:
        """The seconds that a task may take at present."""
        return self.now

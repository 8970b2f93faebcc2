"""When an actor gets work, when it has failed, when it is tried again: arithmetic without Ray and without a clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from muzero.actors.tasks import Task, Work

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 60.0  # seconds until an actor that failed is tried again
MOST_DEATHS = 5  # in a row, without a result in between; after one more it counts as given up, but is still tried
MOST_MISSES = 20  # attempts to reach an actor that is being restarted, which then count as one death
REVIEW = 50  # orders after which it is found out anew what is usual
USUAL = 10.0  # times what 99 of 100 orders take, after which one hangs


@dataclass(eq=False)
class Slot:
    """A place for an actor, whichever process fills it."""

    number: int
    kind: type[Work]  # what it does
    actor: Any = None  # the handle; None where a new one must be made
    called: bool = False  # it was asked whether it is there
    alive: bool = False  # it answered
    generation: int = 0  # of processes: what an earlier one failed at says nothing of this one
    flying: dict[int, tuple[Task, float]] = field(default_factory=dict)  # tasks under way, and since when
    since: float = 0.0  # when it last answered
    not_before: float = 0.0
    watched_until: float = 0.0  # when somebody will look whether it hangs
    deaths: int = 0  # in a row
    raised: int = 0  # tasks whose work raised an exception since a game of this actor ended
    misses: int = 0
    where: str = "nowhere yet"  # node and process, as it said itself

    @property
    def given_up(self) -> bool:
        """Whether it dies whatever is done."""
        return max(self.deaths, self.raised) > MOST_DEATHS

    def answered(self, now: float, where: str) -> None:
        """A process fills it."""
        self.alive, self.since, self.where, self.misses = True, now, where, 0

    def free(self, now: float, depth: int) -> bool:
        """Whether it takes another order."""
        return self.alive and len(self.flying) < depth and now >= self.not_before

    def send(self, task: Task, now: float) -> None:
        """A task goes to it."""
        if not self.flying:
            self.since = now
        self.flying[task.number] = task, now

    def finish(self, number: int, now: float, ended: bool = True) -> float:
        """A task is done.  Returns how long it took.

        ended: whether the actor proved that its environment works: of tasks that play, whether a game ended.
        """
        del self.flying[number]
        took, self.since = now - self.since, now
        self.deaths = 0
        if ended:
            self.raised = 0
        return took

    def fail(self, now: float, generation: int, unreachable: bool, raised: bool = False) -> bool:
        """Something went wrong.  Returns whether it counts: the other orders of a process fail with it.

        unreachable: nobody answered, as while a process is restarted.
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


class Patience:
    """How long an order may take."""

    def __init__(self, least: float) -> None:
        self.least = self.now = least
        self.took: deque[float] = deque(maxlen=500)
        self.finished = 0

    def finish(self, seconds: float) -> None:
        """An order took so long."""
        self.took.append(seconds)
        self.finished += 1
        if self.finished % REVIEW == 0:
            self.now = max(self.least, USUAL * float(np.quantile(self.took, 0.99)))

    def seconds(self) -> float:
        """Until an order hangs."""
        return self.now

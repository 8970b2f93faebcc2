"""When a run ends: by its steps, its time, a signal, or the loss of its actors."""

from __future__ import annotations

import time

from muzero.actors.pool import ActorPool
from muzero.config.run import RunSettings
from muzero.data.replay import Replay
from muzero.training.clock import Clock
from muzero.util.signals import Stop

LATE = 30.0  # seconds after the end of a run's time in which its very first steps may still be stored


class Ending:
    """How much of a run is done, and whether to play and learn further."""

    def __init__(self, settings: RunSettings, clock: Clock, replay: Replay, pool: ActorPool, stop: Stop) -> None:
        self.settings, self.clock, self.replay = settings, clock, replay
        self.pool, self.stop = pool, stop

    def begin(self) -> None:
        """Count the time of training from now on: that of starting up before is not one of training."""
        self.clock.restore(self.clock.elapsed)
        if self.settings.seconds is not None:
            self.pool.deadline = time.monotonic() + self.settings.seconds - self.clock.seconds()

    def done(self) -> float:
        """Share of the run that is done."""
        return self.settings.done(self.replay.steps, self.clock.seconds())

    @property
    def timed_out(self) -> bool:
        """Whether the run has a time limit and has used it up."""
        return self.settings.seconds is not None and self.clock.seconds() >= self.settings.seconds

    @property
    def interrupted(self) -> bool:
        """Whether a signal was received or the cluster is lost."""
        return self.stop.number is not None or self.pool.lost

    @property
    def halted(self) -> bool:
        """Whether to stop learning: the run is interrupted, or its time is up."""
        return self.interrupted or time.monotonic() >= self.pool.deadline

    @property
    def playing(self) -> bool:
        """Whether to play further: until the steps or the time are used up, and a little longer for the first steps.

        A process that plays may need longer than a short limit for its first search, and no limit ends a game earlier.
        """
        if self.halted:
            late = not self.interrupted and time.monotonic() < self.pool.deadline + LATE
            return late and not self.replay.steps
        return self.done() < 1

    def messages(self) -> list[str]:
        """Say that the time was too short to store anything; empty if it was not."""
        if self.replay.steps or not self.timed_out:
            return []
        return [
            f"nothing was learned: no game or segment was complete in {self.clock.seconds():.0f} s; use a longer --time"
        ]

"""When a run ends: by its steps, its time, a signal, or the loss of its actors."""

from __future__ import annotations

import time

from muzero.actors.pool import ActorPool
from muzero.config.run import RunSettings
from muzero.training.clock import Clock
from muzero.training.together import Together

LATE = 30.0  # seconds after the end of a run's time in which its very first steps may still be stored


class Ending:
    """How much of a run is done, and whether to play and learn further."""

    def __init__(self, settings: RunSettings, clock: Clock, pool: ActorPool, together: Together) -> None:
        self.settings, self.clock, self.pool, self.together = settings, clock, pool, together

    def begin(self) -> None:
        """Count the time of training from now on: that of starting up before is not one of training."""
        self.clock.restore(self.clock.elapsed)
        if self.settings.seconds is not None:
            self.pool.deadline = time.monotonic() + self.settings.seconds - self.clock.seconds()

    def done(self) -> float:
        """Share of the run that is done."""
        return self.settings.done(self.together.steps, self.together.seconds)

    @property
    def timed_out(self) -> bool:
        """Whether the run has a time limit and has used it up."""
        return self.settings.seconds is not None and self.together.seconds >= self.settings.seconds

    @property
    def interrupted(self) -> bool:
        """Whether a signal was received or the cluster is lost."""
        return self.together.signal is not None or self.together.lost

    @property
    def halted(self) -> bool:
        """Whether to stop learning: the run is interrupted, or its time is up."""
        return self.interrupted or self.together.left <= 0

    @property
    def playing(self) -> bool:
        """Whether to play further: until the steps or the time are used up, and a little longer for the first steps.

        A process that plays may need longer than a short limit for its first search, and no limit ends a game earlier.
        """
        if self.halted:
            late = not self.interrupted and self.together.left > -LATE
            return late and not self.together.steps
        return self.done() < 1

    def messages(self) -> list[str]:
        """Say that the time was too short to store anything; empty if it was not."""
        if self.together.steps or not self.timed_out:
            return []
        return [
            f"nothing was learned: no game or segment was complete in {self.clock.seconds():.0f} s; use a longer --time"
        ]

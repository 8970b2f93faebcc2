"""Where a run stands, for its user: what it is doing, and what went wrong."""

from __future__ import annotations

import time

from muzero.config.run import RunSettings
from muzero.training.checkpoints import Snapshots
from muzero.training.clock import CpuClock
from muzero.training.ending import Ending
from muzero.training.evaluator import Evaluator
from muzero.training.health import Health
from muzero.training.learning import Learning
from muzero.training.progress import Progress
from muzero.training.status import Status
from muzero.training.storing import Storing
from muzero.training.together import Together


class Standing:
    """Reads the parts of a run, and keeps its warnings."""

    snapshots: Snapshots  # once the folder is open

    def __init__(
        self,
        settings: RunSettings,
        together: Together,
        ending: Ending,
        learning: Learning,
        storing: Storing,
        health: Health,
        evaluator: Evaluator,
        cpu_clock: CpuClock,
    ) -> None:
        """Read the parts of the run of these settings."""
        self.settings, self.together, self.ending, self.learning = settings, together, ending, learning
        self.storing, self.health, self.evaluator, self.cpu_clock = storing, health, evaluator, cpu_clock
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        """Have something shown to the user, once."""
        if message not in self.warnings:
            self.warnings.append(message)

    def report(self, progress: Progress) -> None:
        """Show what the parts of the run report."""
        for message in self.storing.pool.messages():
            progress.trouble(message)
        for part in (self.snapshots.parts.experience, self.storing, self.snapshots, self.health):
            for message in part.messages():
                self.warn(message)

    def status(self) -> Status:
        """What the run is doing now."""
        pool, scores, clock = self.storing.pool, self.storing.scores, self.together.clock
        counters = {"replay_rows": len(self.learning.replay), "checkpoint_failures": self.snapshots.writer.failures}
        for part in (self.learning, self.storing, self.snapshots.parts.experience, pool, self.health):
            counters |= part.counts()
        return Status(
            clock=time.monotonic(),
            steps=self.together.steps,
            goal=self.settings.length,
            unit=self.settings.unit,
            start=0 if self.settings.data else self.settings.start,
            limit=self.settings.seconds,
            updates=self.learning.learner.updates,
            seconds=clock.seconds(),
            cpu_seconds=self.cpu_clock.seconds(),
            done=self.ending.done(),
            losses=self.learning.updates.metrics,
            terms=self.learning.updates.terms,
            score=scores.score,
            length=scores.length,
            greedy=self.evaluator.newest,
            comparison=self.health.comparison,
            phases=clock.phases,
            apart=pool.apart,
            counters=counters,
            spreads=self.health.spreads,
            warnings=tuple(self.warnings),
        )

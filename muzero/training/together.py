"""What a run decides by, which several learners agree on: steps, time, signals."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from muzero.actors.pool import ActorPool
from muzero.config import Config, ConfigError
from muzero.config.run import RunSettings
from muzero.data.replay import Replay
from muzero.interfaces import Objective
from muzero.learning.parallel import Learners
from muzero.runs.folder import RunFolder
from muzero.training.clock import Clock
from muzero.training.rounds import Rounds
from muzero.util.signals import Stop
from muzero.util.text import shell_word

NEVER = 1e18  # seconds, of a run without a time limit


class Figures(NamedTuple):
    """Of one learner."""

    steps: int  # environment steps stored
    enough: bool  # whether its replay holds enough to learn from
    signal: int  # that asks it to stop; 0: none
    lost: bool  # whether its actors cannot be reached any more
    seconds: float  # of training
    left: float  # seconds until the end of the run's time
    written: int  # steps of its newest checkpoint that is whole


class Together:
    """What a run decides by.  One learner alone looks at what is so now; several agree on it once in each round.

    So all make the same updates, publish, evaluate, save and stop at the same number of updates.
    """

    def __init__(
        self,
        learners: Learners,
        settings: RunSettings,
        replay: Replay,
        clock: Clock,
        pool: ActorPool,
        stop: Stop,
        rounds: Rounds | None = None,
    ) -> None:
        """Count from the beginning of a run.

        Args:
            learners: this one and the others.
            settings: of the run.
            replay: of this learner.
            clock: of the run.
            pool: plays for this learner.
            stop: signals that this process gets.
            rounds: of a run that learns from recorded experience, which counts updates in place of steps.
        """
        self.learners, self.settings, self.replay = learners, settings, replay
        self.clock, self.pool, self.stop, self.rounds = clock, pool, stop, rounds
        self.written = 0  # steps of the newest checkpoint of this learner
        self.all: list[Figures] = [] if learners.alone else [self._mine()] * learners.size

    def look(self) -> None:
        """Agree with the other learners; all call it at the same point of a round.

        Raises:
            LostLearner: if another learner does not answer.
        """
        if not self.learners.alone:
            found = self.learners.gather("what its round begins with", *self._mine())
            self.all = [Figures(*row) for row in found]  # type: ignore[arg-type]

    def leader(self, purpose: str, *wanted: bool) -> list[bool]:
        """What the leading learner decides, on which the others agree; see `Learners.gather`."""
        return [bool(each) for each in self.learners.gather(purpose, *wanted)[0]]

    def _mine(self) -> Figures:
        end = min(self.pool.deadline - time.monotonic(), NEVER)
        stop, seconds = self.stop.number or 0, self.clock.seconds()
        return Figures(self.replay.steps, self._enough, stop, self.pool.lost, seconds, end, self.written)

    @property
    def _enough(self) -> bool:
        least = 1 if self.rounds else max(1, self.settings.start // self.learners.size)
        return len(self.replay) >= min(least, self.replay.capacity)

    @property
    def steps(self) -> int:
        """Environment steps stored by all learners; from recorded experience, updates granted."""
        if self.rounds:
            return self.rounds.granted
        return int(sum(each.steps for each in self.all)) if self.all else self.replay.steps

    @property
    def enough(self) -> bool:
        """Whether enough is stored to learn from, by each learner; not so after a resume that lost experience."""
        return all(each.enough for each in self.all) if self.all else self._enough

    @property
    def signal(self) -> int | None:
        """The signal that asks to stop, if there is one."""
        return int(max(each.signal for each in self.all)) or None if self.all else self.stop.number

    @property
    def lost(self) -> bool:
        """Whether actors cannot be reached any more."""
        return any(each.lost for each in self.all) if self.all else self.pool.lost

    @property
    def seconds(self) -> float:
        """Seconds of training, earlier sessions included."""
        return self.all[0].seconds if self.all else self.clock.seconds()

    @property
    def left(self) -> float:
        """Seconds until the end of the run's time."""
        return self.all[0].left if self.all else self.pool.deadline - time.monotonic()

    @property
    def prunes(self) -> bool:
        """Whether older checkpoints may be removed: all learners have written the newest one."""
        return len({each.written for each in self.all}) < 2


def require(folder: Path, size: int, config: Config) -> None:
    """Refuse a run that another number of learners began, and settings that several learners cannot have.

    Args:
        folder: of the run.
        size: number of learners.
        config: of the run.

    Raises:
        ConfigError: with the remedy.
    """
    before = 1 + sum(path.is_dir() for path in RunFolder(folder).learners.glob("*"))
    if RunFolder(folder).exists and before != size:
        how = "without torchrun"
        if before > 1:
            how = f"with: torchrun --nproc-per-node={before} --no-python -- muzero-train --resume {shell_word(folder)}"
        raise ConfigError([f"{folder} is a run of {before} learners, and this is one of {size}; resume it {how}"])
    if size == 1:
        return
    if config.table("run")["data"]:
        given = f"[run] data (from {config.source('run', 'data')})"
        raise ConfigError([f"{given}: several learners cannot share recorded experience; begin without torchrun"])
    actors, batch = config.table("actors")["count"], config.table("learner")["batch"]
    if actors:
        given = f"[actors] count = {actors} (from {config.source('actors', 'count')})"
        raise ConfigError([f"{given}: each of several learners plays its own games, without Ray; use actors.count = 0"])
    if batch % size:
        given = f"[learner] batch = {batch} (from {config.source('learner', 'batch')})"
        raise ConfigError([f"{given} cannot be shared by {size} learners; use a multiple of {size}"])


def require_shares(config: Config, objective: Objective, size: int) -> None:
    """Refuse shares of batches that the objective cannot learn from.

    Raises:
        ConfigError: with the reason, and the remedy.
    """
    batch = config.table("learner")["batch"]
    if reason := objective.refuses(batch // size):
        given = f"[learner] batch = {batch} (from {config.source('learner', 'batch')}), shared by {size} learners,"
        raise ConfigError([f"{given} {reason}"])

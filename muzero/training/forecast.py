"""What a run will take: measured by a few steps of self-play and a few updates, of which nothing is kept."""

from __future__ import annotations

import time
from contextlib import chdir, closing
from dataclasses import dataclass
from itertools import count

import torch

from muzero import build
from muzero.actors.recorded import RecordedPool
from muzero.actors.tasks import Reanalyse, Task
from muzero.config import Config
from muzero.config.run import RunSettings
from muzero.data.replay import row_bytes
from muzero.interfaces import GameSpec, WorldModel
from muzero.learning.learner import Learner
from muzero.training.placement import overlaps
from muzero.training.updates import Updates

MOST_ROUNDS = 1000  # of self-play, of very fast games
WARM_UP = 2  # searches and updates that are not measured: the first ones prepare much


@dataclass(frozen=True)
class Forecast:
    """What was measured, and what follows."""

    spec: GameSpec
    weights: dict[str, int]  # of each part of the network
    steps_per_second: float
    updates_per_second: float
    overlap: bool  # whether self-play and learning run side by side
    steps: int  # of the run
    updates: int
    limit: float | None  # seconds after which the run ends
    replay_bytes: int
    learner_bytes: int
    planned: bool = False  # nothing is played: `steps` are positions that are planned

    @property
    def playing(self) -> float:
        """Seconds of self-play."""
        return self.steps / self.steps_per_second

    @property
    def learning(self) -> float:
        """Seconds of updates."""
        return self.updates / self.updates_per_second

    @property
    def seconds(self) -> float:
        """Seconds of training: the longer of both where they run side by side, and at most the run's limit."""
        both = max(self.playing, self.learning) if self.overlap else self.playing + self.learning
        return both if self.limit is None else min(both, self.limit)

    @property
    def share(self) -> float:
        """How much of the run's steps are made in its time."""
        both = max(self.playing, self.learning) if self.overlap else self.playing + self.learning
        return min(1.0, self.seconds / both)


def forecast(config: Config, seconds: float) -> Forecast:
    """Play and learn for a moment.

    Args:
        config: of the run.
        seconds: of self-play, and as many of updates.

    Raises:
        EnvironmentFault: if the environment does not work.
    """
    settings = build.settings(config)
    torch.set_num_threads(settings.threads)
    device = build.device(settings.device)
    if settings.data:
        return _of_recorded(config, settings, device, seconds)
    with chdir("."), closing(build.games(config, settings.games, training=True)) as games:
        spec = games.spec
        model = build.model(config, spec, settings.seed)
        objective = build.objective(config, spec, model)
        learner = build.learner(config, model, objective, device, settings.seed)
        replay = build.replay(config, spec, settings.seed, device)
        play = build.selfplay(config, games, learner.acting, build.planner(config), settings.seed, 0, 0)
        played, took = 0, 0.0
        for number in range(MOST_ROUNDS):
            begun = time.perf_counter()
            harvest = play.play(1)
            if number >= WARM_UP:
                played, took = played + games.batch, took + time.perf_counter() - begun
            for segment in harvest.segments:
                replay.add(segment)
            if took >= seconds and replay.steps:
                break
    return Forecast(
        spec=spec,
        weights=parts(model),
        steps_per_second=played / took,
        updates_per_second=_updates_per_second(Updates(learner, replay), seconds),
        overlap=config.table("actors")["count"] == 0 and overlaps(config, device),
        steps=settings.steps,
        updates=max(0, int((settings.steps - settings.start) * settings.updates_per_step)),
        limit=settings.seconds,
        replay_bytes=replay.capacity * row_bytes(spec, replay.candidates),
        learner_bytes=_bytes(learner),
    )


def _of_recorded(config: Config, settings: RunSettings, device: torch.device, seconds: float) -> Forecast:
    """As `forecast`, where nothing is played.

    Raises:
        ConfigError: if the recorded experience cannot be learned from.
    """
    with chdir("."), closing(RecordedPool(config, device)) as pool:
        model = build.model(config, pool.spec, settings.seed)
        learner = build.learner(config, model, build.objective(config, pool.spec, model), device, settings.seed)
        replay = build.replay(config, pool.spec, settings.seed, device)
        pool.prepare()
        assert pool.recording is not None
        for segment in pool.recording.segments:
            replay.add(segment)
        planned, took = 0, 0.0
        for number in count():
            work = Reanalyse(replay.positions(pool.searched))
            begun = time.perf_counter()
            pool.actor.work(Task(0, 0, work))
            if number:  # the first search prepares much
                planned, took = planned + len(work.positions.numbers), took + time.perf_counter() - begun
            if took >= seconds:
                break
    turns = max(0.0, settings.length / settings.reanalyse_every - 1)
    return Forecast(
        spec=pool.spec,
        weights=parts(model),
        steps_per_second=planned / took,
        updates_per_second=_updates_per_second(Updates(learner, replay), seconds),
        overlap=False,
        steps=int(turns * len(replay)),
        updates=settings.length,
        limit=settings.seconds,
        replay_bytes=len(replay) * row_bytes(pool.spec, replay.candidates),
        learner_bytes=_bytes(learner),
        planned=True,
    )


def _bytes(learner: Learner) -> int:
    """Memory of weights, their gradients and two moments, the slow copy and the average."""
    copies = 5 + bool(learner.average)
    return 4 * copies * sum(parameter.numel() for parameter in learner.parameters)


def _updates_per_second(updates: Updates, seconds: float) -> float:
    """How many updates are made in a second."""
    made, took = 0, 0.0
    while took < seconds:
        begun = time.perf_counter()
        updates.make(0.5)
        if updates.learner.updates > WARM_UP:
            made, took = made + 1, took + time.perf_counter() - begun
    return made / took


def parts(model: WorldModel) -> dict[str, int]:
    """The weights of each part of a network, by its name in the module."""
    return {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}

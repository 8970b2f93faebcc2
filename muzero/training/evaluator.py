"""Evaluation while a run learns and at its end: greedy play of weights that a checkpoint holds."""

from __future__ import annotations

import time
from collections.abc import Callable

from muzero.actors.pool import ActorPool
from muzero.actors.tasks import Evaluate
from muzero.config import Config
from muzero.evaluation.automatic import GAMES
from muzero.evaluation.in_training import Evaluated, Stopped, Watch, evaluate
from muzero.evaluation.intervals import Summary
from muzero.evaluation.schedule import EvaluationSchedule
from muzero.learning.learner import Learner
from muzero.runs.evaluations import Evaluation
from muzero.training.clock import Clock
from muzero.training.progress import Progress

LAST_SHARE, LAST_LEAST = 0.1, 60.0  # of `run.seconds`, and seconds: the longer is what the last evaluation may take


class OverBudget(Stopped):
    """An evaluation that took all the time that it may take."""


class Evaluator:
    """Evaluates a run's weights, in this process or by an actor, and records the results."""

    def __init__(
        self, config: Config, schedule: EvaluationSchedule, learner: Learner, pool: ActorPool, clock: Clock
    ) -> None:
        self.config, self.schedule, self.learner, self.pool, self.clock = config, schedule, learner, pool, clock
        games = config.table("run")["evaluation_games"]
        self.games = games if schedule.automatic is None else min(games, GAMES)
        actors = config.table("actors")
        self.by_actor = bool(actors["evaluate"] and actors["count"])
        self.newest: Evaluation | None = None

    def in_time(self, steps: int, done: float, keep: Callable[[], None], watch: Watch) -> Evaluation | None:
        """Evaluate if an evaluation is due.

        Args:
            steps: environment steps so far.
            done: share of the run, 0 to 1.
            keep: publishes and saves the present weights, which are evaluated next, and calls `schedule.begin`.
            watch: shows progress, or raises to end the evaluation.

        Returns:
            None if none is due, an actor works on it, or it would take more time than an automatic evaluation may.
        """
        seconds = self.clock.session()
        if not self.schedule.due(steps, done, seconds):
            return None
        automatic = self.schedule.automatic
        if automatic is None:
            return self._evaluate(keep, watch)
        finished = False
        try:
            whole = seconds + self.clock.seconds() * (1 / done - 1)  # of the session, if the pace stays the same
            watch = limited(watch, automatic.left(whole))
            evaluation = self._evaluate(keep, watch)
            finished = True
            return evaluation
        except OverBudget:
            self.schedule.abandon()
            return None
        finally:
            if self.schedule.at == steps:  # else the actor was busy: it is asked again
                automatic.record(done, self.clock.session() - seconds, finished)

    def _evaluate(self, keep: Callable[[], None], watch: Watch) -> Evaluation | None:
        """Save and evaluate the present weights, here or by an actor that has no other work."""

        def work() -> Evaluate:
            keep()
            return Evaluate(self.games)

        if self.by_actor:
            self.pool.request(Evaluate, work)
            return None
        keep()
        with self.clock.timed("evaluate"):
            results = evaluate(self.config, self.learner.acting, self.games, watch=watch)
        return self.finish(results, self.learner.updates)

    def finish(self, results: Evaluated, updates: int) -> Evaluation | None:
        """Record results; None if they are not of the checkpoint under way.

        Args:
            results: what was played.
            updates: of the weights that played.
        """
        evaluation = self.schedule.finish(results, updates)
        self.newest = evaluation or self.newest
        return evaluation

    def at_end(self, steps: int, games: int, watch: Watch) -> dict[str, Summary]:
        """Evaluate the last checkpoint: against the opponent of the settings, or alone and beside random play.

        Args:
            steps: environment steps of the run.
            games: number of games.
            watch: shows progress, or raises to end the evaluation.

        Raises:
            OverBudget: if it takes longer than a run with a time limit grants.
        """
        seconds = self.config.table("run")["seconds"]
        if seconds is not None:
            watch = limited(watch, max(LAST_LEAST, LAST_SHARE * seconds))
        self.schedule.begin(steps, self.learner.updates, self.clock.seconds())
        results = evaluate(self.config, self.learner.acting, games, baseline=True, watch=watch)
        self.schedule.finish(results, self.learner.updates)
        return {name: Summary(outcomes) for name, outcomes in results.games.items()}


def watching(progress: Progress, stopped: Callable[[], bool]) -> Watch:
    """Return a watch that shows how far an evaluation is, and ends it with Stopped where it is to stop."""

    def watch(title: str, count: int, finished: int) -> None:
        progress.evaluating(title, count, finished)
        if stopped():
            raise Stopped(f"{title}: {finished:,} of {count:,} games")

    return watch


def limited(watch: Watch, seconds: float) -> Watch:
    """Return a watch that also ends the evaluation, with OverBudget, after this many seconds from now."""
    end = time.monotonic() + seconds

    def watch_time(title: str, games: int, finished: int) -> None:
        watch(title, games, finished)
        if finished < games and time.monotonic() > end:
            raise OverBudget(f"{title}: {finished:,} of {games:,} games in the {seconds:,.0f} s that it may take")

    return watch_time

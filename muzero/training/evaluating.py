"""Evaluation while a run learns and at its end: greedy play of weights that a checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable

from muzero.actors.pool import ActorPool
from muzero.actors.tasks import Evaluate
from muzero.config import Config
from muzero.evaluation.in_training import Evaluated, Watch, evaluate
from muzero.evaluation.intervals import Summary
from muzero.evaluation.schedule import EvaluationSchedule
from muzero.learning.learner import Learner
from muzero.runs.evaluations import Evaluation
from muzero.training.clock import Clock


class Evaluator:
    """Evaluates a run's weights, in this process or by an actor, and records what came of it."""

    def __init__(
        self, config: Config, schedule: EvaluationSchedule, learner: Learner, pool: ActorPool, clock: Clock
    ) -> None:
        self.config, self.schedule, self.learner, self.pool, self.clock = config, schedule, learner, pool, clock
        self.games = config.table("run")["evaluation_games"]
        actors = config.table("actors")
        self.by_actor = bool(actors["evaluate"] and actors["count"])
        self.newest: Evaluation | None = None

    def in_time(self, steps: int, keep: Callable[[], None], watch: Watch) -> Evaluation | None:
        """Evaluate where it is time.  Returns a finished evaluation; None if there is none, or an actor works on it.

        Args:
            steps: environment steps so far.
            keep: publishes and saves the present weights, which are evaluated next, and calls `schedule.begin`.
            watch: shows progress, or raises to end the evaluation.
        """
        if not self.schedule.due(steps):
            return None

        def work() -> Evaluate:
            keep()
            return Evaluate(self.games)

        if self.by_actor:
            self.pool.request(Evaluate, work)
            return None
        keep()
        with self.clock.timed("evaluate"):
            results = evaluate(self.config, self.learner.model, self.games, watch=watch)
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
        """
        self.schedule.begin(steps, self.learner.updates, self.clock.seconds())
        results = evaluate(self.config, self.learner.model, games, baseline=True, watch=watch)
        self.schedule.finish(results, self.learner.updates)
        return {name: Summary(outcomes) for name, outcomes in results.games.items()}

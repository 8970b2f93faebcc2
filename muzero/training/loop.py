"""The loop: play, store, learn, publish, evaluate, save."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch

from muzero import build
from muzero.actors.tasks import LostCluster, Played, Reanalysed, Result
from muzero.config import Config
from muzero.data.experience import Experience
from muzero.data.limits import Limits
from muzero.data.segment_log import SegmentLog
from muzero.diagnostics.curve import of_game
from muzero.evaluation.in_training import Stopped, check_opponent
from muzero.evaluation.intervals import Summary
from muzero.evaluation.schedule import EvaluationSchedule
from muzero.interfaces import EnvironmentFault, NonFiniteError, PlayerError
from muzero.learning import parallel
from muzero.runs.evaluations import Evaluation
from muzero.runs.folder import RunFolder
from muzero.runs.saving import free
from muzero.training.checkpoints import Snapshots
from muzero.training.clock import Clock, CpuClock
from muzero.training.ending import Ending
from muzero.training.evaluator import Evaluator, watching
from muzero.training.health import Health
from muzero.training.learning import Learning
from muzero.training.placement import gather
from muzero.training.progress import Progress
from muzero.training.reanalysis import Reanalysis
from muzero.training.rounds import Rounds
from muzero.training.scores import Scores
from muzero.training.snapshot import Parts
from muzero.training.standing import Standing
from muzero.training.status import Status
from muzero.training.storing import Storing
from muzero.training.together import Together, require, require_shares
from muzero.util.failpoints import failpoint
from muzero.util.signals import Stop

WAIT = 0.5  # seconds until the screen is refreshed although nothing was delivered
RETRY = 1.0  # seconds until a full disk is tried again


class Training:
    """A run: everything that learns, and the folder that it leaves behind."""

    experience: Experience  # once the folder is open
    snapshots: Snapshots

    def __init__(self, config: Config, folder: Path) -> None:
        """Construct everything that needs no folder: a configuration that does not work leaves nothing behind.

        Raises:
            ConfigError: if the configuration asks for what is not there.
        """
        self.config, self.given = config, folder  # the folder as the user named it
        self.whole = folder.absolute()  # now: an environment may change the working directory
        require(self.whole, parallel.number(), config)
        self.settings = settings = build.settings(config)
        torch.set_num_threads(settings.threads)
        self.closing = ExitStack()
        self.learners, self.device = parallel.join(build.device(settings.device))
        self.closing.callback(parallel.leave)
        # What a learner keeps for itself; the first one keeps what the run has once beside it.
        rank = self.learners.rank
        self.folder = RunFolder(self.whole).learners / str(rank) if rank else self.whole
        self.pool = gather(config, self.device, self.learners)
        self.closing.callback(self.pool.close)
        self.notes = [] if RunFolder(self.whole).exists else self.pool.prepare()  # what is said when the run begins
        self.spec = self.pool.spec
        if self.spec.two_player:
            check_opponent(config)
        model = build.model(config, self.spec, settings.seed)
        objective = build.objective(config, self.spec, model)
        require_shares(config, objective, self.learners.size)
        self.learner = build.learner(config, model, objective, self.device, settings.seed, self.learners)
        self.replay = build.replay(config, self.spec, self.learner.seed, self.device)
        self.clock, self.cpu_clock, self.scores = Clock(), CpuClock(), Scores()
        self.stop = Stop(self.pool.wake)
        self.rounds = Rounds(settings.length) if settings.data else None
        shared = (self.learners, settings, self.replay, self.clock, self.pool, self.stop, self.rounds)
        self.together = Together(*shared)
        learns = (self.folder, settings, self.spec, self.learner, self.replay, self.together)
        self.learning = Learning(*learns, lambda: self.snapshots.newest())
        self.reanalysis = Reanalysis(config, self.learning, self.pool)
        waited = partial(self.clock.waited, self.pool.apart)
        curve = None if settings.data else of_game(settings.game)
        self.health = Health(self.learning.updates, self.scores, curve, waited, recorded=bool(settings.data))
        self.storing = Storing(self.pool, self.scores, config.table("actors")["max_age"])
        self.schedule = EvaluationSchedule(self.folder, settings.evaluate_every)
        self.evaluator = Evaluator(config, self.schedule, self.learner, self.pool, self.clock)
        self.ending = Ending(settings, self.clock, self.pool, self.together)
        shown = (self.together, self.ending, self.learning, self.storing, self.health, self.evaluator, self.cpu_clock)
        self.standing = Standing(settings, *shown)

    def open(self, weights_only: bool = False) -> None:
        """Open the log of experience; to be called while `muzero.runs.folder.owned` holds the folder.

        weights_only: set the log aside and begin an empty one, for `restore`.

        Raises:
            LogError: if it is of another game or another format.
        """
        self.weights_only, folder = weights_only, RunFolder(self.folder).replay
        if weights_only and folder.exists():
            folder.rename(free(self.folder, f"{folder.name}.set-aside"))
        log = SegmentLog(folder, self.spec, self.replay.candidates)
        self.experience = Experience(self.replay, log, Limits(self.learner.model.ranges))
        self.closing.callback(self.experience.close)
        plain = {"seconds": self.clock, "cpu_seconds": self.cpu_clock}
        plain |= {"evaluated_at": self.schedule, "episodes": self.scores, "reanalysis": self.reanalysis}
        plain |= {} if self.rounds is None else {"rounds": self.rounds}
        parts = Parts(self.spec, self.learner, self.experience, self.learning.updates, self.pool, plain)
        saved = (RunFolder(self.folder).checkpoints, parts, self.settings, self.together)
        self.snapshots = self.standing.snapshots = Snapshots(*saved, self.schedule.wanted)

    def close(self) -> None:
        """End the actors, and close the log of experience."""
        self.closing.close()

    def run(self, progress: Progress) -> int | None:
        """Train until the steps or the time are used up.  Returns the signal that ended the run early, if one did.

        Raises:
            EnvironmentFault: if no environment works; what was learned is saved.
            LostCluster: if actors cannot be reached any more; what was learned is saved.
            LostLearner: if another learner ended, whatever its error; the last checkpoint of all stays.
            NonFiniteError: if non-finite values persist after several recoveries, the batch being in the run's folder;
                or if an observation makes finite weights compute NaN or infinity, then what was learned is saved.
            SaveError: if checkpoints cannot be written.
        """
        self.ending.begin()
        with self.stop.listening():
            try:
                self.learners.require_same(self.learner.state()[0])
                self.together.look()
                while self.ending.playing:
                    self._round(progress)
                if self.together.signal is not None:
                    for result in self.pool.drain():  # which are about to finish
                        self._store(result, None)
                self._learn(progress)
                for message in self.ending.messages():
                    self.standing.warn(message)
                if self.pool.lost and not self.finished:
                    self.pool.next_result(0)  # raises LostCluster
            except (EnvironmentFault, LostCluster):
                self._save_alone()
                raise
            except NonFiniteError:
                if self.learning.finite:  # self-play met what the model cannot take
                    self._save_alone()
                raise
            finally:
                self.snapshots.writer.wait()
            self.save(wait=True)
        return self.together.signal

    @property
    def steps(self) -> int:
        """Environment steps of all learners; of a run that learns from recorded experience, updates."""
        return self.together.steps

    @property
    def finished(self) -> bool:
        """Whether nothing is left to play or learn, or no time for it."""
        return self.ending.timed_out or (self.ending.done() >= 1 and self.learner.updates >= self.learning.owed)

    def _round(self, progress: Progress) -> None:
        with self.clock.timed("learn"):
            self._learn(progress)
        if self.together.signal is not None:
            return
        waits = self.snapshots.log_waiting()
        if waits is not None:
            self.standing.warn(waits)
            progress.show(self.status())
            with self.clock.timed("wait"):
                self.stop.woken.wait(RETRY)
        else:
            self._play(progress)
        self.together.look()
        if waits is None or not self.learners.alone:
            self._keep_in_time(progress)

    def _play(self, progress: Progress) -> None:
        """Take a result from the actors, and store it."""
        if self.pool.due(self.learner.updates):
            self._publish()
        with self.clock.timed("play"):
            self.reanalysis.request()
            result = self.pool.next_result(WAIT)
            # Several learners take one result each in every round: the others wait anyway.
            while result is None and not self.learners.alone:
                progress.show(self.status())
                result = self.pool.next_result(WAIT)
        failpoint("train.after_play")
        if result is not None:
            self._store(result, progress)
        elif self.rounds is not None:  # what was owed is planned
            self.rounds.begin()
        self.standing.report(progress)
        progress.show(self.status())

    def _keep_in_time(self, progress: Progress) -> None:
        """Evaluate and save where it is time: several learners at the same number of steps."""
        if self.learners.alone:
            self._evaluate_in_time(progress)
            if self.snapshots.due(self.steps):
                with self.clock.timed("save"):
                    self.save()
            return
        evaluates = self.schedule.due(self.steps, self.ending.done(), self.clock.session())
        evaluates, saves = self.together.leader("what it keeps", evaluates, self.snapshots.due(self.steps))
        if evaluates or saves:
            self.learners.require_same(self.learner.state()[0])
        if evaluates and self.learners.leads:
            self._evaluate_in_time(progress)
        elif evaluates or saves:
            self._publish()
            with self.clock.timed("save"):
                self.save()

    def _store(self, result: Result, progress: Progress | None) -> None:
        """Store an actor's result; without progress, nothing is learned in between."""
        match result.found:
            case Played() as played:
                learn = None if progress is None else lambda: self._learn(progress)
                self.storing.store(self.experience, played, learn)
            case Reanalysed(numbers, policy, value, candidates):
                plans = policy, value, candidates
                self.storing.refreshed += self.replay.refresh(numbers, *plans, version=result.version)
            case evaluated:
                self._evaluated(self.evaluator.finish(evaluated, result.version), progress)

    def _publish(self) -> None:
        """Publish the weights to the actors if they are finite."""
        self.learning.ensure_finite()
        self.pool.publish(self.learner.weights(), self.learner.updates)

    def _learn(self, progress: Progress) -> None:
        """Make the updates that are owed for the steps stored; see `Learning.learn`."""

        def show() -> None:
            if self.learners.leads:
                self.health.look(self.ending.done(), self.steps)
            if progress.due:
                progress.show(self.status())

        self.learning.learn(self.ending.done, lambda: self.ending.halted, show)

    # --- evaluation ----------------------------------------------------------------------------------------------

    def evaluate(self, games: int, progress: Progress) -> dict[str, Summary]:
        """Evaluate the last checkpoint; see `Evaluator.at_end`.

        Raises:
            Stopped: if a signal arrives before the games are finished, `stop.number` names it; or if the time is up.
            EnvironmentFault: if too many games break in a row.
            PlayerError: if the opponent cannot play.
        """
        watch = watching(progress, lambda: self.stop.number is not None)
        with self.stop.listening():
            try:
                return self.evaluator.at_end(self.steps, games, watch)
            finally:
                progress.clear()

    def _evaluate_in_time(self, progress: Progress) -> None:
        """Evaluate where it is time; a failed evaluation is not a reason to end a run."""
        watch = watching(progress, lambda: self.ending.halted or self.stop.number is not None)
        try:
            evaluation = self.evaluator.in_time(self.steps, self.ending.done(), self._keep, watch)
        except Stopped:
            return  # a resumed run evaluates this checkpoint again
        except (EnvironmentFault, PlayerError) as error:
            self.standing.warn(f"the evaluation at {self.steps:,} {self.settings.unit} failed: {error}")
            return
        self._evaluated(evaluation, progress)

    def _keep(self) -> None:
        """Publish and save the present weights, which are evaluated next."""
        self._publish()  # first: weights that are not finite are replaced by those of a checkpoint
        self.schedule.begin(self.steps, self.learner.updates, self.clock.seconds())
        with self.clock.timed("save"):
            self.save()

    def _evaluated(self, evaluation: Evaluation | None, progress: Progress | None) -> None:
        if self.schedule.missed is not None:
            self.standing.warn(f"an evaluation could not be written: {self.schedule.missed}")
        if evaluation is not None and progress is not None:
            progress.evaluated(evaluation, self.status())

    # --- saving and showing --------------------------------------------------------------------------------------

    def save(self, games: bool = True, wait: bool = False) -> None:
        """Begin to write a checkpoint; see `Snapshots.save`."""
        self.snapshots.save(self.steps, games, wait)

    def _save_alone(self) -> None:
        """Save what was learned where self-play fails; not what one of several has: the others continue."""
        if self.learners.alone:
            self.save(games=False, wait=True)

    def restore(self) -> list[str]:
        """Continue from the newest checkpoint that is whole, of all learners; see `Snapshots.restore`."""
        warnings = self.snapshots.restore(self.weights_only)
        self.together.look()
        return warnings

    @property
    def warnings(self) -> list[str]:
        """What the user should know so far."""
        return self.standing.warnings

    def status(self) -> Status:
        """What the run is doing now."""
        return self.standing.status()

"""The loop: play, store, learn, publish, evaluate, save."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch

from muzero import build
from muzero.actors.tasks import LostCluster, Played, Reanalyse, Reanalysed, Result
from muzero.config import Config
from muzero.data.experience import Experience
from muzero.data.limits import Limits
from muzero.data.segment_log import SegmentLog
from muzero.evaluation.in_training import Stopped, check_opponent
from muzero.evaluation.intervals import Summary
from muzero.evaluation.schedule import EvaluationSchedule
from muzero.interfaces import EnvironmentFault, NonFiniteError, PlayerError, Window
from muzero.runs.evaluations import Evaluation
from muzero.runs.folder import RunFolder
from muzero.runs.saving import free
from muzero.training.clock import Clock
from muzero.training.evaluating import Evaluator
from muzero.training.placement import gather
from muzero.training.progress import Progress
from muzero.training.scores import Scores
from muzero.training.snapshot import Parts, Snapshots
from muzero.training.status import Status
from muzero.util.failpoints import failpoint
from muzero.util.seeds import derive
from muzero.util.signals import Stop

WAIT = 0.5  # seconds until the screen is refreshed although nothing was delivered
REANALYSED = 256  # positions at a time
SKIPPED = 10  # updates in a row with non-finite gradients after which the last checkpoint's learner is restored
RECOVERIES = 3  # times that this happens before the run ends
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
        self.folder = folder.absolute()  # now: an environment may change the working directory
        self.settings = settings = build.settings(config)
        self.oldest_weights = config.table("actors")["max_age"]
        torch.set_num_threads(settings.threads)
        self.device = build.device(settings.device)
        self.closing = ExitStack()
        self.pool = gather(config, self.device)
        self.closing.callback(self.pool.close)
        self.spec = self.pool.spec
        if self.spec.two_player:
            check_opponent(config)
        model = build.model(config, self.spec, settings.seed)
        objective = build.objective(config, self.spec, model)
        self.learner = build.learner(config, model, objective, self.device)
        self.replay = build.replay(config, self.spec, settings.seed)
        self.clock, self.scores = Clock(), Scores()
        self.schedule = EvaluationSchedule(self.folder, settings.evaluate_every)
        self.evaluator = Evaluator(config, self.schedule, self.learner, self.pool, self.clock)
        self.stop = Stop(self.pool.wake)
        self.recoveries = 0
        self.faults = self.rejected = self.faults_reported = 0  # games that broke off, segments that failed validation
        self.last_fault: str | None = None
        self.refreshed = 0  # rows planned again
        self.losses: dict[str, torch.Tensor] = {}
        self.warnings: list[str] = []

    def open(self, weights_only: bool = False) -> None:
        """Open the log of experience; to be called while `muzero.runs.folder.owned` holds the folder.

        weights_only: set the log aside and begin an empty one, for `restore`.

        Raises:
            LogError: if it is of another game or another format.
        """
        self.weights_only, folder = weights_only, RunFolder(self.folder).replay
        if weights_only and folder.exists():
            folder.rename(free(self.folder, f"{folder.name}.set-aside"))
        log = SegmentLog(folder, self.spec)
        self.experience = Experience(self.replay, log, Limits(self.learner.model.ranges))
        self.closing.callback(self.experience.close)
        plain = {"seconds": self.clock, "evaluated_at": self.schedule, "episodes": self.scores}
        parts = Parts(self.spec, self.learner, self.experience, self.pool, plain)
        self.snapshots = Snapshots(RunFolder(self.folder).checkpoints, parts, self.settings, self.schedule.wanted)

    def close(self) -> None:
        """Release actors and files."""
        self.closing.close()

    # --- the loop ------------------------------------------------------------------------------------------------

    def run(self, progress: Progress) -> int | None:
        """Train until the steps or the time are used up.  Returns the signal that ended the run early, if one did.

        Raises:
            EnvironmentFault: if no environment works; what was learned is saved.
            LostCluster: if actors cannot be reached any more; what was learned is saved.
            NonFiniteError: if non-finite values persist after several recoveries, the batch being in the run's folder;
                or if an observation makes finite weights compute NaN or infinity, then what was learned is saved.
            SaveError: if checkpoints cannot be written.
        """
        if self.settings.seconds is not None:
            self.pool.deadline = time.monotonic() + self.settings.seconds - self.clock.seconds()
        with self.stop.listening():
            try:
                while self.done() < 1 and not self.halted:
                    self._round(progress)
                if self.stop.number is not None:
                    self._drain()
                self._learn(progress)
                if self.pool.lost and self.learner.updates < self.owed:
                    self.pool.next_result(0)  # raises LostCluster
            except (EnvironmentFault, LostCluster):
                self.save(games=False, wait=True)
                raise
            except NonFiniteError:
                if self.learner.is_finite(self._positions()):  # self-play met what the model cannot take
                    self.save(games=False, wait=True)
                raise
            finally:
                self.snapshots.writer.wait()
            self.save(wait=True)
        return self.stop.number

    @property
    def finished(self) -> bool:
        """Whether nothing is left to play or learn."""
        return self.done() >= 1 and self.learner.updates >= self.owed

    @property
    def halted(self) -> bool:
        """Whether to stop learning: a signal was received, the cluster is lost, or the time is up."""
        return self.stop.number is not None or self.pool.lost or time.monotonic() >= self.pool.deadline

    def done(self) -> float:
        """Share of the run that is done."""
        share = self.replay.steps / self.settings.steps
        if self.settings.seconds is not None:
            share = max(share, self.clock.seconds() / self.settings.seconds)
        return share

    def _round(self, progress: Progress) -> None:
        with self.clock.timed("learn"):
            self._learn(progress)
        if self.stop.number is not None:
            return
        waits = self.snapshots.log_waiting()
        if waits is not None:
            self.warn(waits)
            progress.show(self.status())
            with self.clock.timed("wait"):
                self.stop.woken.wait(RETRY)
            return
        if self.pool.due(self.learner.updates):
            self._publish()
        with self.clock.timed("play"):
            result = self.pool.next_result(WAIT)
        failpoint("train.after_play")
        if result is not None:
            self._store(result, progress)
        self._plan_again()
        self._report(progress)
        progress.show(self.status())
        self._evaluate_in_time(progress)
        if self.snapshots.due(self.replay.steps):
            with self.clock.timed("save"):
                self.save()
            if self.snapshots.writer.error is not None:
                self.warn(f"the last checkpoint was not written: {self.snapshots.writer.error}")

    def _store(self, result: Result, progress: Progress | None) -> None:
        """Store an actor's result; without progress, nothing is learned in between."""
        match result.found:
            case Played() as played:
                self._store_played(played, progress)
            case Reanalysed(numbers, policy, value):
                self.refreshed += self.replay.refresh(numbers, policy, value)
            case evaluated:
                self._evaluated(self.evaluator.finish(evaluated, result.version), progress)

    def _store_played(self, played: Played, progress: Progress | None) -> None:
        # Where a stop has to leave everything as it would be without it, nothing is learned in between.
        parts = [played.segments] if self.pool.exact else [[segment] for segment in played.segments]
        for part in parts:
            self.experience.receive(part, lambda version: self.pool.age(version) <= self.oldest_weights)
            failpoint("train.after_store")
            if not self.pool.exact and progress is not None:
                self._learn(progress)
        self.scores.add(played.episodes)
        self.faults, self.rejected = self.faults + played.faults, self.rejected + played.rejected
        self.last_fault = played.last_fault or self.last_fault

    def _drain(self) -> None:
        """Store results that are about to finish."""
        for result in self.pool.drain():
            self._store(result, None)

    def _plan_again(self) -> None:
        """Keep the actors busy that plan stored positions again."""
        if self.learner.updates:
            while self.pool.request(Reanalyse, lambda: Reanalyse(self.replay.positions(REANALYSED))):
                pass

    def _publish(self) -> None:
        """Publish the weights to the actors if they are finite."""
        while not self.learner.is_finite(self._positions()):
            self._recover("the weights are not finite", None)
        self.pool.publish(self.learner.weights(), self.learner.updates)

    def _positions(self) -> torch.Tensor:
        """Observations on which weights are tried out."""
        return torch.zeros(2, *self.spec.observation, dtype=getattr(torch, self.spec.dtype))

    @property
    def owed(self) -> int:
        """Updates that the steps stored so far are worth."""
        return int((self.replay.steps - self.settings.start) * self.settings.updates_per_step)

    def _learn(self, progress: Progress) -> None:
        """Make the updates that are owed for the steps stored.

        Stops between two updates if asked to: the rest is still owed after a resume, so nothing is different then.
        """
        if len(self.replay) < min(self.settings.start, self.replay.capacity):
            return  # after a resume that lost experience
        while self.learner.updates < self.owed and not self.halted:
            rows, window = self.replay.sample(self.learner.batch, self.learner.objective.window)
            self.losses, priority = self.learner.update(window, self.done())
            if self.learner.skipped_in_a_row == 0:
                self.replay.update(rows, priority)
            elif self.learner.skipped_in_a_row == SKIPPED:
                self._recover(f"{SKIPPED} updates in a row had non-finite gradients", window)
            if progress.due:
                progress.show(self.status())

    def _recover(self, why: str, window: Window | None) -> None:
        """Restore the learner of the last checkpoint, and sample other batches from now on.

        Raises:
            NonFiniteError: after too many times; the batch, if there is one, is left in the run's folder.
        """
        if self.recoveries == RECOVERIES:
            where = ""
            if window is not None:
                file = RunFolder(self.folder).bad_batch
                np.savez(file, **{name: tensor.cpu().numpy() for name, tensor in vars(window).items()})
                largest = window.observation.double().abs().max().item()
                where = f"; the last batch, whose largest number in an observation is {largest:g}, is in {file}"
            raise NonFiniteError(f"{why}, also after {RECOVERIES} returns to a checkpoint{where}")
        self.recoveries += 1
        found = self.snapshots.newest()
        self.learner.restore(found.tensors, found.state["learner"])
        self.replay.rng = np.random.default_rng(
            derive(self.settings.seed, "replay after a recovery", self.recoveries, self.replay.written)
        )

    # --- evaluation ----------------------------------------------------------------------------------------------

    def evaluate(self, games: int, progress: Progress) -> dict[str, Summary]:
        """Evaluate the last checkpoint; see `Evaluator.at_end`.

        Raises:
            Stopped: if a signal arrives before the games are finished; `stop.number` names it.
            EnvironmentFault: if too many games break in a row.
            PlayerError: if the opponent cannot play.
        """

        def watch(title: str, count: int, finished: int) -> None:
            progress.evaluating(title, count, finished)
            if self.stop.number is not None:
                raise Stopped(f"{title}: {finished:,} of {count:,} games")

        with self.stop.listening():
            try:
                return self.evaluator.at_end(self.replay.steps, games, watch)
            finally:
                progress.clear()

    def _evaluate_in_time(self, progress: Progress) -> None:
        """Evaluate where it is time; a failed evaluation is not a reason to end a run."""

        def watch(title: str, count: int, finished: int) -> None:
            progress.evaluating(title, count, finished)
            if self.halted:
                raise Stopped(title)

        try:
            evaluation = self.evaluator.in_time(self.replay.steps, self.done(), self._keep, watch)
        except Stopped:
            return  # a resumed run evaluates this checkpoint again
        except (EnvironmentFault, PlayerError) as error:
            self.warn(f"the evaluation at {self.replay.steps:,} steps failed: {error}")
            return
        self._evaluated(evaluation, progress)

    def _keep(self) -> None:
        """Publish and save the present weights, which are evaluated next."""
        self._publish()  # first: weights that are not finite are replaced by those of a checkpoint
        self.schedule.begin(self.replay.steps, self.learner.updates, self.clock.seconds())
        with self.clock.timed("save"):
            self.save()

    def _evaluated(self, evaluation: Evaluation | None, progress: Progress | None) -> None:
        if self.schedule.missed is not None:
            self.warn(f"an evaluation could not be written: {self.schedule.missed}")
        if evaluation is not None and progress is not None:
            progress.evaluated(evaluation, self.status())

    # --- saving and showing --------------------------------------------------------------------------------------

    def save(self, games: bool = True, wait: bool = False) -> None:
        """Begin to write a checkpoint; see `Snapshots.save`."""
        self.snapshots.save(self.replay.steps, games, wait)

    def restore(self) -> list[str]:
        """Continue from the newest checkpoint that is whole; see `Snapshots.restore`."""
        return self.snapshots.restore(self.weights_only)

    def warn(self, message: str) -> None:
        """Have something shown to the user, once."""
        if message not in self.warnings:
            self.warnings.append(message)

    def _report(self, progress: Progress) -> None:
        """Show what actors report, and faults of environments: the first, the second, the fourth, and so on."""
        for message in self.pool.messages():
            progress.trouble(message)
        for message in self.experience.messages():
            self.warn(message)
        count = self.faults + self.rejected
        if count and count >= 2 * self.faults_reported:
            self.faults_reported = count
            self.warn(f"environment faults so far: {count}, the last: {self.last_fault}")

    def status(self) -> Status:
        """What the run is doing now."""
        counters: dict[str, float] = {"replay_rows": len(self.replay), "skipped_updates": self.learner.skipped}
        counters |= {"recoveries": self.recoveries, "checkpoint_failures": self.snapshots.writer.failures}
        counters |= {"environment_faults": self.faults, "rejected_segments": self.rejected}
        counters |= {"refreshed_rows": self.refreshed}
        counters["updates_error"] = (self.learner.updates - self.owed) / max(self.owed, 1)
        return Status(
            clock=time.monotonic(),
            steps=self.replay.steps,
            goal=self.settings.steps,
            start=self.settings.start,
            updates=self.learner.updates,
            seconds=self.clock.seconds(),
            done=self.done(),
            losses=self.losses,
            score=self.scores.score,
            length=self.scores.length,
            greedy=self.evaluator.newest,
            phases=dict(self.clock.phases),
            counters=counters | self.experience.counts() | self.pool.counts(),
            warnings=tuple(self.warnings),
        )

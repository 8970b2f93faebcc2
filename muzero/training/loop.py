"""The loop: play, store, learn, publish, evaluate, save."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from muzero import build
from muzero.actors.tasks import Evaluate, LostCluster, Played, Reanalyse, Reanalysed, Result
from muzero.config import Config
from muzero.data.experience import Experience
from muzero.data.segment_log import SegmentLog
from muzero.evaluation.in_training import Evaluated, check_opponent, evaluate
from muzero.evaluation.intervals import Summary
from muzero.evaluation.schedule import EvaluationSchedule
from muzero.interfaces import EnvironmentFault, NonFiniteError, Window
from muzero.runs import checkpoint, saving
from muzero.runs.saving import SaveError
from muzero.training import snapshot
from muzero.training.placement import gather
from muzero.training.progress import Progress
from muzero.util.failpoints import failpoint
from muzero.util.signals import Stop

WAIT = 0.5  # seconds until the screen is refreshed although nothing was delivered
REANALYSED = 256  # positions at a time
SKIPPED = 10  # updates in a row without numbers after which the last checkpoint is taken up again
RECOVERIES = 3  # and so often
RETRY = 1.0  # seconds until a full disk is tried again


class Training:
    """A run: everything that learns, and the folder that it leaves behind."""

    def __init__(self, config: Config, folder: Path) -> None:
        """Nothing is written yet."""
        self.config, self.folder = config, folder
        self.settings = settings = config.construct("run")
        self.evaluates = config.table("actors")["evaluate"] and config.table("actors")["count"]
        self.oldest_weights = config.table("actors")["max_age"]
        torch.set_num_threads(settings.threads)
        self.device = build.device(settings.device)
        self.pool = gather(config, self.device)
        self.spec = self.pool.spec
        if self.spec.two_player:
            check_opponent(config)
        model = build.model(config, self.spec, settings.seed)
        objective = build.objective(config, self.spec, model)
        self.learner = config.construct("learner", model, objective, self.device)
        self.replay = config.construct("replay", self.spec, settings.seed)
        self.writer = saving.Writer()
        self.episodes: deque[float] = deque(maxlen=100)  # scores of the latest games
        self.restart_clock(0.0)
        self.saved_at = 0
        self.schedule = EvaluationSchedule(folder, settings.evaluate_every)
        self.recoveries = 0
        self.faults = self.rejected = self.faults_reported = 0  # games that broke off, segments that did not hold
        self.last_fault: str | None = None
        self.refreshed = 0  # rows planned again
        self.stop = Stop(self.pool.wake)
        self.metrics: dict[str, torch.Tensor] = {}
        # seconds of this session
        self.seconds_by_phase: dict[str, float] = dict.fromkeys(("play", "learn", "evaluate", "save", "wait"), 0.0)

    @cached_property
    def experience(self) -> Experience:
        """The replay and its log, which is opened when it is first asked for; see `muzero.runs.folder.owned`."""
        return Experience(self.replay, SegmentLog(self.folder / "replay", self.spec))

    # --- the loop ------------------------------------------------------------------------------------------------

    def run(self, progress: Progress) -> int | None:
        """Train until the steps or the time are used up.  Returns the signal that ended the run early, if one did.

        Raises:
            EnvironmentFault: if no environment works; what was learned is saved.
            LostCluster: if actors cannot be reached any more; what was learned is saved.
            NonFiniteError: if the weights stop being numbers again and again; the batch is in the run's folder.
            SaveError: if checkpoints cannot be written.
        """
        with self.stop.listening():
            try:
                while self.done() < 1 and not self.halted:
                    self._round(progress)
                if self.stop.number is not None:
                    self._drain()
                self._learn(progress)
                if self.pool.lost and self.learner.updates < self.owed:
                    self.pool.next_result(0)  # says so
            except (EnvironmentFault, LostCluster):
                self.save(games=False, wait=True)
                raise
            finally:
                self.writer.wait()
            self.save(wait=True)
        return self.stop.number

    @property
    def halted(self) -> bool:
        """Whether there is something more urgent than to learn."""
        return self.stop.number is not None or self.pool.lost

    def done(self) -> float:
        """Share of the run that is done."""
        share = self.replay.steps / self.settings.steps
        if self.settings.seconds is not None:
            share = max(share, self.seconds() / self.settings.seconds) if self.settings.seconds else 1.0
        return share

    def seconds(self) -> float:
        """Seconds of training, earlier sessions of this run included."""
        return self.elapsed + time.monotonic() - self.began

    def restart_clock(self, elapsed: float) -> None:
        """Count from now on, after so many seconds of earlier sessions."""
        self.elapsed, self.began = elapsed, time.monotonic()

    def _round(self, progress: Progress) -> None:
        settings = self.settings
        with self._timed("learn"):
            self._learn(progress)
        if self.stop.number is not None:
            return
        if self.experience.waiting and not self.experience.write():
            progress.warn(f"{self.experience.error}: nothing is played until there is space again")
            with self._timed("wait"):
                self.stop.woken.wait(RETRY)
            return
        if self.pool.due(self.learner.updates):
            self._publish()
        with self._timed("play"):
            result = self.pool.next_result(WAIT)
        failpoint("train.after_play")
        if result is not None:
            self._store(result, progress)
        self._plan_again()
        self._report(progress)
        progress.show(self)
        self._evaluate_in_time(progress)
        if self.replay.steps - self.saved_at >= settings.save_every:
            with self._timed("save"):
                self.save()
            if self.writer.error is not None:
                progress.warn(f"the last checkpoint was not written: {self.writer.error}")

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds_by_phase[name] += time.perf_counter() - began

    def _store(self, result: Result, progress: Progress | None) -> None:
        """Take in an actor's result."""
        match result.found:
            case Played() as played:
                self._store_played(played, progress)
            case Reanalysed(numbers, policy, value):
                self.refreshed += self.replay.refresh(numbers, policy, value)
            case evaluated:
                self._evaluated(evaluated, result.version, progress)

    def _store_played(self, played: Played, progress: Progress | None) -> None:
        # Where a stop has to leave everything as it would be without it, nothing is learned in between.
        parts = [played.segments] if self.pool.exact else [[segment] for segment in played.segments]
        for part in parts:
            self.experience.receive(part, lambda version: self.pool.age(version) <= self.oldest_weights)
            failpoint("train.after_store")
            if not self.pool.exact and progress is not None:
                self._learn(progress)
        self.episodes.extend(episode.score for episode in played.episodes)
        self.faults, self.rejected = self.faults + played.faults, self.rejected + played.rejected
        self.last_fault = played.last_fault or self.last_fault

    def _drain(self) -> None:
        """What actors are about to finish is not thrown away."""
        for result in self.pool.drain():
            self._store(result, None)

    def _plan_again(self) -> None:
        """Keep those busy who plan stored positions again."""
        if self.learner.updates:
            while self.pool.request(Reanalyse, lambda: Reanalyse(self.replay.positions(REANALYSED))):
                pass

    def _report(self, progress: Progress) -> None:
        """Say what actors say, and what environments did wrong: the first time, the second, the fourth, and so on."""
        for message in self.pool.messages():
            progress.trouble(message)
        count = self.faults + self.rejected
        if count and count >= 2 * self.faults_reported:
            self.faults_reported = count
            progress.warn(f"environment faults so far: {count}, the last: {self.last_fault}")

    def _publish(self) -> None:
        """Give the weights to whoever plays, unless they are none."""
        positions = torch.zeros(2, *self.spec.observation, dtype=getattr(torch, self.spec.dtype))
        while not self.learner.is_finite(positions):
            self._recover("the weights are no numbers", None)
        self.pool.publish(self.learner.weights(), self.learner.updates)

    @property
    def owed(self) -> int:
        """Updates that the steps stored so far are worth."""
        return int((self.replay.steps - self.settings.start) * self.settings.updates_per_step)

    def _learn(self, progress: Progress) -> None:
        """Make the updates that are owed for the steps stored.

        Stops between two updates if asked to: the rest is still owed after a resume, so nothing is different then.
        """
        while self.learner.updates < self.owed and not self.halted:
            rows, window = self.replay.sample(self.learner.batch, self.learner.objective.window)
            self.metrics, priority = self.learner.update(window, self.done())
            if self.learner.skipped_in_a_row == 0:
                self.replay.update(rows, priority)
            elif self.learner.skipped_in_a_row == SKIPPED:
                self._recover(f"{SKIPPED} updates in a row gave no numbers", window)
            progress.show(self)

    def _recover(self, why: str, window: Window | None) -> None:
        """Take up the learner of the last checkpoint, and sample other batches from now on.

        Raises:
            NonFiniteError: after too many times; the batch, if there is one, is left in the run's folder.
        """
        self.writer.wait()
        if self.recoveries == RECOVERIES:
            where = ""
            if window is not None:
                file = self.folder / "bad-batch.npz"
                np.savez(file, **{name: tensor.cpu().numpy() for name, tensor in vars(window).items()})
                where = f"; the last batch is in {file}"
            raise NonFiniteError(f"{why}, also after {RECOVERIES} returns to a checkpoint{where}")
        self.recoveries += 1
        found, _ = snapshot.newest(self, self.folder / "checkpoints")
        self.learner.restore(found.tensors, found.state["learner"])
        self.replay.rng = np.random.default_rng([self.settings.seed, self.recoveries, self.replay.written])

    # --- evaluation ----------------------------------------------------------------------------------------------

    def evaluate(self, count: int) -> dict[str, Summary]:
        """Play the last checkpoint greedily: against the opponent of the settings, or alone, random play beside it."""
        self.schedule.begin(self.replay.steps, self.learner.updates, self.seconds())
        results = evaluate(self.config, self.learner.model, count, baseline=True)
        self.schedule.finish(results, self.learner.updates)
        return {name: Summary(outcomes) for name, outcomes in results.games.items()}

    def _evaluate_in_time(self, progress: Progress) -> None:
        """Evaluate where it is time, and save what is evaluated: an actor does it, if there is one for that."""
        if not self.schedule.due(self.replay.steps):
            return
        if self.evaluates:
            self.pool.request(Evaluate, self._to_evaluate)
            return
        work = self._to_evaluate()
        with self._timed("evaluate"):
            results = evaluate(self.config, self.learner.model, work.games)
        self._evaluated(results, self.learner.updates, progress)

    def _to_evaluate(self) -> Evaluate:
        """Publish and save what is there now."""
        self._publish()  # first: where weights are no numbers, it goes back to others
        self.schedule.begin(self.replay.steps, self.learner.updates, self.seconds())
        with self._timed("save"):
            self.save()
        return Evaluate(self.settings.evaluation_games)

    def _evaluated(self, results: Evaluated, updates: int, progress: Progress | None) -> None:
        evaluation = self.schedule.finish(results, updates)
        if evaluation is not None and progress is not None:
            progress.evaluated(self, evaluation)
            if self.schedule.missed is not None:
                progress.warn(f"an evaluation could not be written: {self.schedule.missed}")

    # --- saving --------------------------------------------------------------------------------------------------

    def save(self, games: bool = True, wait: bool = False) -> None:
        """Begin to write a checkpoint; without games, a resumed run begins new ones.

        wait: until it is written.

        Raises:
            SaveError: if it was waited for and could not be written, or too many in a row could not.
        """
        self.saved_at = self.replay.steps
        if not self.experience.write():  # a checkpoint would leave out what waits
            raise_if(wait, self.experience.error)
            return
        arrays, state = snapshot.collect(self, games)
        notes: dict[str, Any] = {"seconds": state["seconds"], "log": self.experience.oldest.file}
        notes["fingerprint"] = checkpoint.fingerprint(self.spec)
        step, folder, settings = self.replay.steps, self.folder / "checkpoints", self.settings

        def job() -> None:
            self.experience.log.sync()  # first: a checkpoint must not name segments that the disk does not hold
            saving.save(folder, step, arrays, state, notes)
            wanted = self.schedule.wanted()
            self.experience.log.drop_before(saving.prune(folder, settings.keep, settings.keep_every, wanted))

        self.writer.wait()
        raise_if(0 < settings.failed_saves <= self.writer.in_a_row, self.writer.error)
        self.writer.submit(job)
        if wait:
            self.writer.wait()
            raise_if(True, self.writer.error)

    def restore(self) -> list[str]:
        """Go on from the newest checkpoint that is whole.  Returns what a person should know about it.

        Raises:
            CheckpointError: if there is none, or it is for another game or another network.
        """
        found, problems = snapshot.newest(self, self.folder / "checkpoints")
        notes = [f"{problem}; going back to step {found.step:,}" for problem in problems]
        notes += snapshot.apply(self, found)
        failpoint("resume.after_restore")
        return notes

    def close(self) -> None:
        """Let go of actors and files."""
        self.pool.close()
        if "experience" in vars(self):
            self.experience.close()


def raise_if(wanted: bool, error: Exception | None) -> None:
    """Give up where checkpoints cannot be written."""
    if wanted and error is not None:
        raise SaveError(f"no checkpoint could be written: {error}") from error

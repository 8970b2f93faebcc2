"""The checkpoints of a run: written in the background, read back on a resume."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from muzero.config.run import RunSettings
from muzero.runs import checkpoint, compatibility, saving
from muzero.runs.checkpoint import Checkpoint, CheckpointError
from muzero.runs.saving import SaveError
from muzero.training.snapshot import WEIGHTS_ONLY, Parts, Snapshot, apply, apply_weights, newest, read
from muzero.training.together import Together
from muzero.util.failpoints import failpoint
from muzero.util.files import FULL


class Snapshots:
    """The checkpoints of a run: written in the background, read back on a resume."""

    def __init__(
        self,
        folder: Path,
        parts: Parts,
        settings: RunSettings,
        together: Together,
        wanted: Callable[[], Collection[int]],
    ) -> None:
        """Write and read nothing yet.

        Args:
            folder: of the checkpoints.
            parts: what they hold.
            settings: of the run.
            together: what the learners of the run agree on.
            wanted: says of which steps checkpoints stay beside the newest.
        """
        self.folder, self.parts, self.settings, self.together, self.wanted = folder, parts, settings, together, wanted
        # Of several learners one may die before it has written the newest: all have the one before.
        self.keep = settings.keep if together.learners.alone else max(settings.keep, 2)
        self.writer = saving.Writer()
        self.saved_at = 0  # environment steps of the newest
        self.saved: tuple[int, int] | None = None  # environment steps and updates of the newest
        self.full_in_a_row = 0  # attempts to log segments on a full disk

    def due(self, steps: int) -> bool:
        """Whether it is time for the next."""
        return steps - self.saved_at >= self.settings.save_every

    def save(self, steps: int, games: bool = True, wait: bool = False) -> None:
        """Begin to write a checkpoint.

        Args:
            steps: environment steps so far.
            games: include the games under way; without them, a resumed run begins new ones.
            wait: until it is written.

        Raises:
            SaveError: if it was waited for and could not be written, or too many in a row could not.
        """
        self.saved_at = steps
        experience = self.parts.experience
        lost = experience.log.lost()
        wait = wait or bool(lost)
        if not experience.write():  # a checkpoint would leave out what waits
            raise_if(wait, experience.error)
            return
        self.writer.wait()
        now = (steps, self.parts.learner.updates)
        if wait and now == self.saved and self.writer.error is None and not lost:
            return  # nothing happened since
        self.saved = now
        arrays, state = self.parts.collect(games)
        notes: dict[str, Any] = {"seconds": state["seconds"], "log": experience.oldest.file}
        notes["fingerprint"] = compatibility.fingerprint(self.parts.spec)

        prunes = self.together.prunes

        def job() -> None:
            experience.log.sync()  # first: a checkpoint must not name segments that are not on the disk
            saving.save(self.folder, steps, arrays, state, notes)
            self.together.written = steps
            if not prunes:
                return
            needed = saving.prune(self.folder, self.keep, self.settings.keep_every, self.wanted())
            experience.log.drop_before(needed)

        raise_if(0 < self.settings.failed_saves <= self.writer.in_a_row, self.writer.error)
        self.writer.submit(job)
        if wait:
            self.writer.wait()
            raise_if(True, self.writer.error)
        if lost:
            names = ", ".join(map(str, lost))
            raise SaveError(f"{names} was removed while the run learned, and a resume needs it; {WEIGHTS_ONLY}")

    def messages(self) -> list[str]:
        """What the user should know of checkpoints; repeated as long as it is true."""
        error = self.writer.error
        return [] if error is None else [f"the last checkpoint was not written: {error}"]

    def log_waiting(self) -> str | None:
        """Log the segments that wait for space.  Returns why they still wait, if they do.

        Raises:
            SaveError: if the log cannot be written for another reason than a full disk, or it was full too often.
        """
        experience = self.parts.experience
        if not experience.waiting or experience.write() or experience.error is None:
            self.full_in_a_row = 0
            return None
        error = experience.error
        self.full_in_a_row += 1
        if error.errno not in FULL or 0 < self.settings.failed_saves <= self.full_in_a_row:
            raise SaveError(f"the log of experience cannot be written: {error}") from error
        return f"{error}: nothing is played until there is space again"

    def newest(self) -> Snapshot:
        """The newest usable checkpoint, once the one under way is written.

        Raises:
            CheckpointError: if there is none.
        """
        self.writer.wait()
        return newest(self.folder, lambda found: read(self.parts, found))[0]

    def restore(self, weights_only: bool = False) -> list[str]:
        """Continue from the newest checkpoint that is whole.  Returns what the user should know about it.

        weights_only: with an empty log and new games.

        Raises:
            CheckpointError: if there is none, or it is for another game or another network.
        """
        if self.folder.is_dir():
            saving.clean(self.folder)  # now: a run that is finished saves nothing more
        last = self._last_of_all()

        def use(found: Checkpoint) -> tuple[Snapshot, list[str]]:
            if found.step > last:
                raise CheckpointError(f"{found.path}: not all learners have it")
            snapshot = read(self.parts, found, weights_only)
            return snapshot, (apply_weights if weights_only else apply)(self.parts, snapshot)

        (found, warnings), problems = newest(self.folder, use)
        notes = [f"{problem}; going back to step {found.step:,}" for problem in problems] + warnings
        if not self.together.learners.alone:
            for path in checkpoint.listed(self.folder):
                if checkpoint.step_of(path) > last:
                    checkpoint.set_aside(path)
        self.saved_at = self.together.written = found.step
        self.saved = (found.step, self.parts.learner.updates)
        failpoint("resume.after_restore")
        return notes

    def _last_of_all(self) -> float:
        """Steps of the newest checkpoint that is whole in all of several learners; infinity for one alone.

        Raises:
            CheckpointError: if there is none.
        """
        learners, last = self.together.learners, math.inf
        while not learners.alone:
            steps = learners.gather("its newest checkpoint", newest_step(self.folder, last))
            last = min(step for (step,) in steps)
            if last < 0:
                raise CheckpointError(f"{self.folder}: the {learners.size} learners have no checkpoint in common")
            if all(step == last for (step,) in steps):
                break
        return last


def newest_step(folder: Path, last: float) -> int:
    """Steps of the newest checkpoint that is whole and not newer than another; -1 if there is none."""
    for path in reversed(checkpoint.listed(folder)):
        with suppress(CheckpointError):
            if checkpoint.step_of(path) <= last:
                return checkpoint.verify(path).step
    return -1


def raise_if(wanted: bool, error: Exception | None) -> None:
    """Give up where checkpoints cannot be written."""
    if wanted and error is not None:
        raise SaveError(f"no checkpoint could be written: {error}") from error

"""A run as a checkpoint: what of it is saved, and how it continues from that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from muzero.actors import pending
from muzero.actors.pool import ActorPool
from muzero.config.run import RunSettings
from muzero.data.experience import Experience
from muzero.interfaces import EnvironmentFault, GameSpec
from muzero.learning.learner import Learner
from muzero.runs import checkpoint, compatibility, saving
from muzero.runs.checkpoint import UNFIT, Checkpoint, CheckpointError
from muzero.runs.saving import SaveError
from muzero.training.snapshot_checks import PlainPart, check_arrays, check_state
from muzero.training.updates import Updates
from muzero.util.failpoints import failpoint
from muzero.util.files import FULL

T = TypeVar("T")
WEIGHTS_ONLY = "the weights are whole: continue with them alone with --resume RUN --weights-only"
LEARNED = ("model", "target", "objective")


@dataclass(frozen=True)
class Parts:
    """Everything of a run that a checkpoint keeps."""

    spec: GameSpec
    learner: Learner
    experience: Experience
    updates: Updates
    pool: ActorPool
    plain: Mapping[str, PlainPart]  # by their keys in state.json; "seconds" is also in the manifest

    def collect(self, games: bool = True) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any]]:
        """Copies of all states, as arrays by file and plain values; without games, a resumed run begins new ones."""
        tensors, learner = self.learner.state()
        arrays = {name: {key: to_array(t) for key, t in group.items()} for name, group in tensors.items()}
        arrays["replay"], replay = self.experience.state()
        arrays["replay"] |= self.updates.state()
        playing, actor = self.pool.state()
        arrays["actor"] = {name: a.copy() for name, a in playing.items() if games or not name.startswith("games.")}
        state = {"learner": learner, "replay": replay, "actor": actor}
        return arrays, state | {name: part.state() for name, part in self.plain.items()}


def to_array(tensor: torch.Tensor) -> np.ndarray:
    """A copy of a tensor on the host, which later updates do not change."""
    return tensor.detach().cpu().numpy().copy()


@dataclass(frozen=True)
class Snapshot:
    """A checkpoint that has been read and fits the run."""

    step: int
    tensors: dict[str, dict[str, torch.Tensor]]
    replay: dict[str, np.ndarray]
    actor: dict[str, np.ndarray]
    state: dict[str, Any]


# --- reading -------------------------------------------------------------------------------------------------------


def read(parts: Parts, found: Checkpoint, weights_only: bool = False) -> Snapshot:
    """All of a checkpoint, compared with the run; nothing is changed yet.

    weights_only: whether it may be used without the log of experience.

    Raises:
        CheckpointError: naming what is damaged, missing, or for another game or network.
    """
    compatibility.require(found, parts.spec)
    expected, _ = parts.learner.state()
    try:
        state = found.state()
        tensors = {name: compatibility.tensors(found, name, expected[name]) for name in LEARNED}
        if found.holds("learning"):
            tensors["learning"] = compatibility.tensors(found, "learning", expected["model"])
        tensors["optimizer"] = {key: torch.from_numpy(array) for key, array in found.arrays("optimizer").items()}
        parts.learner.check(tensors["optimizer"])
        check_state(state)
        state.setdefault("cpu_seconds", None)  # older checkpoints have not counted them
        check_arrays(replay := found.arrays("replay"))
        parts.updates.check(replay, state["replay"]["written"])
        parts.pool.check(actor := found.arrays("actor"), state["actor"])
        if not weights_only:
            require_log(parts.experience, state["replay"])
        for name, part in parts.plain.items():
            part.check(state[name])
        return Snapshot(found.step, tensors, replay, actor, state)
    except UNFIT as error:
        raise CheckpointError(f"{found.path}: its content does not fit ({type(error).__name__}: {error})") from error


def require_log(experience: Experience, values: dict[str, Any]) -> None:
    """Refuse a checkpoint whose experience the log no longer has, and say what can be used all the same.

    Raises:
        CheckpointError: saying what is missing, and the remedy.
    """
    try:
        experience.require(values)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {WEIGHTS_ONLY}") from error


def newest(folder: Path, use: Callable[[Checkpoint], T]) -> tuple[T, list[str]]:
    """What `use` makes of the newest checkpoint that is whole and that it accepts, and what is wrong with newer ones.

    Damaged ones are set aside.

    Raises:
        CheckpointError: if there is none.
    """
    result = checkpoint.newest(folder, use)
    for path in result.damaged:
        checkpoint.set_aside(path)
    return result.found, result.problems


def apply(parts: Parts, snapshot: Snapshot) -> list[str]:
    """Continue where a checkpoint was written.  Returns what the user should know about it.

    Raises:
        CheckpointError: if its content does not fit; an older one can be applied then.
    """
    state, warnings = snapshot.state, []
    try:
        lost = resume_games(parts, snapshot)  # first: what does not fit there is found before all else is changed
        parts.learner.restore(snapshot.tensors, state["learner"])
        missing = parts.experience.restore(snapshot.replay, state["replay"])
        parts.updates.restore({} if missing else snapshot.replay)  # where rows are missing, the others are renumbered
        if missing:
            warnings.append(f"{missing:,} rows of experience are damaged and lost; the run continues with the rest")
        if lost is None:
            parts.experience.forget_tail()
        else:
            kept = parts.experience.keep_tail()
            later = f", and so are {kept:,} segments that were played after the checkpoint" if kept else ""
            warnings.append(f"{lost}, and new ones begin; the stored experience is kept{later}")
        for name, part in parts.plain.items():
            part.restore(state[name])
    except UNFIT as error:
        problem = f"({type(error).__name__}: {error})"
        raise CheckpointError(f"step {snapshot.step:,}: the run cannot be restored {problem}") from error
    return warnings


def resume_games(parts: Parts, snapshot: Snapshot) -> str | None:
    """Continue the games under way.  Returns why new ones begin; None if none do."""
    values = snapshot.state["actor"]
    incarnation = parts.experience.tail_incarnation(snapshot.state["replay"])
    try:
        return None if parts.pool.restore(snapshot.actor, values, incarnation) else "the games under way are lost"
    except EnvironmentFault as error:
        parts.pool.restore(pending.among(snapshot.actor), values, incarnation)
        return f"the games under way are lost ({error})"


def apply_weights(parts: Parts, snapshot: Snapshot) -> list[str]:
    """Continue with what was learned alone: with an empty replay and new games, at the same number of steps."""
    state = snapshot.state
    try:
        parts.learner.restore(snapshot.tensors, state["learner"])
        parts.experience.replay.steps = state["replay"]["steps"]
        parts.pool.restore({}, state["actor"], state["actor"]["incarnation"] + 1)
        for name, part in parts.plain.items():
            part.restore(state[name])
    except UNFIT as error:
        raise CheckpointError(f"step {snapshot.step:,}: the weights cannot be restored ({error})") from error
    return ["continuing with the weights alone: learning resumes once there is enough new experience"]


# --- writing -------------------------------------------------------------------------------------------------------


class Snapshots:
    """The checkpoints of a run: written in the background, read back on a resume."""

    def __init__(
        self, folder: Path, parts: Parts, settings: RunSettings, wanted: Callable[[], Collection[int]]
    ) -> None:
        """folder: of the checkpoints.  wanted: says of which steps checkpoints stay beside the newest."""
        self.folder, self.parts, self.settings, self.wanted = folder, parts, settings, wanted
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

        def job() -> None:
            experience.log.sync()  # first: a checkpoint must not name segments that are not on the disk
            saving.save(self.folder, steps, arrays, state, notes)
            needed = saving.prune(self.folder, self.settings.keep, self.settings.keep_every, self.wanted())
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

        def use(found: Checkpoint) -> tuple[Snapshot, list[str]]:
            snapshot = read(self.parts, found, weights_only)
            return snapshot, (apply_weights if weights_only else apply)(self.parts, snapshot)

        (found, warnings), problems = newest(self.folder, use)
        notes = [f"{problem}; going back to step {found.step:,}" for problem in problems] + warnings
        self.saved_at = self.parts.experience.replay.steps
        self.saved = (found.step, self.parts.learner.updates)
        failpoint("resume.after_restore")
        return notes


def raise_if(wanted: bool, error: Exception | None) -> None:
    """Give up where checkpoints cannot be written."""
    if wanted and error is not None:
        raise SaveError(f"no checkpoint could be written: {error}") from error

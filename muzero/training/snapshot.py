"""A run as a checkpoint: what of it is saved, and how it continues from that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from muzero.actors import pending
from muzero.actors.pool import ActorPool
from muzero.data import plans
from muzero.data.experience import Experience
from muzero.interfaces import EnvironmentFault, GameSpec
from muzero.learning.learner import Learner
from muzero.runs import checkpoint, compatibility
from muzero.runs.checkpoint import UNFIT, Checkpoint, CheckpointError
from muzero.training.snapshot_checks import PlainPart, check_arrays, check_state
from muzero.training.updates import Updates

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
        for name in ("cpu_seconds", "reanalysis"):
            state.setdefault(name, None)  # older checkpoints have not counted them
        check_arrays(replay := found.arrays("replay"))
        parts.updates.check(replay, state["replay"]["written"])
        plans.check_saved(parts.experience.replay.columns, replay, state["replay"]["written"])
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
            parts.pool.forget_plans()
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

"""A run as a checkpoint: what is saved of it, and how it goes on from that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from muzero.runs import checkpoint
from muzero.runs.checkpoint import Checkpoint, CheckpointError

if TYPE_CHECKING:
    from muzero.training.loop import Training

LEARNED = ("model", "target", "objective", "optimizer")


@dataclass(frozen=True)
class Snapshot:
    """A checkpoint that has been read and fits the run."""

    step: int
    tensors: dict[str, dict[str, torch.Tensor]]
    replay: dict[str, np.ndarray]
    actor: dict[str, np.ndarray]
    state: dict[str, Any]


def collect(training: Training, games: bool = True) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any]]:
    """Copies of everything that a run needs to go on; without games, it goes on with new ones."""
    tensors, learner = training.learner.state()
    arrays = {name: {key: to_array(t) for key, t in group.items()} for name, group in tensors.items()}
    arrays["replay"], replay = training.experience.state()
    playing, actor = training.pool.state()
    kept = {name: array.copy() for name, array in playing.items() if games or not name.startswith("games.")}
    arrays["actor"] = kept
    state = {
        "learner": learner,
        "replay": replay,
        "actor": actor,
        "seconds": training.seconds(),
        "evaluated_at": training.schedule.at,
        "episodes": list(training.episodes),
    }
    return arrays, state


def to_array(tensor: torch.Tensor) -> np.ndarray:
    """A copy of a tensor on the host, which later updates do not change."""
    return tensor.detach().cpu().numpy().copy()


def read(training: Training, found: Checkpoint) -> Snapshot:
    """All of a checkpoint, held against the run; nothing is changed yet.

    Raises:
        CheckpointError: naming what is damaged, missing, or for another game or network.
    """
    checkpoint.require(found, training.spec)
    expected, _ = training.learner.state()
    try:
        state = found.state()
        tensors = {name: checkpoint.fitting(found, name, expected[name]) for name in LEARNED if name != "optimizer"}
        tensors["optimizer"] = {key: torch.from_numpy(array) for key, array in found.arrays("optimizer").items()}
        training.learner.check(tensors["optimizer"])
        training.experience.require(state["replay"])
        finite = [state["seconds"], *state["episodes"]]
        if not np.isfinite(np.array(finite, np.float64)).all():
            raise ValueError("seconds and episodes are not finite")
        return Snapshot(found.step, tensors, found.arrays("replay"), found.arrays("actor"), state)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise CheckpointError(f"{found.path}: its content does not fit ({type(error).__name__}: {error})") from error


def newest(training: Training, folder: Path) -> tuple[Snapshot, list[str]]:
    """The newest checkpoint that is whole and fits, and what is wrong with the newer ones; damaged ones are set aside.

    Raises:
        CheckpointError: if there is none.
    """
    problems: list[str] = []
    damaged: list[Path] = []
    for path in reversed(checkpoint.listed(folder)):
        try:
            found = checkpoint.verify(path)
        except CheckpointError as error:
            problems.append(str(error))
            damaged.append(path)
            continue
        try:
            snapshot = read(training, found)
        except CheckpointError as error:
            problems.append(str(error))
            continue
        for path in damaged:
            checkpoint.set_aside(path)
        return snapshot, problems
    lines = "".join(f"\n  {problem}" for problem in problems)
    raise CheckpointError(f"{folder} holds no usable checkpoint{lines}")


def apply(training: Training, snapshot: Snapshot) -> list[str]:
    """Go on where a checkpoint was written.  Returns what a person should know about it.

    Raises:
        CheckpointError: if the games cannot be brought back as they were.
    """
    state, warnings = snapshot.state, []
    try:
        training.learner.restore(snapshot.tensors, state["learner"])
        missing = training.experience.restore(snapshot.replay, state["replay"])
        if missing:
            warnings.append(f"{missing:,} rows of experience are damaged and gone; the rest goes on")
        incarnation = training.experience.tail_incarnation()
        if training.pool.restore(snapshot.actor, state["actor"], incarnation):
            training.experience.forget_tail()
        else:
            kept = training.experience.keep_tail()
            warnings.append(f"these games cannot be brought back: new ones begin ({kept:,} later segments are kept)")
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"step {snapshot.step:,}: the run cannot be brought back ({type(error).__name__}: {error})"
        ) from error
    training.restart_clock(state["seconds"])
    training.schedule.resume(state["evaluated_at"])
    training.saved_at = training.replay.steps
    training.episodes.extend(state["episodes"])
    return warnings

"""Checkpoints whose content was forged: each is refused before anything is changed, and an older one is used."""

import json
import math
import os

import numpy as np
import pytest
from killing import made, reseal
from rich.console import Console
from safetensors.numpy import load_file, save_file

from muzero.runs import checkpoint
from muzero.runs.checkpoint import CheckpointError
from muzero.runs.folder import RunFolder
from muzero.training import snapshot
from muzero.training.progress import Progress

GAME = "board/tic_tac_toe"

NASTY = [10**400, -1, 2**70, 1e308 * 10, math.nan, True, None, "x", [], {}, [[]], -0.5]
FIELDS = [("seconds",), ("step",), ("log",), ("files",), ("files", "model.safetensors"), ("format",)]
FIELDS += [("files", "model.safetensors", "bytes"), ("files", "state.json", "sha256"), ("fingerprint",)]
FIELDS += [("fingerprint", "observation"), ("fingerprint", "actions")]
STATE = [("seconds",), ("evaluated_at",), ("episodes",), ("learner",), ("learner", "updates"), ("learner", "skipped")]
STATE += [("replay",), ("replay", "written"), ("replay", "first"), ("replay", "steps"), ("replay", "duplicates")]
STATE += [("replay", "largest"), ("replay", "rng"), ("replay", "rng", "state"), ("replay", "log")]
STATE += [("replay", "log", "oldest"), ("replay", "log", "end"), ("replay", "ledger"), ("actor",)]
STATE += [("replay", "ledger", "submitted"), ("actor", "incarnation"), ("actor", "rng")]
STATE += [("actor", "pending")]


def changed(values, field, value):
    """The same values with one field replaced."""
    copied = json.loads(json.dumps(values))
    inner = copied
    for key in field[:-1]:
        inner = inner[key]
    inner[field[-1]] = value
    return copied


@pytest.mark.parametrize("field", FIELDS, ids=".".join)
def test_a_forged_manifest_is_damaged_and_an_older_one_is_used(copy, field):
    *_, older, newest = checkpoint.listed(RunFolder(copy).checkpoints)
    good = json.loads((newest / "MANIFEST.json").read_text())
    good.pop("seal")
    training = made(copy, GAME)
    for value in NASTY:
        (newest / "MANIFEST.json").write_text(checkpoint.sealed(changed(good, field, value)))
        found, problems = checkpoint.latest(RunFolder(copy).checkpoints)
        if field[0] != "fingerprint" and not (field in [("log",), ("seconds",)] and value == 0):
            assert found.path == older and str(newest) in problems[0], value
        with pytest.raises(CheckpointError):  # the next older ones would do: only this one is looked at
            snapshot.read(training.snapshots.parts, checkpoint.verify(newest))
    training.close()


@pytest.mark.parametrize("field", STATE, ids=".".join)
def test_a_forged_state_is_refused_before_anything_is_changed(copy, field):
    newest = checkpoint.listed(RunFolder(copy).checkpoints)[-1]
    good = json.loads((newest / "state.json").read_text())
    training = made(copy, GAME)
    for value in NASTY:
        if value == [] and field in [("episodes",), ("actor", "pending")]:
            continue  # a run before its first finished game, and one of which all results were stored
        if field == ("evaluated_at",) and type(value) is int and value < 0:
            continue  # a run of an earlier version
        (newest / "state.json").write_text(json.dumps(changed(good, field, value)))
        reseal(newest)
        with pytest.raises(CheckpointError):
            snapshot.read(training.snapshots.parts, checkpoint.verify(newest))
    notes = training.restore()
    assert "going back to step" in notes[0] and str(newest) in notes[0]
    training.close()


ACTOR = {
    "other games": lambda a: a | {"games.begun": a["games.begun"][:-1]},
    "games of floats": lambda a: a | {"games.lengths": a["games.lengths"].astype(np.float64)},
    "games without lengths": lambda a: {name: array for name, array in a.items() if name != "games.lengths"},
    "lengths below 0": lambda a: a | {"games.lengths": a["games.lengths"] - 9},
    "actions that are not there": lambda a: a | {"games.actions": np.append(a["games.actions"], 0)},
    "actions out of range": lambda a: a | {"games.actions": a["games.actions"] + 9},
    "rows of another shape": lambda a: a | {"rows.policy": a["rows.policy"][:, :, :-1].copy()},
    "rows of another type": lambda a: a | {"rows.reward": a["rows.reward"].astype(np.float64)},
    "rows that are missing": lambda a: {name: array for name, array in a.items() if name != "rows.value"},
    "rows beyond the segment": lambda a: a | {"filled": a["filled"] + 1000},
    "an action out of range": lambda a: a | {"action": a["action"] + 9},
    "counters for one game": lambda a: a | {"length": a["length"][:1]},
    "counters below 0": lambda a: a | {"sequence": a["sequence"] - 100},
}


def forge_actor(newest, change):
    file = newest / "actor.safetensors"
    save_file(change(load_file(file)), file)
    reseal(newest)


@pytest.mark.parametrize("case", ACTOR)
def test_forged_games_are_refused_for_those_of_an_older_checkpoint(copy, case):
    *_, older, newest = checkpoint.listed(RunFolder(copy).checkpoints)
    model = (newest / "model.safetensors").read_bytes()
    forge_actor(newest, ACTOR[case])
    training = made(copy, GAME)
    (note,) = training.restore()
    assert f"going back to step {checkpoint.step_of(older)}" in note
    assert training.replay.steps == checkpoint.step_of(older)
    training.run(Progress(copy, Console(quiet=True)))
    training.close()
    assert (checkpoint.latest(RunFolder(copy).checkpoints)[0].path / "model.safetensors").read_bytes() == model


def test_a_latent_that_an_older_checkpoint_holds_is_left_out(copy):
    """Those before saved the last latent also of models without memory."""
    newest = checkpoint.listed(RunFolder(copy).checkpoints)[-1]
    assert not [name for name in load_file(newest / "actor.safetensors") if name.startswith("memory.")]
    forge_actor(newest, lambda arrays: arrays | {"memory.state": np.zeros((4, 8), np.float32)})
    training = made(copy, GAME, "actors.overlap=off")
    assert training.restore() == []
    assert training.replay.steps == checkpoint.step_of(newest) and training.pool.place.selfplay.memory == {}
    training.close()


def test_games_that_take_another_course_are_replaced_by_new_ones(copy):
    newest = checkpoint.listed(RunFolder(copy).checkpoints)[-1]
    forge_actor(newest, lambda arrays: arrays | {"games.actions": np.zeros_like(arrays["games.actions"])})
    training = made(copy, GAME, "actors.overlap=off")
    (note,) = training.restore()
    assert note.startswith("the games under way are lost (") and "action 0 is not legal" in note
    assert note.endswith("and new ones begin; the stored experience is kept")
    assert training.replay.steps == checkpoint.step_of(newest)
    selfplay = training.pool.place.selfplay
    assert selfplay.timestep.first.all() and selfplay.incarnation == training.pool.incarnation == 1
    training.close()


def test_a_file_that_the_manifest_does_not_list_is_not_read(copy):
    newest = checkpoint.listed(RunFolder(copy).checkpoints)[-1]
    manifest = json.loads((newest / "MANIFEST.json").read_text())
    manifest.pop("seal")
    del manifest["files"]["optimizer.safetensors"]
    (newest / "MANIFEST.json").write_text(checkpoint.sealed(manifest))
    (newest / "optimizer.safetensors").unlink()
    os.mkfifo(newest / "optimizer.safetensors")
    with pytest.raises(CheckpointError, match=r"does not list optimizer\.safetensors"):
        checkpoint.verify(newest).arrays("optimizer")


@pytest.mark.parametrize("name", ["MANIFEST.json", "state.json", "model.safetensors"])
def test_a_pipe_in_a_checkpoint_is_damage_and_not_waited_for(copy, name):
    *_, older, newest = checkpoint.listed(RunFolder(copy).checkpoints)
    (newest / name).unlink()
    os.mkfifo(newest / name)
    found, problems = checkpoint.latest(RunFolder(copy).checkpoints)
    assert found.path == older and name in problems[0]

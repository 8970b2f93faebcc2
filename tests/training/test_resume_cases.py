"""Resuming a run whose folder is damaged, forged, incomplete or finished."""

import errno
import json
import math
import os
import shutil
import subprocess

import numpy as np
import pytest
from commands import command, sets
from disks import room
from killing import made
from rich.console import Console
from safetensors.numpy import load_file, save_file

from muzero.runs import checkpoint, saving
from muzero.runs.checkpoint import CheckpointError
from muzero.runs.folder import RunFolder
from muzero.runs.saving import SaveError
from muzero.training.progress import Progress

GAME = "board/tic_tac_toe"


def trained(folder, *settings):
    """A short run that has ended."""
    training = made(folder, GAME, *settings)
    training.save(wait=True)
    progress = Progress(folder, Console(quiet=True))
    training.run(progress)
    progress.close(training.status())
    training.close()
    return training


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The folder of a short run."""
    folder = tmp_path_factory.mktemp("base") / "run"
    trained(folder)
    return folder


@pytest.fixture
def copy(base, tmp_path):
    return shutil.copytree(base, tmp_path / "run")


# --- forged checkpoints --------------------------------------------------------------------------------------------

NASTY = [10**400, -1, 2**70, 1e308 * 10, math.nan, True, None, "x", [], {}, [[]], -0.5]
FIELDS = [("seconds",), ("step",), ("log",), ("files",), ("files", "model.safetensors"), ("format",)]
FIELDS += [("files", "model.safetensors", "bytes"), ("files", "state.json", "sha256"), ("fingerprint",)]
FIELDS += [("fingerprint", "observation"), ("fingerprint", "actions")]
STATE = [("seconds",), ("evaluated_at",), ("episodes",), ("learner",), ("learner", "updates"), ("learner", "skipped")]
STATE += [("replay",), ("replay", "written"), ("replay", "first"), ("replay", "steps"), ("replay", "duplicates")]
STATE += [("replay", "largest"), ("replay", "rng"), ("replay", "rng", "state"), ("replay", "log")]
STATE += [("replay", "log", "oldest"), ("replay", "log", "end"), ("replay", "ledger"), ("actor",)]
STATE += [("replay", "ledger", "submitted"), ("actor", "incarnation"), ("actor", "rng")]


def changed(values, field, value):
    """The same values with one field replaced."""
    copied = json.loads(json.dumps(values))
    inner = copied
    for key in field[:-1]:
        inner = inner[key]
    inner[field[-1]] = value
    return copied


def reseal(path):
    """Write a manifest that fits the files, as a forger would."""
    manifest = json.loads((path / "MANIFEST.json").read_text())
    manifest.pop("seal")
    for name, file in manifest["files"].items():
        file |= {"bytes": (path / name).stat().st_size, "sha256": checkpoint.digest(path / name)}
    (path / "MANIFEST.json").write_text(checkpoint.sealed(manifest))


@pytest.mark.parametrize("field", FIELDS, ids=".".join)
def test_a_forged_manifest_is_damaged_and_an_older_one_is_used(copy, field):
    *_, older, newest = checkpoint.listed(RunFolder(copy).checkpoints)
    good = json.loads((newest / "MANIFEST.json").read_text())
    good.pop("seal")
    for value in NASTY:
        (newest / "MANIFEST.json").write_text(checkpoint.sealed(changed(good, field, value)))
        found, problems = checkpoint.latest(RunFolder(copy).checkpoints)
        if field[0] != "fingerprint" and not (field in [("log",), ("seconds",)] and value == 0):
            assert found.path == older and str(newest) in problems[0], value
        training = made(copy, GAME)
        with pytest.raises(CheckpointError):  # the next older ones would do: only this one is looked at
            from muzero.training import snapshot

            snapshot.read(training.snapshots.parts, checkpoint.verify(newest))
        training.close()


@pytest.mark.parametrize("field", STATE, ids=".".join)
def test_a_forged_state_is_refused_before_anything_is_changed(copy, field):
    from muzero.training import snapshot

    newest = checkpoint.listed(RunFolder(copy).checkpoints)[-1]
    good = json.loads((newest / "state.json").read_text())
    training = made(copy, GAME)
    for value in NASTY:
        if value == [] and field == ("episodes",):
            continue  # a run before its first finished game
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
    "memory of another batch": lambda a: a | {"memory.state": a["memory.state"][:1]},
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


def test_games_that_take_another_course_are_replaced_by_new_ones(copy):
    newest = checkpoint.listed(RunFolder(copy).checkpoints)[-1]
    forge_actor(newest, lambda arrays: arrays | {"games.actions": np.zeros_like(arrays["games.actions"])})
    training = made(copy, GAME)
    (note,) = training.restore()
    assert note.startswith("the games under way are lost (") and "action 0 is not legal" in note
    assert note.endswith("and new ones begin; the stored experience is kept")
    assert training.replay.steps == checkpoint.step_of(newest)
    assert training.pool.selfplay.timestep.first.all() and training.pool.selfplay.incarnation == 1
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


# --- stray files ---------------------------------------------------------------------------------------------------


def test_stray_files_do_not_stop_checkpoints_and_stay(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in (".writing-1", f".writing-{os.getpid()}", ".removing-step-000000001", "step-000000002", ".writing-x"):
        (folder / name).write_text("stray")
    (folder / ".writing-2").symlink_to(outside)
    (folder / "step-000000003").symlink_to(outside)
    (folder / "step-000000004").symlink_to(tmp_path / "nowhere")
    (folder / "step-999999999999").mkdir()
    before = {path.name for path in folder.iterdir()}
    for step in range(1, 8):
        found = saving.save(folder, step, {"model": {"weight": np.zeros(2)}}, {}, {"log": step})
        assert saving.prune(folder, 3, 1e9) == max(1, step - 2)
        assert found.step == step
    left = {path.name for path in folder.iterdir()}
    assert before <= left and len(left - before) == 3
    assert (outside / "precious").read_text() == "precious"


@pytest.mark.parametrize("name", ["latest", "step-000000007", "7"])
def test_a_checkpoint_is_found_by_each_of_its_names(tmp_path, name):
    saving.save(tmp_path / "checkpoints", 7, {}, {})
    assert checkpoint.named(tmp_path, name).name == "step-000000007"


@pytest.mark.parametrize("name", ["8", "best", "../x", "9" * 5000, "", "\u0663"])
def test_a_checkpoint_that_is_not_there_is_refused_with_a_list(tmp_path, name):
    saving.save(tmp_path / "checkpoints", 7, {}, {})
    with pytest.raises(CheckpointError, match="step-000000007"):
        checkpoint.named(tmp_path, name)


# --- disks ---------------------------------------------------------------------------------------------------------


def test_a_checkpoint_on_a_really_full_disk_leaves_nothing_half_written(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk]).returncode:
        pytest.skip("a small disk can only be made by root, where mounting is allowed")
    try:
        arrays = {"model": {"weight": np.zeros(20_000, np.float32)}}
        saving.save(disk / "c", 1, arrays, {})
        saving.save(disk / "c", 2, arrays, {})
        for _ in range(2):
            with pytest.raises(OSError) as full:
                saving.save(disk / "c", 3, arrays | {"target": {"weight": np.zeros(40_000, np.float32)}}, {})
            assert full.value.errno == errno.ENOSPC
            assert sorted(path.name for path in (disk / "c").iterdir()) == ["step-000000001", "step-000000002"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_whatever_ends_a_save_leaves_nothing_half_written(tmp_path):
    with pytest.raises(TypeError):
        saving.save(tmp_path, 1, {"model": {"weight": np.zeros(2)}}, {"state": object()})
    assert list(tmp_path.iterdir()) == []


def failing(training, number):
    """A log that cannot be written to."""

    def append(segment, record):
        raise OSError(number, os.strerror(number))

    training.experience.log.append = append


@pytest.mark.parametrize("number", [errno.EBADF, errno.EFBIG, errno.EIO, errno.EACCES, errno.EROFS])
def test_a_log_that_fails_otherwise_than_by_a_full_disk_ends_the_run(tmp_path, number):
    training = made(tmp_path, GAME)
    training.save(wait=True)
    failing(training, number)
    with pytest.raises(SaveError, match=f"log of experience cannot be written.*{os.strerror(number)}"):
        training.run(Progress(tmp_path, Console(quiet=True)))
    training.experience.waiting.clear()
    training.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_ends_a_run_after_the_failures_that_are_allowed(tmp_path, monkeypatch, number):
    monkeypatch.setattr("muzero.training.loop.RETRY", 0.0)
    training = made(tmp_path, GAME, "run.failed_saves=3")
    training.save(wait=True)
    failing(training, number)
    with pytest.raises(SaveError, match="log of experience cannot be written"):
        training.run(Progress(tmp_path, Console(quiet=True)))
    assert training.snapshots.full_in_a_row == 3
    assert any("nothing is played until there is space" in warning for warning in training.warnings)
    training.experience.waiting.clear()
    training.close()


def test_a_file_size_limit_ends_the_run_and_is_named(tmp_path):
    training = made(tmp_path, GAME)
    with room(1000), pytest.raises(SaveError, match="File too large"):
        training.run(Progress(tmp_path, Console(quiet=True)))
    training.experience.waiting.clear()
    training.close()


# --- a log that is gone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("replaced", [False, True])
def test_a_log_file_removed_while_learning_ends_the_run_and_is_named(tmp_path, replaced):
    training = made(tmp_path, GAME)
    training.save(wait=True)
    (log,) = RunFolder(tmp_path).replay.glob("*.log")
    content = log.read_bytes()
    log.rename(tmp_path / "elsewhere")
    if replaced:
        log.write_bytes(content)
    with pytest.raises(SaveError, match=f"{log} was removed while the run learned.*--weights-only"):
        training.run(Progress(tmp_path, Console(quiet=True)))
    training.close()


def test_a_run_without_its_log_names_the_remedy_and_it_works(copy):
    for path in RunFolder(copy).replay.iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    training = made(copy, GAME)
    with pytest.raises(CheckpointError, match=r"does not hold .*--resume RUN --weights-only"):
        training.restore()
    training.close()
    (copy / "config.toml").write_text(training.config.to_toml())
    before = (RunFolder(copy).replay / "00000001.log").read_bytes()
    newest = checkpoint.latest(RunFolder(copy).checkpoints)[0]
    words = ["--resume", "run", "--steps", str(newest.step + 400)]
    result = command("train", *words, folder=copy.parent)
    assert result.returncode == 3 and "--weights-only" in result.stderr
    result = command("train", *words, "--weights-only", folder=copy.parent)
    assert result.returncode == 0, result.stderr
    assert "continuing with the weights alone" in result.stdout
    assert (copy / "replay.set-aside" / "00000001.log").read_bytes()[:500] == before[:500]
    found = checkpoint.latest(RunFolder(copy).checkpoints)[0]
    steps, updates = found.step, found.state()["learner"]["updates"]
    assert steps >= newest.step + 400 and updates == int((steps - 100) * 0.1)
    again = command("train", "--resume", "run", "--steps", str(steps + 100), folder=copy.parent)
    assert again.returncode == 0, again.stderr  # and it can be resumed as usual


# --- finished runs -------------------------------------------------------------------------------------------------


def test_resuming_a_finished_run_says_so_and_changes_nothing(tmp_path):
    result = command("train", "--game", GAME, "--run", "run", *sets(), folder=tmp_path)
    assert result.returncode == 0, result.stderr
    run = tmp_path / "run"
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != "lock"}
    for _ in range(2):
        result = command("train", "--resume", "run", folder=tmp_path)
        assert result.returncode == 0, result.stderr
        assert "run finished at 6" in result.stdout and "--steps" in result.stdout
        assert "resuming" not in result.stdout
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != "lock"}
    assert before == after
    assert not any("." in path.name for path in RunFolder(run).checkpoints.iterdir())


def test_a_finished_run_that_was_not_evaluated_is_evaluated(tmp_path):
    trained(tmp_path / "run")
    training = made(tmp_path / "run", GAME)
    (tmp_path / "run" / "config.toml").write_text(training.config.to_toml())
    training.close()
    checkpoints = sorted(path.name for path in RunFolder(tmp_path / "run").checkpoints.iterdir())
    result = command("train", "--resume", "run", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert RunFolder(tmp_path / "run").evaluation.exists()
    assert sorted(path.name for path in RunFolder(tmp_path / "run").checkpoints.iterdir()) == checkpoints


@pytest.mark.parametrize("words", [["--time", "0"], ["--time", "0s"], ["--time", "0h0m"], ["--set", "run.seconds=0"]])
def test_a_run_of_no_time_is_refused(tmp_path, words):
    result = command("train", "--game", GAME, *words, folder=tmp_path)
    assert result.returncode == 2 and list(tmp_path.iterdir()) == []


def test_weights_only_is_for_a_run_that_is_resumed(tmp_path):
    result = command("train", "--game", GAME, "--weights-only", folder=tmp_path)
    assert result.returncode == 2 and "--weights-only is for a run that is resumed" in result.stderr

"""Resuming a run whose folder is damaged, incomplete or finished."""

import errno
import os
import re
import subprocess

import numpy as np
import pytest
from commands import command, sets
from disks import room
from killing import made, trained
from rich.console import Console

from muzero.runs import checkpoint, saving
from muzero.runs.checkpoint import CheckpointError
from muzero.runs.folder import RunFolder
from muzero.runs.saving import SaveError
from muzero.training.progress import Progress

GAME = "board/tic_tac_toe"


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


def test_resuming_a_run_whose_time_is_up_asks_for_more_time(tmp_path):
    """A run whose time was up before all of its updates were made, too."""
    owing = sets("run.seconds=3.0", "run.start=1", "run.updates_per_step=1000.0", "run.evaluation_games=1")
    assert command("train", "--game", GAME, "--run", "run", *owing, folder=tmp_path).returncode == 0
    result = command("train", "--resume", "run", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "run has used up its 3 seconds, at " in result.stdout and "evaluat" not in result.stdout
    assert re.search(r"give it a longer --time: muzero-train --resume run --time \d+s\n$", result.stdout)
    shorter = command("train", "--resume", "run", "--time", "1s", folder=tmp_path)
    longer = re.search(r"used up its 1 seconds, at .* --time (\d+)s", shorter.stdout)
    assert longer and int(longer[1]) >= 6, shorter.stdout  # twice what it had used


def test_a_finished_run_that_was_not_evaluated_is_evaluated(tmp_path):
    trained(tmp_path / "run", GAME)
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

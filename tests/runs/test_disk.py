"""Disks that are full, read-only, or in use; what a run writes and what it needs of it."""

import errno
import os
import shutil
import subprocess
from contextlib import suppress

import pytest
from killing import go, in_child, made
from rich.console import Console

from muzero.config import ConfigError
from muzero.runs import checkpoint, saving
from muzero.runs.folder import owned
from muzero.runs.saving import SaveError, Writer

GAME = "board/tic_tac_toe"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder]).returncode:
        pytest.skip("a small disk can only be made by root, where mounting is allowed")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_run_waits_for_a_full_disk_and_then_learns_the_same(tmp_path, small_disk):
    ballast = small_disk / "ballast"

    class Person(Console):
        """Fills the disk once the run shows something, reads the warning, and makes room."""

        begun = False

        def print(self, *text, **options):
            if not self.begun and " updates" in str(text):
                self.begun = True
                with suppress(OSError), ballast.open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(256))
            if "nothing is played until there is space" in str(text):
                ballast.unlink()

    assert in_child(lambda: go(tmp_path / "whole", GAME)) == 0
    assert in_child(lambda: go(small_disk / "run", GAME, console=Person())) == 0
    assert not ballast.exists()
    assert (small_disk / "run" / "digest").read_text() == (tmp_path / "whole" / "digest").read_text()


def test_a_checkpoint_that_does_not_fit_the_disk_leaves_the_old_one(tmp_path):
    assert (
        in_child(lambda: go(tmp_path, GAME), "checkpoint.mid_write:full:15") == 1
    )  # the last one is waited for: SaveError
    found, problems = checkpoint.latest(tmp_path / "checkpoints")
    assert not problems and found.step > 0
    assert all(path.name.startswith("step-") for path in (tmp_path / "checkpoints").iterdir())


def test_failed_checkpoints_are_counted_and_may_end_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "save", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
    training = made(tmp_path, GAME)
    for _ in range(3):
        training.save()
    training.snapshots.writer.wait()
    assert training.snapshots.writer.failures == 3 and "No space" in str(training.snapshots.writer.error)
    with pytest.raises(SaveError, match="No space left"):
        training.save(wait=True)
    training.close()
    strict = made(tmp_path / "strict", GAME, "run.failed_saves=2")
    strict.save()
    strict.save()
    strict.snapshots.writer.wait()
    with pytest.raises(SaveError):
        strict.save()
    strict.close()


def test_a_job_that_fails_for_another_reason_than_the_disk_is_not_hidden():
    writer = Writer()
    writer.submit(lambda: {}["missing"])
    with pytest.raises(KeyError):
        writer.wait()


def test_a_folder_has_one_learner_and_a_dead_one_lets_go(tmp_path):
    with owned(tmp_path), pytest.raises(ConfigError, match=f"in use by process {os.getpid()} on "), owned(tmp_path):
        pass

    def hold_and_die():
        owned(tmp_path).__enter__()
        os.kill(os.getpid(), 9)

    assert in_child(hold_and_die) == -9
    with owned(tmp_path):
        assert str(os.getpid()) in (tmp_path / "lock").read_text()


def test_a_child_that_outlives_its_parent_does_not_hold_the_folder(tmp_path):
    ready, done = os.pipe(), os.pipe()

    def hold_and_die():
        owned(tmp_path).__enter__()
        if os.fork() == 0:
            os.close(done[1])
            os.write(ready[1], b"forked")
            os.read(done[0], 1)  # until the test ends
            os._exit(0)
        os.read(ready[0], 6)
        os.kill(os.getpid(), 9)

    assert in_child(hold_and_die) == -9
    with owned(tmp_path):
        pass
    for end in (*ready, *done):
        os.close(end)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_the_first_error_stays_where_all_descriptors_are_closed(tmp_path):
    def close_all_and_fail():
        with pytest.raises(SaveError, match="first"), owned(tmp_path):
            os.closerange(3, 256)
            raise SaveError("first")

    assert in_child(close_all_and_fail, kill_after=30) == 0


def test_a_read_only_disk_is_refused_at_the_start(tmp_path, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    message = r"cannot be written to .*Read-only.*; choose another with --run"
    with pytest.raises(ConfigError, match=message), owned(small_disk / "run"):
        pass


def test_a_lock_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="lock is a symbolic link"), owned(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_the_log_keeps_only_what_the_kept_checkpoints_need(tmp_path):
    def run():
        from muzero.data import segment_log

        original = segment_log.SegmentLog.__init__

        def small_files(self, folder, spec, candidates):
            original(self, folder, spec, candidates, file_bytes=700)

        segment_log.SegmentLog.__init__ = small_files
        go(tmp_path, GAME, "run.steps=1000", "run.save_every=100", "replay.capacity=100")
        resumed = made(tmp_path, GAME, "run.steps=1000", "replay.capacity=100")
        for path in checkpoint.listed(tmp_path / "checkpoints"):
            found = checkpoint.verify(path)
            resumed.experience.require(found.state()["replay"])
        resumed.close()

    assert in_child(run) == 0
    files = sorted(path.name for path in (tmp_path / "replay").iterdir())
    assert files[0] != "00000001.log" and len(files) > 1


def test_damaged_checkpoints_are_set_aside_for_the_previous_one(tmp_path):
    assert in_child(lambda: go(tmp_path, GAME), "train.after_store:kill:16") == -9
    newest = checkpoint.listed(tmp_path / "checkpoints")[-1]
    (newest / "model.safetensors").write_bytes(b"garbage")
    shutil.copytree(newest, newest.with_name(newest.name + ".invalid"))  # of an earlier time
    training = made(tmp_path, GAME)
    notes = training.restore()
    assert len(notes) == 1 and "model.safetensors has 7 bytes" in notes[0] and "going back to step" in notes[0]
    assert training.replay.steps < int(newest.name[5:])
    assert newest.with_name(newest.name + ".invalid-1").is_dir() and not newest.exists()
    training.close()


def test_a_run_with_only_damaged_checkpoints_does_not_start_again(tmp_path):
    assert in_child(lambda: go(tmp_path, GAME), "train.after_store:kill:16") == -9
    for path in checkpoint.listed(tmp_path / "checkpoints"):
        shutil.rmtree(path / "state.json", ignore_errors=True)
        (path / "state.json").unlink(missing_ok=True)
    training = made(tmp_path, GAME)
    with pytest.raises(checkpoint.CheckpointError, match=r"holds no usable checkpoint[^$]*state\.json"):
        training.restore()
    training.close()

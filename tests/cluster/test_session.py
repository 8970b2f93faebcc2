"""A session of Ray on this machine: where its folder lies, what starts slowly, what a driver's processes import."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from commands import code
from killing import TINY

from muzero.actors.tasks import NoCluster
from muzero.cli.exits import NO_CLUSTER, outcome
from muzero.cluster import session as sessions
from muzero.config import ConfigError

PACKAGE = Path(sessions.__file__).parents[1]


def folders():
    return {path for place in ("/tmp", "/var/tmp", tempfile.gettempdir()) for path in Path(place).glob("muzero-*")}


@pytest.fixture
def long_tmpdir(tmp_path, monkeypatch):
    long = tmp_path / "a-folder-of-a-job-scheduler" / "someone" / "job.1234567.0"
    long.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    return long


def test_a_session_lies_in_a_short_private_folder_wherever_tmpdir_is(long_tmpdir, tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    folder = Path(sessions.private_folder())
    try:
        assert not folder.is_relative_to(long_tmpdir) and len(str(folder.parent)) <= sessions.LONGEST_BASE
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and folder.stat().st_uid == os.geteuid()
    finally:
        folder.rmdir()


def test_a_short_tmpdir_is_used(monkeypatch):
    short = tempfile.mkdtemp(prefix="mz", dir="/tmp")
    monkeypatch.setattr(tempfile, "tempdir", short)
    assert Path(sessions.private_folder()).parent == Path(short)
    shutil.rmtree(short)


def test_where_no_folder_is_short_the_error_names_tmpdir(long_tmpdir, monkeypatch):
    monkeypatch.setattr(sessions, "LONGEST_BASE", 1)
    with pytest.raises(ConfigError, match="set TMPDIR to one that is"):
        sessions.private_folder()


def test_ray_that_does_not_start_has_an_exit_code_and_leaves_nothing(monkeypatch, capsys):
    before = folders()
    monkeypatch.setattr(sessions, "START_SECONDS", 0.3)

    def command(_):
        sessions.Session("", 1, 0, 100 << 20)
        return 0

    assert outcome(command) == NO_CLUSTER == 8
    said = capsys.readouterr().err
    assert "Ray did not start: timed out" in said and "--actors 0" in said
    assert folders() <= before


def test_ray_that_is_slow_once_is_tried_again(monkeypatch):
    tried = []

    def slow_once(session, settings, until):
        tried.append(settings)
        return "the current node timed out during startup" if len(tried) == 1 else attempt(session, settings, until)

    attempt = sessions.Session._try
    monkeypatch.setattr(sessions.Session, "_try", slow_once)
    session = sessions.Session("", 1, 0, 100 << 20)
    session.put([1, 2])
    session.close()
    assert len(tried) == 2 and not Path(session.folder).exists()


def test_other_errors_of_ray_are_not_tried_again(monkeypatch):
    before = folders()
    with pytest.raises(NoCluster, match="ValueError"):
        sessions.Session("", 1, 0, 1)  # an object store of one byte
    assert folders() <= before


def test_actors_import_the_drivers_package_and_not_a_clone_in_its_folder(tmp_path):
    clone = tmp_path / "clone"
    shutil.copytree(PACKAGE, clone / "muzero", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    settings = [word for setting in TINY for word in ("--set", setting)]
    words = ["--game", "gym/CartPole-v1", "--actors", "1", "--run", str(tmp_path / "run"), "--steps", "150", *settings]
    run = subprocess.run(
        [sys.executable, "-P", "-c", code("train"), *words],  # -P: as a command, which does not look in this folder
        cwd=clone,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "failed" not in run.stdout

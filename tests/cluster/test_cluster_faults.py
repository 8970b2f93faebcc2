"""Whole runs with actors on Ray: killed, interrupted, cut off; nothing is lost and nothing is left behind."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from commands import code
from killing import TINY, made
from on_ray import GAME, LIMIT, SUPPORT
from rich.console import Console

from muzero.training.progress import Progress


def started(folder, *arguments, **environment):
    """A run with two actors as a process, the leader of its group."""
    settings = [word for setting in TINY for word in ("--set", setting)]
    return subprocess.Popen(
        [sys.executable, "-c", code("train"), "--run", str(folder), *settings, *arguments],
        env=os.environ | {"PYTHONPATH": SUPPORT} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def until(found, run=None):
    """Wait for something that must happen."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if result := found():
            return result
        assert run is None or run.poll() is None, run.stdout.read()
        time.sleep(0.05)
    raise AssertionError(f"not within {LIMIT} s")


def stored(folder):
    """Bytes of experience."""
    return sum(file.stat().st_size for file in (folder / "replay").glob("*.log")) if (folder / "replay").is_dir() else 0


def family(folder):
    """Processes that belong to Ray sessions of runs in a folder: they carry its name in their environment."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def sessions():
    return {path for path in Path("/tmp").glob("muzero-*")}


@pytest.fixture
def clean(tmp_path):
    """Nothing may stay of what a test started."""
    before, shared = sessions(), set(os.listdir("/dev/shm"))
    yield {"MUZERO_TEST_ORDERS": str(tmp_path / "orders"), "TMPDIR": "/tmp"}
    until(lambda: not family(tmp_path) and sessions() <= before)
    assert set(os.listdir("/dev/shm")) <= shared


def test_a_run_whose_driver_is_killed_leaves_nothing_and_can_be_resumed(tmp_path, clean):
    (tmp_path / "orders").mkdir()
    folder = tmp_path / "run"
    run = started(folder, "--game", GAME, "--actors", "2", "--set", "run.steps=1000000", **clean)
    until(lambda: stored(folder) > 5000, run)
    run.kill()
    run.wait()
    until(lambda: not family(tmp_path))
    size = stored(folder)
    again = started(folder, "--resume", str(folder), "--trust", "--steps", "100", **clean)
    assert again.wait(LIMIT) == 0, again.stdout.read()
    assert "the stored experience is kept, and so are" in again.stdout.read() and stored(folder) >= size - 65536


@pytest.mark.parametrize("group", [False, True])
def test_an_interrupted_run_with_actors_saves_and_says_how_to_resume(tmp_path, clean, group):
    (tmp_path / "orders").mkdir()
    folder = tmp_path / "run"
    run = started(folder, "--game", GAME, "--actors", "2", "--set", "run.steps=1000000", **clean)
    until(lambda: stored(folder) > 5000, run)
    (os.killpg if group else os.kill)(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=LIMIT)
    assert run.returncode == 130, output
    assert f"muzero-train --resume {folder}" in output and "Traceback" not in output
    last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["orders/balance"] == last["segments/balance"] == 0
    assert last["orders/in_flight"] == last["orders/failed"] == 0  # what was under way was not thrown away


def test_a_run_whose_cluster_loses_its_head_saves_and_has_its_exit_code(tmp_path, clean):
    (tmp_path / "orders").mkdir()
    folder = tmp_path / "run"
    run = started(folder, "--game", GAME, "--actors", "2", "--set", "run.steps=1000000", **clean)
    until(lambda: stored(folder) > 5000, run)
    before = {path.name for path in (folder / "checkpoints").iterdir()}
    (head,) = (number for number, words in family(tmp_path).items() if "gcs_server" in words)
    os.kill(head, signal.SIGKILL)
    output, _ = run.communicate(timeout=LIMIT)
    assert run.returncode == 5, output
    assert "the head of the Ray cluster is gone" in output and f"--resume {folder}" in output
    assert {path.name for path in (folder / "checkpoints").iterdir()} - before
    again = started(folder, "--resume", str(folder), "--trust", "--steps", "100", **clean)
    assert again.wait(LIMIT) == 0, again.stdout.read()


def raylet(folder):
    (number,) = (number for number, words in family(folder).items() if words.split()[0].endswith("/raylet"))
    return number


def runtime_agent(folder):
    """The agent of Ray without which a raylet ends itself; its environment is overwritten by its title."""
    parent = raylet(folder)
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if int(words[1]) == parent and b"RuntimeEnvAgent" in (entry / "cmdline").read_bytes():
                return int(entry.name)
    raise AssertionError("no agent")


@pytest.mark.parametrize("victim", [raylet, runtime_agent])
def test_a_run_whose_raylet_ends_saves_and_has_the_code_of_a_lost_cluster(tmp_path, clean, victim):
    (tmp_path / "orders").mkdir()
    folder = tmp_path / "run"
    run = started(folder, "--game", GAME, "--actors", "2", "--set", "run.steps=1000000", **clean)
    until(lambda: stored(folder) > 5000, run)
    before = {path.name for path in (folder / "checkpoints").iterdir()}
    os.kill(victim(tmp_path), signal.SIGKILL)
    output, _ = run.communicate(timeout=LIMIT)
    assert run.returncode == 5, output
    assert "and with it all actors" in output and f"--resume {folder}" in output and "Traceback" not in output
    assert {path.name for path in (folder / "checkpoints").iterdir()} - before


WARM = 500  # updates of which those of one task are a small share


def process(slot):
    return int(slot.where.split()[-1])


def again(slot, killed):
    """Whether an actor has played since its last death, in a process that was not killed."""
    return slot.alive and process(slot) not in killed and not slot.deaths


def soak(folder, kills, pause):
    """Kill actors of a run at random moments of their play, until all have played again and enough was learned.

    Returns the run, and the numbers of the processes that were killed.
    """
    # Few steps in a task: what arrives last is not learned from, and must be a small share.
    settings = ["actors.count=2", "run.steps=100000000", "run.save_every=2000", "run.play=2"]
    training = made(folder, "gym/CartPole-v1", *settings)
    pool, rng, killed = training.pool, random.Random(1), []

    def killer():
        while len(killed) < kills:
            woken.wait(pause * rng.uniform(0.5, 1.5))
            if played := [slot for slot in pool.slots if again(slot, killed)]:
                victim = process(rng.choice(played))
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
        while training.stop.number is None and not (
            training.learner.updates > 1.2 * WARM and all(again(slot, killed) for slot in pool.slots)
        ):
            woken.wait(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    woken = threading.Event()
    thread = threading.Thread(target=killer)
    progress = Progress(folder, Console(quiet=True))
    try:
        training.save(wait=True)
        thread.start()
        assert training.run(progress) == signal.SIGINT
    finally:
        progress.close(training.status())
        thread.join()
        training.close()
    return training, killed


def accounted(training):
    """Everything that was acknowledged is in the log, once."""
    ids = [segment.id for _, segment in training.experience.log.scan()]
    assert len(ids) == len(set(ids))
    counts = training.experience.counts()
    orders = training.pool.counts()
    assert counts["segments/balance"] == orders["orders/balance"] == 0 and orders["orders/in_flight"] == 0
    assert orders["orders/submitted"] == orders["orders/acknowledged"] + orders["orders/failed"]
    assert orders["actors/alive"] == orders["actors/wanted"]
    return counts, orders


def test_segments_of_weights_that_are_too_old_are_dropped_and_counted(tmp_path):
    training = made(tmp_path, "gym/CartPole-v1", "actors.count=1", "run.steps=1000")
    training.storing.oldest = 0  # what was under way when weights were published is too old
    progress = Progress(tmp_path, Console(quiet=True))
    try:
        training.save(wait=True)
        assert training.run(progress) is None
        counts = training.experience.counts()
        assert counts["segments/failed"] > 0 and counts["segments/balance"] == 0
        assert counts["segments/acknowledged"] == len(list(training.experience.log.scan()))
    finally:
        progress.close(training.status())
        training.close()


@pytest.mark.parametrize(("kills", "pause"), [(10, 1.0), pytest.param(200, 4.5, marks=pytest.mark.slow)])
def test_actors_that_are_killed_repeatedly_lose_nothing_acknowledged(tmp_path, kills, pause):
    training, killed = soak(tmp_path, kills, pause)
    _, orders = accounted(training)
    assert len(killed) == len(set(killed)) == kills == orders["actors/deaths"]
    logged = [segment.id for _, segment in training.experience.log.scan()]
    assert training.replay.steps > 0 and len(logged) > 0
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    warm = [row for row in rows if row["updates"] > WARM]
    assert warm and all(abs(row["updates_error"]) <= 0.02 for row in warm)

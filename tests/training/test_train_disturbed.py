"""muzero-train among other processes, signals, and environments that hang or fail."""

import json
import os
import select
import signal
import subprocess
import sys
from itertools import islice

import pytest
from commands import Running, code, command, sets

from muzero.runs import checkpoint
from muzero.training import progress


@pytest.fixture(autouse=True)
def many_lines(monkeypatch):
    """In processes that are forked from now on: a line whenever there is something new to show."""
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.1)


def started(folder, *words, fresh=False):
    """A long run that has shown its first line of progress, after it stored its first steps.

    fresh: in a new process, which leads a group of its own; otherwise in a child of this process.
    """
    settings = sets("run.steps=10000000", "selfplay.segment_steps=4")  # handed over before the first game ends
    words = ["--game", "gym/CartPole-v1", "--run", "cart", "--steps", "10000000", *settings, *words]
    if fresh:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        program = [sys.executable, "-u", "-c", code("train"), *words]
        process = subprocess.Popen(program, cwd=folder, start_new_session=True, **pipes)
    else:
        process = Running("train", *words, folder=folder)
    assert process.stdout is not None
    for line in process.stdout:
        if " updates" in line and not line.startswith("0/"):  # it has played
            return process
    raise AssertionError(process.communicate()[1])


def test_a_run_that_another_process_learns_in_is_refused(tmp_path):
    process = started(tmp_path)
    result = command("train", "--resume", "cart", folder=tmp_path)
    assert result.returncode == 2 and f"cart is in use by process {process.pid} on " in result.stderr
    process.send_signal(signal.SIGKILL)
    process.communicate()
    result = command("train", "--resume", "cart", "--steps", "1", folder=tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_is_saved_and_exits_with_its_signal(tmp_path, number):
    process = started(tmp_path)
    process.send_signal(number)
    out, errors = process.communicate()
    assert process.returncode == 128 + number, errors
    assert "muzero-train --resume cart" in out
    assert len(checkpoint.listed(tmp_path / "cart" / "checkpoints")) >= 2  # one of the beginning, one of the end
    assert checkpoint.latest(tmp_path / "cart" / "checkpoints")[1] == []


def test_a_run_that_ignores_hangups_outlives_its_terminal(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = started(tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    process.send_signal(signal.SIGHUP)
    lines = (line for line in process.stdout if " updates" in line)
    assert len(list(islice(lines, 10))) == 10  # the first of them may be from before the signal
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 128 + signal.SIGTERM


ENVIRONMENT = """
import gymnasium, numpy as np, signal

class Own(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    steps = 0

    def reset(self, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        Own.steps += 1
        if WHEN:
            MISHAP
        return np.zeros(2, np.float32), 0.0, Own.steps % 10 == 0, False, {}
"""
STUCK = """
            for number in (signal.SIGINT, signal.SIGTERM):
                def handler(number, frame, before=signal.getsignal(number)):
                    before(number, frame)
                    print("was asked", flush=True)
                signal.signal(number, handler)
            print("never returns", flush=True)
            while True:
                signal.pause()
"""


def environment(folder, when, mishap):
    """A module with an environment to which something happens at some of its steps."""
    (folder / "own.py").write_text(ENVIRONMENT.replace("WHEN", when).replace("MISHAP", mishap))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_stuck_run_with_a_whole_checkpoint(tmp_path, number):
    environment(tmp_path, "Own.steps == 300", STUCK.strip())
    words = ["--game", "python/own:Own", "--no-probe", "--run", "out", *sets("actors.overlap=off")]
    process = Running("train", *words, folder=tmp_path)
    assert any("never returns" in line for line in process.stdout)
    process.send_signal(number)
    assert any("was asked" in line for line in process.stdout)  # the first one is taken note of
    process.send_signal(number)
    process.communicate()
    assert process.returncode == 128 + number
    assert checkpoint.latest(tmp_path / "out" / "checkpoints")[1] == []


def test_a_second_signal_ends_a_run_whose_child_is_stuck_and_the_child(tmp_path):
    environment(tmp_path, "Own.steps == 300", "print(os.getpid(), flush=True)\n            signal.pause()")
    (tmp_path / "own.py").write_text("import os\n" + (tmp_path / "own.py").read_text())
    words = ["--game", "python/own:Own", "--no-probe", "--run", "out", *sets("actors.overlap=on")]
    process = Running("train", *words, folder=tmp_path)
    child = next(int(line) for line in process.stdout if line.strip().isdigit())
    watched = os.pidfd_open(child)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)  # another one, so that the two stay two
    process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert select.select([watched], [], [], 60.0)[0]
    os.close(watched)
    assert checkpoint.latest(tmp_path / "out" / "checkpoints")[1] == []


def test_a_signal_to_a_whole_group_saves_the_games_under_way(tmp_path):
    """As Ctrl-C in a terminal, `timeout` and batch systems send it: the child leaves it to its parent."""
    process = started(tmp_path, "--set", "actors.overlap=on", fresh=True)
    os.killpg(process.pid, signal.SIGTERM)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "the process that plays" not in out + errors
    found, problems = checkpoint.latest(tmp_path / "cart" / "checkpoints")
    assert problems == [] and found.state()["actor"]["incarnation"] == 0
    assert "games.begun" in found.arrays("actor") and len(found.state()["actor"]["pending"]) >= 1


def test_what_an_environment_prints_is_printed_also_by_a_child(tmp_path):
    environment(tmp_path, "True", "print('step', flush=False)")
    counts = []
    for overlap in ("on", "off"):
        words = ["--game", "python/own:Own", "--no-probe", "--run", overlap, *sets(f"actors.overlap={overlap}")]
        result = command("train", *words, folder=tmp_path)
        assert result.returncode == 0, result.stderr
        counts.append(result.stdout.split().count("step"))
    assert counts[0] == counts[1] > 600


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("raise KeyError('the engine is on fire')", "the engine is on fire"),
        ("return np.full(2, np.nan, np.float32), 0.0, False, False, {}", "nan"),
    ],
)
def test_an_environment_that_always_fails_ends_the_run_saved(tmp_path, fault, message):
    environment(tmp_path, "Own.steps >= 300", fault)
    result = command("train", "--game", "python/own:Own", "--no-probe", "--run", "out", *sets(), folder=tmp_path)
    assert result.returncode == 4 and message in result.stderr, result.stderr
    assert "Traceback" not in result.stderr
    assert checkpoint.latest(tmp_path / "out" / "checkpoints")[0].step > 100


def test_occasional_faults_of_an_environment_are_warnings(tmp_path):
    environment(tmp_path, "Own.steps % 97 == 0", "raise KeyError('the engine is on fire')")
    result = command("train", "--game", "python/own:Own", "--no-probe", "--run", "out", *sets(), folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "environment faults so far: 1, the last: python/own:Own, environment " in result.stdout
    last = json.loads((tmp_path / "out" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["environment_faults"] > 4 and last["segments/balance"] == 0 and last["rejected_segments"] == 0

"""The CPU seconds of a run: over all of its sessions, and not known where one did not count them."""

import json
import resource

import pytest
from commands import command, sets
from killing import made, reseal
from rich.console import Console

from muzero.runs import checkpoint
from muzero.runs.folder import RunFolder
from muzero.training import clock
from muzero.training.clock import Clock, CpuClock
from muzero.training.progress import Progress

GAME = "board/tic_tac_toe"
TICKS = 0.05  # by which the system's counters may be ahead


@pytest.fixture
def spent(monkeypatch):
    """The CPU seconds that the system counts, as a list of one number."""
    counted = [100.0]
    monkeypatch.setattr(clock, "cpu_seconds", lambda: counted[0])
    return counted


def test_a_phase_under_way_counts(monkeypatch):
    now = [10.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])
    counting = Clock()
    with counting.timed("learn"):
        now[0] += 3
        assert counting.phases["learn"] == 3
    now[0] += 5
    assert counting.phases["learn"] == 3 and counting.phases["play"] == 0


def test_seconds_are_those_of_earlier_sessions_and_of_this_one(spent):
    counting = CpuClock()
    counting.restore(12.5)
    spent[0] += 3.25
    assert counting.seconds() == 15.75


def test_a_state_is_exact_although_the_seconds_were_read_a_moment_ago(spent):
    counting = CpuClock()
    assert counting.seconds() == 0.0
    spent[0] += 0.75
    assert counting.state() == counting.seconds() == 0.75


def test_processes_that_end_take_no_seconds_back(spent):
    counting = CpuClock()
    spent[0] += 2.0
    assert counting.state() == 2.0
    spent[0] -= 1.5
    assert counting.state() == 2.0


def test_a_run_counts_what_its_processes_use(tmp_path):
    """In a process of its own, where nothing that other tests left is counted."""
    settings = sets("run.steps=200", "actors.overlap=on")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert command("train", "--game", GAME, "--run", "run", *settings, folder=tmp_path).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    newest, _ = checkpoint.latest(RunFolder(tmp_path / "run").checkpoints)
    assert 0 < newest.state()["cpu_seconds"] <= used + TICKS


def resumed(folder, spent):
    """What the clock of a resumed run says after two more seconds, and the last row of its metrics."""
    training = made(folder, GAME)
    training.restore()
    spent[0] += 2.0
    Progress(folder, Console(quiet=True)).show(training.status())
    seconds = training.cpu_clock.seconds()
    training.close()
    return seconds, json.loads(RunFolder(folder).metrics.read_text().splitlines()[-1])


def forge(folder, change):
    """Change the state of a run's newest checkpoint."""
    newest, _ = checkpoint.latest(RunFolder(folder).checkpoints)
    state = newest.state()
    change(state)
    (newest.path / checkpoint.STATE).write_text(json.dumps(state))
    reseal(newest.path)


def test_a_resumed_run_counts_on(copy, spent):
    forge(copy, lambda state: state.update(cpu_seconds=12.5))
    seconds, row = resumed(copy, spent)
    assert seconds == row["cpu_seconds"] == 14.5


def test_a_checkpoint_that_did_not_count_them_can_be_resumed(copy, spent):
    forge(copy, lambda state: state.pop("cpu_seconds"))
    seconds, row = resumed(copy, spent)
    assert seconds is None and "cpu_seconds" not in row


@pytest.mark.parametrize("value", [-1, "x", True, 10**400, float("nan"), []])
def test_what_is_not_a_time_is_refused(value):
    with pytest.raises(ValueError, match="cpu_seconds"):
        CpuClock().check(value)

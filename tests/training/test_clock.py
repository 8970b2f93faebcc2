"""The CPU seconds of a run: over all of its sessions, and not known where one did not count them."""

import json

import pytest
from killing import made, reseal
from rich.console import Console

from muzero.runs import checkpoint
from muzero.runs.folder import RunFolder
from muzero.training.clock import CpuClock
from muzero.training.progress import Progress


def resumed(folder):
    """What the clock of a resumed run says, and the last row of its metrics."""
    training = made(folder, "board/tic_tac_toe")
    training.restore()
    Progress(folder, Console(quiet=True)).show(training.status())
    seconds = training.cpu_clock.seconds()
    training.close()
    return seconds, json.loads(RunFolder(folder).metrics.read_text().splitlines()[-1])


def test_a_resumed_run_counts_on(copy):
    newest, _ = checkpoint.latest(RunFolder(copy).checkpoints)
    seconds, row = resumed(copy)
    # 0 where processes of earlier tests end meanwhile, whose work counted at the beginning; see tests/util/test_cpu.py.
    assert 0 <= newest.state()["cpu_seconds"] <= row["cpu_seconds"] <= seconds


def test_a_checkpoint_that_did_not_count_them_can_be_resumed(copy):
    newest, _ = checkpoint.latest(RunFolder(copy).checkpoints)
    state = newest.state()
    del state["cpu_seconds"]
    (newest.path / checkpoint.STATE).write_text(json.dumps(state))
    reseal(newest.path)
    seconds, row = resumed(copy)
    assert seconds is None and "cpu_seconds" not in row


@pytest.mark.parametrize("value", [-1, "x", True, 10**400, float("nan"), []])
def test_what_is_not_a_time_is_refused(value):
    with pytest.raises(ValueError, match="cpu_seconds"):
        CpuClock().check(value)

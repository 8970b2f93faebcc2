"""Runs of several learners: one run, whatever one of them does, and the same run after a resume."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import pytest
from commands import command, sets
from killing import TINY, digest, in_child, stop_in, unopened
from learners import free_port, variables
from rich.console import Console
from torch.distributed import run as torchrun

from muzero import build
from muzero.cli import train
from muzero.config import ConfigError, parse_settings
from muzero.learning import parallel
from muzero.runs import checkpoint
from muzero.runs.folder import RunFolder, owned
from muzero.training import together
from muzero.training.progress import Progress
from muzero.util import failpoints

GAME = "board/tic_tac_toe"
FORK = multiprocessing.get_context("fork")
KILLED, LIMIT = -signal.SIGKILL, 200  # seconds after which a learner counts as hanging


def go(folder, *settings):
    """What muzero-train does, without the evaluation at the end: begins a run, or resumes it."""
    resumes = RunFolder(folder).exists
    training = unopened(folder, GAME, *settings)
    with owned(training.folder):
        training.open()
        if resumes:
            train.restore(training, Console(quiet=True))
        if training.learners.leads:
            RunFolder(folder).config.write_text(training.config.to_toml())
        if training.steps == 0:
            training.save(wait=True)
        progress = Progress(training.folder, Console(quiet=True))
        try:
            training.run(progress)
            weights = parallel.digest(training.learner.state()[0])
            lines = [digest(training), weights, training.steps, training.replay.steps, training.learner.updates]
            (training.folder / "found").write_text("\n".join(map(str, lines)))
        finally:
            progress.close(training.status())
            training.close()


def live(rank, port, armed, stop_at, size, arguments):
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    os.environ.update(variables(rank, size, port))
    failpoints.ARMED, failpoints.reached = failpoints.armed(armed), {}
    stop_in(stop_at)
    go(*arguments)


def several(*arguments, armed=("", ""), stop_at=(None, None)):
    """`go` in as many processes as failpoints are given.  Returns their exit codes."""
    port, size = free_port(), len(armed)
    given = ((rank, port, armed[rank], stop_at[rank], size, arguments) for rank in range(size))
    processes = [FORK.Process(target=live, args=each) for each in given]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def folders(run):
    """Of two learners."""
    return run, RunFolder(run).learners / "1"


def found(run):
    """What each of two learners has at the end: digest, weights, steps of all, steps of its own, updates."""
    return [(folder / "found").read_text().split("\n") for folder in folders(run)]


def saved(run):
    """Names of the checkpoints of each of two learners."""
    return [[path.name for path in checkpoint.listed(RunFolder(folder).checkpoints)] for folder in folders(run)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What an undisturbed run has at its end."""
    folder = tmp_path_factory.mktemp("whole")
    assert several(folder) == [0, 0]
    return found(folder)


def test_learners_have_the_same_weights_and_games_of_their_own(whole):
    (first, weights, steps, mine, updates), (second, others, *rest) = whole
    assert weights == others and first != second
    assert rest[0] == steps and rest[2] == updates
    assert int(mine) + int(rest[1]) == int(steps) >= 600
    assert int(updates) == int((int(steps) - 100) * 0.1)


@pytest.mark.parametrize(
    "armed",
    [
        ("", "train.after_play:kill:9"),
        ("", "checkpoint.before_rename:kill:3"),  # the first learner has a checkpoint that the second lacks
        pytest.param(("checkpoint.after_rename:kill:3", ""), marks=pytest.mark.slow),
        ("learner.after_backward:kill:20", ""),
    ],
    ids=lambda armed: "".join(armed),
)
def test_a_run_of_which_a_learner_was_killed_equals_one_that_was_not(tmp_path, whole, armed):
    codes = several(tmp_path, armed=armed)
    dead = 0 if armed[0] else 1
    assert codes[dead] == KILLED and codes[1 - dead] == 1  # not killed by the alarm: it noticed
    assert several(tmp_path) == [0, 0]
    assert found(tmp_path) == whole


@pytest.mark.parametrize("stop_at", [(None, 17), pytest.param((30, None), marks=pytest.mark.slow), (25, 25)])
def test_a_signal_to_one_learner_stops_all_and_a_resume_loses_nothing(tmp_path, whole, stop_at):
    assert several(tmp_path, stop_at=stop_at) == [0, 0]
    (_, _, steps, _, updates), other = found(tmp_path)
    assert int(steps) < 600 and [other[2], other[4]] == [steps, updates]
    assert [names[-1] for names in saved(tmp_path)] == [f"step-{int(steps):09d}"] * 2
    assert several(tmp_path) == [0, 0]
    assert found(tmp_path) == whole


def test_checkpoints_are_evaluated_by_the_first_learner_and_saved_by_all(tmp_path):
    assert several(tmp_path, "run.evaluate_every=200", "run.save_every=10_000") == [0, 0]
    assert len((tmp_path / "evaluations.jsonl").read_text().splitlines()) >= 2
    assert not (tmp_path / "learners" / "1" / "evaluations.jsonl").exists()
    first, second = saved(tmp_path)
    assert {*second} <= {*first} and len(second) == 3


def test_a_run_is_resumed_by_as_many_learners_as_began_it(tmp_path):
    assert several(tmp_path, "run.steps=200") == [0, 0]
    config = build.configure(GAME, [parse_settings(TINY)])
    for size in (1, 3):
        with pytest.raises(ConfigError, match=f"is a run of 2 learners, and this is one of {size}; .*per-node=2"):
            together.require(tmp_path, size, config)
    together.require(tmp_path, 2, config)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (["learner.batch=15"], r"batch = 15 \(from .*\) cannot be shared by 2 learners; use a multiple of 2"),
        (["actors.count=2"], r"count = 2 \(from .*\): each of several learners plays its own games"),
    ],
)
def test_settings_that_several_learners_cannot_have_are_refused(tmp_path, settings, problem):
    config = build.configure(GAME, [parse_settings([*TINY, *settings])])
    with pytest.raises(ConfigError, match=problem):
        together.require(tmp_path, 2, config)


def test_several_learners_without_a_folder_are_refused(tmp_path):
    done = command("train", "--game", GAME, *sets(), folder=tmp_path, env=variables(0, 2, free_port()))
    assert done.returncode == 2 and "several learners share one folder, so name it: --run FOLDER" in done.stderr


def test_torchrun_starts_a_run_of_two_learners(tmp_path, capfd):
    program = "import sys; from muzero.cli.train import main; sys.argv = ['muzero-train', *sys.argv[1:]]; main()"
    words = ["--nproc-per-node=2", f"--master-port={free_port()}", "--no-python", "--", sys.executable, "-c", program]
    words += ["--game", GAME, *sets("run.steps=200"), "--run", str(tmp_path / "run")]
    code = in_child(lambda: torchrun.main(words))
    out, errors = capfd.readouterr()
    assert code == 0, errors
    assert out.count("tic_tac_toe: ") == 1  # the first learner alone speaks
    assert (tmp_path / "run" / "evaluation.json").exists()
    assert [path.name for path in Path(tmp_path / "run" / "learners").iterdir()] == ["1"]

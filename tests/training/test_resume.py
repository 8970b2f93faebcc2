"""A run can be killed at any moment and continues as if nothing had happened."""

import os
import signal
from functools import partial

import numpy as np
import pytest
from killing import go, in_child

from muzero.runs import checkpoint, saving
from muzero.util import failpoints

GAMES = ["board/tic_tac_toe", "gym/CartPole-v1"]
KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Digests of undisturbed runs."""
    found = {}
    for game in GAMES:
        folder = tmp_path_factory.mktemp("whole")
        assert in_child(lambda folder=folder, game=game: go(folder, game)) == 0
        found[game] = (folder / "digest").read_text()
    return found


PLACES = [place for place in failpoints.PLACES if not place.startswith(("learner.poison", "resume"))]


# Every place, with one game after the other in turn; the other half of the pairs takes another minute.
PAIRS = [
    pytest.param(game, place, id=f"{game}-{place}", marks=[pytest.mark.slow] * ((number + which) % 2))
    for number, place in enumerate(PLACES)
    for which, game in enumerate(GAMES)
]


@pytest.mark.parametrize(("game", "place"), PAIRS)
def test_a_run_killed_at_any_failpoint_equals_one_that_was_not(tmp_path, whole, game, place):
    # An actor that is killed in a child process is replaced; in the run's own process it ends the run.
    here = ["actors.overlap=off"] if place.startswith("actor.") else []
    assert in_child(lambda: go(tmp_path, game, *here), f"{place}:kill:3") == KILLED
    assert in_child(lambda: go(tmp_path, game)) == 0
    assert (tmp_path / "digest").read_text() == whole[game]
    left = [path.name for path in (tmp_path / "checkpoints").iterdir()]
    assert not [name for name in left if name.startswith(".") or "invalid" in name]


def test_a_run_with_cheap_searches_equals_one_that_was_not_killed(tmp_path):
    settings = ["planner.simulations=8", "selfplay.full_searches=0.3", "selfplay.cheap_simulations=2"]
    once, again = tmp_path / "once", tmp_path / "again"
    assert in_child(lambda: go(once, GAMES[0], *settings)) == 0
    assert in_child(lambda: go(again, GAMES[0], *settings), "train.after_play:kill:20") == KILLED
    assert in_child(lambda: go(again, GAMES[0], *settings)) == 0
    assert (once / "digest").read_text() == (again / "digest").read_text()


def test_a_run_killed_before_its_first_checkpoint_starts_again(tmp_path, whole):
    assert in_child(lambda: go(tmp_path, GAMES[1]), "checkpoint.before_rename:kill") == KILLED
    assert in_child(lambda: go(tmp_path, GAMES[1])) == 0
    assert (tmp_path / "digest").read_text() == whole[GAMES[1]]


def test_a_run_killed_again_while_it_resumes_loses_nothing(tmp_path, whole):
    assert in_child(lambda: go(tmp_path, GAMES[1]), "train.after_store:kill:9") == KILLED
    for _ in range(2):
        assert in_child(lambda: go(tmp_path, GAMES[1]), "resume.after_restore:kill") == KILLED
    assert in_child(lambda: go(tmp_path, GAMES[1]), "train.after_play:kill:5") == KILLED
    assert in_child(lambda: go(tmp_path, GAMES[1])) == 0
    assert (tmp_path / "digest").read_text() == whole[GAMES[1]]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("game", GAMES)
def test_a_run_killed_at_random_equals_one_that_was_not(tmp_path, whole, game, number):
    rng = np.random.default_rng(number)
    code = None
    while code != 0:  # killed as often as it takes: each time somewhere else
        code = in_child(lambda: go(tmp_path, game), kill_after=rng.uniform(0.3, 3.0) if code is None else None)
        assert code in (0, -signal.SIGALRM)
    assert (tmp_path / "digest").read_text() == whole[game]


def save_forever(folder, report):
    """Write checkpoints one after the other and say which are done."""
    rng, step = np.random.default_rng(0), 0
    while True:
        step += 1
        arrays = {"model": {"weight": rng.random((64, 1024), np.float32)}, "actor": {"step": np.array([step])}}
        saving.save(folder, step, arrays, {"step": step}, {"seconds": float(step), "log": 0})
        saving.prune(folder, 3, 1e9)
        os.write(report, step.to_bytes(8, "little"))


@pytest.mark.parametrize("count", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_random_kills_while_checkpoints_are_written_leave_a_usable_one(tmp_path, count):
    rng = np.random.default_rng(count)
    for number in range(count):
        folder = tmp_path / str(number)
        reader, writer = os.pipe()
        assert in_child(partial(save_forever, folder, writer), kill_after=rng.uniform(0.02, 0.2)) == -signal.SIGALRM
        os.close(writer)
        done = os.read(reader, 1 << 20)
        os.close(reader)
        finished = int.from_bytes(done[-8:], "little") if done else 0
        if finished:
            found, problems = checkpoint.latest(folder)
            assert not problems and found.step >= finished
            assert found.arrays("actor")["step"] == found.state()["step"] == found.step
        saving.save(folder, 10**9, {}, {}, {})  # the next process clears up
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]

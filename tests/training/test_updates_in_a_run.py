"""Results of an update are used with the next one, in a run that is stopped between them too."""

import copy
import math
import signal

import numpy as np
import pytest
import torch
from killing import go, in_child, stopped
from small_learning import small_learner, small_replay

from muzero.training.updates import Updates

PRIORITIES = "replay.priority_exponent=1.0"
GAME = "gym/CartPole-v1"


def small_updates(poisoned=()):
    """Updates with priorities.  poisoned: numbers of the updates whose batch is not finite."""
    learner, replay = small_learner(), small_replay(priority_exponent=1.0)
    sample = replay.sample

    def poison(*given):
        rows, window = sample(*given)
        if learner.updates in poisoned:
            window.reward.fill_(math.nan)
        return rows, window

    replay.sample = poison
    return Updates(learner, replay)


def priorities(updates):
    return updates.replay.priority[np.arange(len(updates.replay))].copy()


def test_priorities_are_written_one_update_late():
    updates = small_updates()
    made, update = [], updates.learner.update
    updates.learner.update = lambda *given: made.append(update(*given)) or made[-1]
    fresh = priorities(updates)
    assert updates.make(0.0) is None
    rows = updates.pending.rows
    np.testing.assert_array_equal(priorities(updates), fresh)
    first = updates.pending.window
    assert updates.make(0.0) is first
    expected = fresh.copy()
    expected[rows] = made[0].priority.numpy() + 1e-6
    np.testing.assert_allclose(priorities(updates), expected, rtol=1e-6)
    assert updates.newest is made[1]


def test_skipped_updates_are_counted_one_update_late_and_set_no_priority():
    updates = small_updates(poisoned=(1, 2))
    counts = []
    for _ in range(5):
        before = priorities(updates)
        updates.make(0.0)
        counts.append((updates.learner.skipped, updates.learner.skipped_in_a_row))
        if len(counts) in (3, 4):  # what arrives now is of updates 1 and 2
            np.testing.assert_array_equal(priorities(updates), before)
    assert counts == [(0, 0), (0, 0), (1, 1), (2, 2), (2, 0)]


@pytest.mark.parametrize("poisoned", [(), (2,)], ids=["finite", "skipped"])
def test_a_pending_update_survives_a_checkpoint(poisoned):
    updates = small_updates(poisoned)
    for _ in range(3):
        updates.make(0.0)
    twin = small_updates()
    tensors, values = copy.deepcopy(updates.learner.state())
    twin.learner.restore(tensors, values)
    twin.replay.__dict__.update({k: v for k, v in copy.deepcopy(vars(updates.replay)).items() if k != "sample"})
    state = {name: array.copy() for name, array in updates.state().items()}
    assert all(np.isfinite(array).all() for array in state.values())  # as checkpoints need it
    twin.check(state, twin.replay.written)
    twin.restore(state | {"priority": np.zeros(3)})
    for _ in range(4):
        updates.make(0.5)
        twin.make(0.5)
        np.testing.assert_array_equal(priorities(updates), priorities(twin))
    assert updates.learner.skipped == twin.learner.skipped == len(poisoned)
    pairs = zip(updates.learner.model.parameters(), twin.learner.model.parameters(), strict=True)
    assert all(torch.equal(left, right) for left, right in pairs)


def test_a_state_without_a_pending_update_is_restored():
    """Checkpoints of older versions have none either."""
    updates = small_updates()
    assert updates.state() == {}
    updates.check({"priority": np.zeros(3)}, 0)
    updates.make(0.0)
    updates.restore({"priority": np.zeros(3)})
    assert updates.pending is None


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("rows", None),
        ("rows", np.arange(4.0)),
        ("rows", np.arange(5)),
        ("rows", np.array([0, 1, 2, 100])),
        ("rows", np.array([0, 1, 2, -1])),
        ("priority", None),
        ("priority", np.ones(4)),
        ("priority", np.array([1, 1, 1, -1], np.float32)),
        ("finite", None),
        ("finite", np.array(1.0)),
        ("finite", np.ones(4, bool)),
    ],
)
def test_a_damaged_pending_update_is_refused(name, array):
    state = {"rows": np.arange(4), "priority": np.ones(4, np.float32), "finite": np.array(True)}
    whole = {f"pending.{key}": value for key, value in state.items()}
    updates = small_updates()
    updates.check(whole, 100)
    damaged = {key: value for key, value in (whole | {f"pending.{name}": array}).items() if value is not None}
    with pytest.raises(ValueError, match=r"replay\.pending: expected rows int64 \[N\] below 100"):
        updates.check(damaged, 100)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The digest of an undisturbed run with priorities."""
    folder = tmp_path_factory.mktemp("whole")
    assert in_child(lambda: go(folder, GAME, PRIORITIES)) == 0
    return (folder / "digest").read_text()


def test_a_run_with_priorities_that_is_killed_equals_one_that_was_not(tmp_path, whole):
    assert in_child(lambda: go(tmp_path, GAME, PRIORITIES), "learner.after_backward:kill:33") == -signal.SIGKILL
    assert in_child(lambda: go(tmp_path, GAME, PRIORITIES)) == 0
    assert (tmp_path / "digest").read_text() == whole


@pytest.mark.parametrize("after", [20, 21, 22])
def test_a_run_with_priorities_that_is_stopped_equals_one_that_was_not(tmp_path, whole, after):
    assert in_child(lambda: stopped(after, tmp_path, GAME, PRIORITIES)) == 0
    assert (tmp_path / "digest").read_text() != whole
    assert in_child(lambda: go(tmp_path, GAME, PRIORITIES)) == 0
    assert (tmp_path / "digest").read_text() == whole

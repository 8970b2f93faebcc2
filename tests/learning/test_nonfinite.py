"""What a run does where numbers stop being numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from killing import go, in_child, made
from rich.console import Console

from muzero.interfaces import NonFiniteError
from muzero.training.progress import Progress
from muzero.util import failpoints

GAME = "gym/CartPole-v1"
HERE = "actors.overlap=off"  # the actor of the test is in this process


@pytest.fixture
def armed(monkeypatch):
    def arm(text):
        monkeypatch.setattr(failpoints, "ARMED", failpoints.armed(text))
        monkeypatch.setattr(failpoints, "reached", {})

    return arm


def play_on(training):
    """A round of self-play without learning."""
    training._publish()
    training._store(training.pool.next_result(0), None)


def frozen(learner):
    """All numbers of a learner but its counters."""
    tensors, _ = learner.state()
    return {(group, name): tensor.clone() for group, part in tensors.items() for name, tensor in part.items()}


@pytest.mark.parametrize("game", [GAME, "board/tic_tac_toe"])
def test_a_non_finite_update_changes_no_weight_statistic_or_priority(tmp_path, armed, game):
    training = made(tmp_path, game, HERE, "replay.priority_exponent=1.0")
    for _ in range(9):
        play_on(training)
    learner, updates = training.learner, training.learning.updates
    updates.make(0.0)
    before = frozen(learner)
    armed("learner.poison_batch:trip")
    updates.make(0.0)
    after = frozen(learner)
    assert (learner.skipped, learner.updates) == (0, 2)  # it is counted with the next update
    assert before.keys() == after.keys()
    for name in before:
        assert torch.equal(before[name], after[name]), name
    armed("")
    rows = np.arange(len(training.replay))
    priorities = training.replay.priority[rows].copy()
    updates.make(0.0)
    assert (learner.skipped, learner.skipped_in_a_row, learner.updates) == (1, 1, 3)
    np.testing.assert_array_equal(training.replay.priority[rows], priorities)
    updates.make(0.0)
    assert (learner.skipped, learner.skipped_in_a_row) == (1, 0)
    assert (training.replay.priority[rows] != priorities).any()
    training.close()


def test_ten_skipped_updates_restore_the_checkpoint_three_times_at_most(tmp_path):
    def run():
        with pytest.raises(NonFiniteError, match=r"10 updates in a row .* 3 returns to a checkpoint; .*bad-batch\.npz"):
            go(tmp_path, GAME)

    assert in_child(run, "learner.poison_batch:trip:12") == 0
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["recoveries"] == 3
    with np.load(tmp_path / "bad-batch.npz", allow_pickle=False) as dumped:
        assert np.isnan(dumped["reward"]).any() or np.isfinite(dumped["reward"]).all()
        assert len(dumped["action"]) == 16
    assert in_child(lambda: go(tmp_path, GAME)) == 0  # where the cause is gone, the run continues


def test_a_run_recovers_from_a_bad_spell(tmp_path, armed, monkeypatch):
    training = made(tmp_path, GAME)
    training.save(wait=True)
    update, calls = training.learner.update, 0

    def sometimes(window, progress):
        nonlocal calls
        calls += 1
        if 15 <= calls < 25:
            window.reward.fill_(np.nan)
        return update(window, progress)

    monkeypatch.setattr(training.learner, "update", sometimes)
    progress = Progress(tmp_path, Console(quiet=True))
    assert training.run(progress) is None
    assert training.learning.recoveries == 1 and training.learner.updates == int((training.replay.steps - 100) * 0.1)
    assert training.learner.is_finite(torch.zeros(1, 4))
    progress.close(training.status())
    training.close()


def test_a_run_that_meets_a_huge_observation_is_saved(tmp_path, monkeypatch):
    training = made(tmp_path, GAME, HERE)
    games, calls = training.pool.place.actor.games, 0
    step = games.step

    def huge_at_last(actions):
        nonlocal calls
        calls += 1
        after = step(actions)
        return after if calls < 100 else replace(after, observation=np.full_like(after.observation, 3e38))

    monkeypatch.setattr(games, "step", huge_at_last)
    progress = Progress(tmp_path, Console(quiet=True))
    with pytest.raises(NonFiniteError, match=r"numbers from 3e\+38 to 3e\+38"):
        training.run(progress)
    progress.close(training.status())
    training.close()
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])["steps"] > 300
    resumed = made(tmp_path, GAME)
    (note,) = resumed.restore()
    assert "new ones begin" in note
    assert resumed.replay.steps > 300 and resumed.learner.updates > 0
    resumed.close()


def test_weights_that_are_no_numbers_are_never_published(tmp_path, armed):
    training = made(tmp_path, GAME, HERE)
    training.save(wait=True)
    play_on(training)
    good = {name: tensor.clone() for name, tensor in training.pool.place.actor.model.state_dict().items()}
    with torch.no_grad():
        next(training.learner.model.parameters())[0] = torch.inf
    training.learner.updates += 1
    play_on(training)
    assert training.learning.recoveries == 1
    for name, tensor in training.pool.place.actor.model.state_dict().items():
        assert torch.equal(tensor, good[name])
    armed("learner.poison_weights:trip")
    training.learner.updates += 1
    with pytest.raises(NonFiniteError, match="the weights are not finite"):
        play_on(training)
    training.close()

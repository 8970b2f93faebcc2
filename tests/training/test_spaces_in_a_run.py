"""Runs of real-valued and of combined actions: learned, stored, killed and resumed like any other."""

import signal

import numpy as np
import pytest
from killing import go, in_child, made

from muzero.data.segment_log import SegmentLog

GAMES = {
    "gym/Pendulum-v1": [
        "planner.kind='sampled'",
        "planner.simulations=4",
        "planner.samples=4",
        "selfplay.random_actions=0.2",
    ],
    "python/joint:Joint": ["planner.kind='gumbel'", "planner.simulations=4", "planner.inference='torch'"],
}
RUNS = [pytest.param(game, settings, id=game) for game, settings in GAMES.items()]


@pytest.mark.parametrize(("game", "settings"), RUNS)
@pytest.mark.parametrize(
    "place", ["train.after_play", pytest.param("checkpoint.before_rename", marks=pytest.mark.slow)]
)
def test_a_run_that_is_killed_equals_one_that_was_not(tmp_path, game, settings, place):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    assert in_child(lambda: go(whole, game, *settings)) == 0
    assert in_child(lambda: go(killed, game, *settings), f"{place}:kill:3") == -signal.SIGKILL
    assert in_child(lambda: go(killed, game, *settings)) == 0
    assert (whole / "digest").read_text() == (killed / "digest").read_text()


@pytest.mark.parametrize(("game", "settings"), RUNS)
def test_the_log_of_a_run_holds_its_actions(tmp_path, game, settings):
    training = go(tmp_path, game, *settings)
    space = training.spec.actions
    log = SegmentLog(tmp_path / "replay", training.spec, training.replay.candidates)
    actions = np.concatenate([segment.columns["action"][: segment.steps] for _, segment in log.scan()])
    log.close()
    assert actions.dtype == space.dtype and actions.shape[1:] == space.shape
    assert len(np.unique(actions, axis=0)) > (5 if space.columns else 100)


def test_random_play_of_pendulum_scores_what_is_known(tmp_path):
    """-1,236 on average over many games; the standard error of 40 games is about 45."""
    training = made(
        tmp_path, "gym/Pendulum-v1", "planner.kind='reactive'", "selfplay.random_actions=1.0", "run.games=20"
    )
    episodes = []
    while len(episodes) < 40:
        episodes += training.pool.next_result(300.0).found.episodes
    training.close()
    assert np.mean([episode.score for episode in episodes]) == pytest.approx(-1236, abs=150)
    assert all(episode.steps == 200 for episode in episodes)

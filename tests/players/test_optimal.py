"""The player that knows Pendulum-v1: its dynamics are gymnasium's, and it does what its values say."""

import gymnasium
import numpy as np
import pytest
from evaluating import evaluated

from muzero.actions import Box, Discrete
from muzero.interfaces import PlayerError, Positions
from muzero.players import registry
from muzero.players.optimal import DECISIONS, OptimalPlayer, interpolated, solved, step

GRID = (72, 41, 9)


def seen(angle, speed):
    return np.stack([np.cos(angle), np.sin(angle), speed], 1)


def chosen(player, angle, speed):
    return player.choose(Positions.alone(Box(1), seen(angle, speed), np.ones((len(angle), 0), bool)))


def test_its_dynamics_and_rewards_are_those_of_gymnasium():
    environment = gymnasium.make("Pendulum-v1").unwrapped
    environment.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(300):
        angle, speed = environment.state
        torque = rng.uniform(-2, 2)
        (following, faster), reward = step(np.array([angle]), np.array([speed]), np.array([torque]))
        observation, paid, *_ = environment.step(np.array([torque]))
        np.testing.assert_allclose(seen(following, faster)[0], observation, atol=1e-5)
        assert reward[0] == pytest.approx(paid, abs=1e-5)


def test_games_are_worth_what_it_says_and_far_more_than_those_of_other_players():
    player, rng = OptimalPlayer(*GRID), np.random.default_rng(0)
    angle, speed = rng.uniform(-np.pi, np.pi, 100), rng.uniform(-1, 1, 100)
    expected, total = interpolated(solved(*GRID), angle, speed), np.zeros(100)
    for number in range(DECISIONS):
        moves = chosen(player, angle, speed)
        if number == 0:
            np.testing.assert_allclose(moves.value.mean(), expected.mean(), rtol=0.02)
        (angle, speed), reward = step(angle, speed, 2 * moves.action[:, 0].astype(float))
        total += reward
    # SAC reaches -157 on average, and what stands stays there.
    assert total.mean() > -155 and total.mean() == pytest.approx(expected.mean(), rel=0.03)
    assert np.cos(angle).min() > 0.999 and abs(speed).max() < 0.05


def test_a_mirrored_state_is_worth_the_same_and_asks_for_the_opposite():
    player, rng = OptimalPlayer(*GRID), np.random.default_rng(1)
    angle, speed = rng.uniform(-3, 3, 50), rng.uniform(-7, 7, 50)
    moves, mirrored = chosen(player, angle, speed), chosen(player, -angle, -speed)
    np.testing.assert_allclose(moves.value, mirrored.value, rtol=1e-3, atol=1e-3)
    assert np.median(np.abs(moves.action + mirrored.action)) < 0.05


@pytest.mark.parametrize(
    ("actions", "observation"), [(Box(1), [[0.5, 0.5, 0.0]]), (Box(2), [[1.0, 0, 0]]), (Discrete(3), [[1.0, 0, 0]])]
)
def test_other_games_are_refused(actions, observation):
    with pytest.raises(PlayerError, match=r"plays gym/Pendulum-v1 only"):
        legal = np.ones((1, actions.columns), bool)
        registry.player("optimal").choose(Positions.alone(actions, np.array(observation), legal))


def test_an_evaluation_with_it_has_the_regret_of_the_others_game_by_game(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(OptimalPlayer.__init__, "__defaults__", GRID)
    report = evaluated(tmp_path, "random", "optimal", "--game", "gym/Pendulum-v1", "--games", 5)
    random, optimal = report["rows"]
    assert random["regret"] == pytest.approx(np.mean(optimal["scores"]) - np.mean(random["scores"]))
    low, high = random["regret_interval_95"]
    assert 0 < low < random["regret"] < high and "regret" not in optimal
    assert f"{random['regret']:.1f} [{low:.1f}..{high:.1f}]" in capsys.readouterr().out

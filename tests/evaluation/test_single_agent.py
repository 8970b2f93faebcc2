"""Scores in single-agent games: compared with random play, published scores, and over seeds."""

import numpy as np
import pytest
from evaluating import evaluated

from muzero import build
from muzero.config import parse_settings
from muzero.evaluation import published_scores
from muzero.evaluation.aggregate import aggregate
from muzero.games import registry
from muzero.util.extras import MissingExtra


def test_a_single_agent_is_compared_with_random_and_published_scores(carts, tmp_path, capsys):
    report = evaluated(tmp_path, carts[0], "--games", 6)
    assert [row["player"] for row in report["rows"]] == [str(carts[0]), "random"]
    assert len(report["scores"]) == 6 and report["mean"] == pytest.approx(np.mean(report["scores"]))
    assert {row["agent"] for row in report["references"]} == {"A2C", "DQN", "PPO"}
    assert "Stable-Baselines3" in capsys.readouterr().out and report["human_normalised"] is None


def test_games_that_reach_the_limit_of_steps_are_counted(tmp_path, capsys):
    report = evaluated(tmp_path, "random", "--game", "gym/MountainCar-v0", "--games", 3)
    assert report["games_at_limit"] == 3 and report["step_limit"] == 200
    assert "random: 3 of 3 games reached the limit of 200 steps" in capsys.readouterr().out


def test_several_runs_are_seeds_with_an_interquartile_mean(carts, tmp_path):
    pytest.importorskip("rliable")
    report = evaluated(tmp_path, *carts, "--games", 3)
    means = [row["mean"] for row in report["rows"][:3]]
    assert report["over_seeds"]["runs"] == 3
    assert min(means) <= report["over_seeds"]["low"] <= report["over_seeds"]["iqm"] <= report["over_seeds"]["high"]


def test_the_interquartile_mean_leaves_out_a_quarter_at_each_end():
    pytest.importorskip("rliable")
    found = aggregate(np.array([[0.0], [10.0], [12.0], [1000.0]]))
    assert found.iqm == 11.0 and (found.runs, found.tasks) == (4, 1) and found.low < 11 < found.high


def test_a_missing_package_names_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rliable", None)
    with pytest.raises(MissingExtra, match=r"muzero\[report\]"):
        aggregate(np.zeros((2, 1)))


def test_human_normalised_scores_are_0_for_random_and_1_for_human_play():
    assert len(published_scores.ATARI) == 57
    for name, (random, human) in published_scores.ATARI.items():
        assert published_scores.human_normalised(f"atari/{name}", random) == 0 and human > random
        assert published_scores.human_normalised(f"atari/{name}", human) == 1
    assert published_scores.human_normalised("gym/CartPole-v1", 500) is None
    for game in ("atari/pong", "gym/CartPole-v1", "minatar/breakout"):
        assert all(row.source for row in published_scores.of(game)) and published_scores.of(game)


def test_atari_is_evaluated_with_and_without_sticky_actions():
    pytest.importorskip("ale_py")
    protocols = registry.protocols(build.configure("atari/pong", []))
    assert [config.table("game")["sticky"] for config in protocols.values()] == [0.0, 0.25]


@pytest.mark.parametrize("protocol", [0, 1])
def test_atari_is_evaluated_in_full_games_with_true_rewards(protocol):
    pytest.importorskip("ale_py")
    config = build.configure("atari/alien", [parse_settings(["game.size=24", "game.noops=0"])])
    config = list(registry.protocols(config).values())[protocol]

    def first_game(training):
        games, rng = build.games(config, 1, training), np.random.default_rng(0)
        shown = [games.reset(np.array([5]))]
        while not shown[-1].last[0]:
            shown.append(games.step(rng.integers(games.spec.actions.columns, size=1)))
        games.close()
        return {float(now.reward[0]) for now in shown}, len(shown)

    (rewards, steps), (clipped, life) = first_game(False), first_game(True)
    assert clipped == {0, 1} and {0, 10} <= rewards  # the first dots give 10 points each
    assert steps > 2 * life  # three lives

"""What is imagined along real games is compared with what came there: in a corridor whose every step is known."""

import json

import numpy as np
import pytest
import torch
import untrained
from chain import DISCOUNT, ChainGames, ChainModel
from remembering import RememberingModel, WarmPlanner
from uncertain import UncertainModel

from muzero.cli.evaluate.command import evaluate_command
from muzero.config import ConfigError
from muzero.evaluation import foresight
from muzero.evaluation.foresight import RealGame, compare, play, unfamiliar, whole_returns
from muzero.planners.reactive import ReactivePlanner

CELLS = 4


def played(count=40, limit=100, model=None, planner=None, batch=8, seed=0):
    games = ChainGames(batch, CELLS, limit)
    return play(games, model or ChainModel(CELLS), planner or ReactivePlanner(), count, seed, 1.0)


def cells(game):
    return game.observation.argmax(1)


def test_returns_are_of_the_player_to_move_and_end_with_the_game():
    found = whole_returns(np.array([0.0, 0.0, 1.0]), np.array([-0.5, -0.5, 0.0]))
    assert found.tolist() == [0.25, -0.5, 1.0]


def test_returns_of_a_cut_game_count_where_the_cut_hides_little():
    reward = np.ones(12)
    found = whole_returns(reward, np.full(12, 0.5))
    # Half of a half of ... : the sixth step before the cut is the first whose rest weighs less than 0.02.
    assert np.isfinite(found).tolist() == [True] * 7 + [False] * 5
    assert found[0] == pytest.approx(2 - 0.5**11)
    assert np.isnan(whole_returns(reward, np.ones(12))).all()


def test_games_are_whole_and_those_of_their_numbers_however_many_are_side_by_side():
    games = played()
    assert len(games) == 40
    for game in games:
        walked = cells(game)
        assert walked[0] == 0 and walked[-1] == CELLS - 1 and (walked[:-1] < CELLS - 1).all()
        assert len(walked) == game.steps + 1 and game.reward.tolist() == [0.0] * (game.steps - 1) + [1.0]
        np.testing.assert_allclose(game.returns, DISCOUNT ** np.arange(game.steps)[::-1], rtol=1e-6)
    assert len({game.steps for game in games}) > 5


def test_games_end_at_the_most_positions(monkeypatch):
    monkeypatch.setattr(foresight, "MOST", 400)
    games = played(count=1000, limit=30)
    assert 100 < sum(game.steps for game in games) <= 400


def test_a_game_ends_before_a_segment_that_is_missing():
    (game,) = played(count=1)
    player = foresight.SelfPlay(ChainGames(1, CELLS), ChainModel(CELLS), ReactivePlanner(), 0, segment_steps=2)
    parts = [part for part in player.play(60).segments if part.id.game == 0]
    assert len(parts) > 3
    assert RealGame.of(parts).steps == sum(part.steps for part in parts)
    assert RealGame.of([*parts[:1], *parts[2:]]).steps == parts[0].steps
    assert np.isnan(RealGame.of(parts[:1]).returns).all() and game.steps


def test_an_exact_model_makes_no_error_of_rewards_at_any_horizon():
    games = played()
    found = compare(ChainModel(CELLS), games, np.random.default_rng(0))
    longest = {horizon: sum(max(0, game.steps - horizon + 1) for game in games) for horizon in (1, 2, 3, 5, 10)}
    for horizon, count in longest.items():
        reward, value = found["reward", horizon], found["value", horizon]
        assert len(reward) == len(value) == count
        assert (reward.mean == reward.target).all() and reward.target.sum() == sum(g.steps >= horizon for g in games)
        # The position that the last action leads to is the end of the game, and has no return.
        assert np.isnan(value.target).sum() == reward.target.sum()
    assert sorted(found["value", 0].known.target) == sorted(np.float32(np.concatenate([g.returns for g in games])))


def test_values_are_compared_with_the_return_from_the_position_that_was_imagined():
    class Knowing(ChainModel):
        """Says the number of the cell as its value."""

        def predict(self, latent):
            said = super().predict(latent)
            said.value.mean = latent["cell"].float()
            return said

    games = played()
    found = compare(Knowing(CELLS), games, np.random.default_rng(0), (1, 3))
    wanted = {
        horizon: sorted(
            (cell, np.float32(value))
            for game in games
            for cell, value in zip(cells(game)[horizon : game.steps], game.returns[horizon:], strict=True)
        )
        for horizon in (0, 1, 3)
    }
    for horizon, pairs in wanted.items():
        value = found["value", horizon].known
        assert sorted(zip(value.mean, value.target, strict=True)) == pairs


def test_a_model_with_memory_observes_a_game_from_its_beginning():
    games = ChainGames(4, CELLS)
    model = RememberingModel(games.spec)
    real = play(games, model, WarmPlanner(), 10, 0, 1.0)
    found = compare(model, real, np.random.default_rng(0), (1,))["value", 0]
    wanted = []
    for game in real:
        mixture, before = model.memory(1), model.space.none(1)
        for t in range(game.steps):
            observation = torch.from_numpy(game.observation[t : t + 1])
            mixture = model.observe(mixture, torch.from_numpy(before), observation, torch.tensor([t == 0]))
            before = game.action[t : t + 1]
            wanted.append((float(model.predict(mixture).value.mean), float(np.float32(game.returns[t]))))
    assert sorted(zip(found.mean, found.target, strict=True)) == sorted(wanted)


def test_members_that_differ_where_nothing_was_seen_are_told_apart():
    torch.manual_seed(0)
    games = ChainGames(4, CELLS)
    model = UncertainModel(games.spec, noise=0).eval()
    near = [game for game in play(games, model, ReactivePlanner(), 30, 0, 1.0)]
    far = [RealGame(10 * game.observation, game.action, game.reward, game.returns) for game in near]
    rng = np.random.default_rng(0)
    known, strange = compare(model, near, rng), compare(model, far, rng, (1,))
    found = unfamiliar(known, strange, rng)
    assert found["positions"] == len(known["value", 0]) and {"value", "reward"} < found.keys()
    assert unfamiliar(known, known, rng)["value"]["auroc"] == 0.5


@pytest.fixture
def carts(tmp_path):
    return untrained.run(tmp_path / "cart", "gym/CartPole-v1", "planner.simulations=2", noise=0.3)


def test_a_run_is_measured_at_the_command_line(carts, tmp_path, capsys):
    file = tmp_path / "calibration.json"
    assert evaluate_command([str(carts), "--calibration", "--games", "24", "--json", str(file)]) == 0
    (found,) = json.loads(file.read_text())["calibration"]
    assert (found["game"], found["games"], found["outside"]) == ("gym/CartPole-v1", 24, None)
    measured = {(row["number"], row["horizon"]): row for row in found["rows"]}
    assert measured["reward", 1]["targets"] == found["positions"] == measured["value", 0]["targets"]
    assert [row["beyond"] for row in found["rows"]] == [row["horizon"] > found["unroll"] for row in found["rows"]]
    shown = capsys.readouterr().out
    assert "reward, 1 step" in shown and "value, 0 steps" in shown and "one member" in shown
    again = tmp_path / "again.json"
    assert evaluate_command([str(carts), "--calibration", "--games", "24", "--json", str(again)]) == 0
    assert json.loads(again.read_text())["calibration"] == [found]


def test_too_few_games_are_refused_with_the_option_that_gives_more(carts):
    with pytest.raises(ConfigError, match=r"--calibration of .*cart: \d+ rewards in 1 games?, expected at least 200.*"):
        evaluate_command([str(carts), "--calibration", "--games", "1"])


def test_only_runs_have_a_model_to_measure():
    with pytest.raises(ConfigError, match="--calibration measures the model of a run; random has none"):
        evaluate_command(["random", "--calibration"])


@pytest.mark.parametrize("option", ["--against random", "--positions all", "--sweep simulations=1", "--actors 2"])
def test_options_that_do_not_fit_are_refused(carts, option):
    with pytest.raises(SystemExit):
        evaluate_command([str(carts), "--calibration", *option.split()])

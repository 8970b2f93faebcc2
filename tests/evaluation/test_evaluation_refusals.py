"""What muzero-eval cannot evaluate is refused, with the nearest remedy."""

import pytest

from muzero import build
from muzero.cli.evaluate.command import evaluate_command
from muzero.config import ConfigError, parse_settings
from muzero.evaluation.positions import PositionsError
from muzero.interfaces import PlayerError
from muzero.training.loop import Training

pytest.importorskip("pyspiel")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["randon", "--game", "board/nim"], "randon: no such player and no such folder; did you mean random"),
        (["runs/missing", "--against", "random"], "runs/missing: no such player and no such folder"),
        (["random", "--against", "random"], "name the game with --game"),
        (["random", "--game", "board/nim"], "choose an opponent with --against"),
        (["random", "--game", "gym/CartPole-v1", "--against", "random"], "has a single agent; leave it out"),
        (["random", "--game", "gym/CartPole-v1", "--positions", "all"], "which gym/CartPole-v1 does not have"),
        (["random", "--sweep", "simulations=1,2", "--positions", "all"], "random is not a run that could search"),
        (["minimax", "--game", "board/connect_four", "--positions", "missing.jsonl"], "missing.jsonl: no such file"),
        (["random", "--positions", "fresh:none"], "expected fresh:N"),
        (["ladder", "random"], "a ladder needs at least two players"),
        (["ladder", "random", "mcts:2", "--game", "gym/CartPole-v1"], "has a single agent"),
        (["random", "--game", "board/nim", "--against", "human", "--sprt", "0,9"], "does not fit games of a person"),
        (["random", "mcts:2", "--game", "board/nim", "--against", "human"], "one player at a time"),
        (["random", "--positions", "/dev/zero"], "--positions /dev/zero: that is not a regular file"),
        (["solver", "--game", "board/nim", "--against", "random"], "solver plays board/connect_four"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_a_remedy(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ConfigError, PlayerError, ValueError)) as caught:
        evaluate_command(words)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["r", "--games", "0"], "expected a whole number of at least 1"),
        (["r", "--openings", "4-2"], "from 2 to 4: 2-4"),
        (["r", "--until-interval", "wide"], "such as 30elo"),
        (["r", "--sprt", "30,0"], "the lower first"),
        (["r", "--sweep", "simulation=1"], "expected simulations=0,1,2"),
        (["r", "--games", "4", "--sprt", "0,30"], "not allowed with"),
        (["r", "--positions", "all", "--games", "4"], "--games is for games"),
        (["r", "--sweep", "simulations=1", "--simulations", "3"], "give one"),
        (["r", "--seat", "first", "--against", "random"], "the seat of a person; play with --against human"),
        (["r", "--against", "human", "--seat", "third"], "invalid choice: 'third'"),
        (["r", "--against", "random", "--json", "."], "--json .: that is a folder"),
        (["r", "--gamse", "4"], "did you mean --game or --games"),
    ],
)
def test_options_that_contradict_each_other_are_refused(words, message, capsys):
    with pytest.raises(SystemExit):
        evaluate_command(words)
    assert message in capsys.readouterr().err


def test_players_of_different_games_do_not_meet(run, carts):
    with pytest.raises(ConfigError, match="players of different games"):
        evaluate_command([str(run), str(carts[0])])
    with pytest.raises(ConfigError, match="players of different games"):
        evaluate_command([str(run), "--against", str(carts[0])])


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        (":bset", "'bset' follows the run; expected a step or best"),
        ("@x", "'x' follows the run; expected a number of simulations"),
    ],
)
def test_a_misspelt_checkpoint_or_number_of_simulations_is_named(run, suffix, expected):
    with pytest.raises(ConfigError, match=expected):
        evaluate_command([f"{run}{suffix}", "--against", "random"])


def test_a_file_of_positions_that_is_missing_says_what_else_is_possible(run):
    with pytest.raises(PositionsError, match="no such file; expected a file, all, fresh or fresh:N"):
        evaluate_command([str(run), "--positions", "alll"])


def test_a_run_is_not_begun_with_an_opponent_that_cannot_be_had(tmp_path):
    for opponent, message in (("randm", "did you mean random"), ("human", "a run would wait for a person")):
        config = build.configure("board/tic_tac_toe", [parse_settings([f"run.opponent={opponent}"])])
        with pytest.raises(ConfigError, match=message):
            Training(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()

"""Players: one suite for all of them, and what the perfect ones are worth."""

import numpy as np
import pytest

from muzero.actions import Discrete
from muzero.config import ConfigError
from muzero.games.board import BoardRules, load
from muzero.interfaces import PlayerError, Positions
from muzero.players import registry
from muzero.players.minimax import MinimaxPlayer

pyspiel = pytest.importorskip("pyspiel")
PLAYERS = ["random", "minimax", "mcts:20", "solver"]


def positions(name, *histories, seed=0):
    rules = []
    for history in histories:
        state = load(name).new_initial_state()
        for action in history:
            state.apply_action(action)
        rules.append(BoardRules(state))
    return Positions.of(rules, np.arange(len(rules)) + seed)


def player(name):
    if name == "solver":
        pytest.importorskip("bitbully")
    return registry.player(name)


def game_of(name):
    return "connect_four" if name == "solver" else "tic_tac_toe"


@pytest.mark.parametrize("name", PLAYERS)
def test_a_player_chooses_legal_moves_the_same_ones_for_the_same_seeds(name):
    asked = positions(game_of(name), [], [0], [0, 3], [4, 1, 2])
    moves = player(name).choose(asked)
    again = player(name).choose(asked)
    rows = np.arange(len(asked.legal))
    assert asked.legal[rows, moves.action].all() and moves.action.dtype == np.int64
    np.testing.assert_array_equal(moves.action, again.action)
    np.testing.assert_array_equal(moves.value, again.value)


@pytest.mark.parametrize("name", PLAYERS)
def test_what_a_player_does_in_a_position_does_not_depend_on_the_others(name):
    asked = positions(game_of(name), [], [0], [0, 3], [4, 1, 2])
    who = player(name)
    alone = [
        who.choose(Positions.of([rules], seed)) for rules, seed in zip(asked.rules, asked.seed[:, None], strict=True)
    ]
    np.testing.assert_array_equal(who.choose(asked).action, np.concatenate([moves.action for moves in alone]))


@pytest.mark.parametrize("name", PLAYERS)
def test_a_player_has_a_title(name):
    assert name.split(":")[0] in player(name).title


def test_random_and_minimax_choose_uniformly():
    asked = positions("tic_tac_toe", *[[]] * 900)
    for name in ("random", "minimax"):  # every first move leads to a draw
        counts = np.bincount(player(name).choose(asked).action, minlength=9) / 900
        assert counts == pytest.approx(np.full(9, 1 / 9), abs=0.04)


def test_minimax_takes_a_win_stops_a_loss_and_knows_the_value():
    moves = MinimaxPlayer().choose(positions("tic_tac_toe", [0, 3, 1, 4], [0, 4, 1], []))
    assert moves.action[:2].tolist() == [2, 2]
    assert moves.value.tolist() == [1.0, 0.0, 0.0]


def test_minimax_gives_up_on_games_that_are_too_large():
    with pytest.raises(PlayerError, match="more than 100 positions"):
        MinimaxPlayer(largest=100).value(BoardRules(load("connect_four").new_initial_state()))


def test_the_solver_wins_connect_four_from_the_middle_as_first_player():
    moves = player("solver").choose(positions("connect_four", [], [3], [0]))
    assert moves.action[0] == 3 and moves.value.tolist() == [1.0, -1.0, 1.0]


def test_the_solver_refuses_other_games():
    for name in ("tic_tac_toe", "connect_four(rows=5)"):
        with pytest.raises(PlayerError, match=r"solver plays board/connect_four of 6 rows and 7 columns only"):
            player("solver").choose(positions(name, []))


def test_rollouts_see_a_win_in_one_and_prove_it():
    moves = registry.player("mcts:200").choose(positions("connect_four", [3, 0, 3, 0, 3, 1]))
    assert moves.action[0] == 3 and moves.value[0] == 1.0


def test_players_that_need_rules_say_so_where_there_are_none():
    blind = Positions.alone(Discrete(2), np.zeros((1, 3), np.float32), np.ones((1, 2), bool))
    for name in ("minimax", "mcts:5"):
        with pytest.raises(PlayerError, match=r"plays (board games only|games whose rules it can consult)"):
            registry.player(name).choose(blind)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("randon", "did you mean random"),
        ("mtcs:100", "did you mean mcts:ROLLOUTS"),
        ("mcts", "did you mean mcts:ROLLOUTS"),
        ("random:3", "did you mean random"),
        ("nobody", "players: random, minimax, solver, optimal, human, mcts:ROLLOUTS"),
    ],
)
def test_a_misspelt_player_is_answered_with_the_nearest(name, message):
    with pytest.raises(ConfigError) as caught:
        registry.player(name)
    assert message in str(caught.value)


@pytest.mark.parametrize("argument", ["0", "-1", "many", "1.5"])
def test_rollouts_are_a_number(argument):
    with pytest.raises(PlayerError, match="expected a number of rollouts"):
        registry.player(f"mcts:{argument}")

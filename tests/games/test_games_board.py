"""Board games: whose reward, whose turn, who sees what, what can be played."""

import numpy as np
import pytest
from sample_games import play

from muzero.games import board
from muzero.games.errors import UnknownGame


@pytest.mark.parametrize(
    "name", ["tic_tac_toe", "connect_four", "othello", "othello_6x6", "dots_and_boxes", "mancala", "misere(game=nim())"]
)
def test_rewards_are_those_of_the_player_who_moved(name):
    games = board.BoardGames(name, 4, False)
    total, seat, finished = np.zeros((4, 2)), np.zeros(4, int), 0
    for now in play(games, 400):
        total[now.first], seat[now.first] = 0, 0
        total[np.arange(4), seat] += now.reward
        total[np.arange(4), 1 - seat] -= now.reward
        seat = np.where(~now.first & (now.discount < 0), 1 - seat, seat)
        for slot, rules in enumerate(games.rules(range(4))):
            assert rules.over == now.last[slot]
            if rules.over:
                assert total[slot].tolist() == rules.returns
                finished += 1
            else:
                assert rules.to_move == seat[slot]
    assert finished >= 4


@pytest.mark.parametrize("name", sorted(board.ALTERNATING))
def test_games_said_to_alternate_do(name):
    assert 1.0 not in board.BoardGames(name, 1, False).spec.discounts
    for now in play(board.BoardGames(name, 4, False), 60):
        assert (now.discount[~now.first] <= 0).all()


@pytest.mark.parametrize("name", ["dots_and_boxes", "mancala", "checkers", "misere(game=tic_tac_toe())"])
def test_other_games_may_give_a_player_two_moves(name):
    assert board.BoardGames(name, 1, False, discount=0.5).spec.discounts == (-0.5, 0.0, 0.5)


def test_a_puzzle_has_one_player_and_no_seat():
    spec = board.BoardGames("cliff_walking", 1, False).spec
    assert spec.discounts == (0.0, 1.0) and spec.observation == (32,) and not spec.two_player


@pytest.mark.parametrize("name", ["tic_tac_toe", "nim", "dots_and_boxes", "oware"])
def test_the_last_plane_or_number_is_the_seat_to_move(name):
    games = board.BoardGames(name, 2, False)
    for now in play(games, 30):
        for slot, rules in enumerate(games.rules(range(2))):
            state = rules.state
            tensor = np.array(state.observation_tensor(max(state.current_player(), 0)), np.float32)
            if not now.last[slot]:
                assert (now.observation[slot][-1] == state.current_player()).all()
                np.testing.assert_array_equal(now.observation[slot][:-1].ravel(), tensor)


def test_training_can_begin_after_random_moves_and_evaluation_does_not():
    games = board.BoardGames("tic_tac_toe", 200, True, random_plies=3)
    games.reset(np.arange(200))
    assert {len(rules.history) for rules in games.rules(range(200))} == {0, 1, 2, 3}
    games = board.BoardGames("tic_tac_toe", 200, False, random_plies=3)
    games.reset(np.arange(200))
    assert {len(rules.history) for rules in games.rules(range(200))} == {0}


def test_more_random_moves_than_a_game_has_still_leave_a_game_to_play():
    games = board.BoardGames("tic_tac_toe", 100, True, random_plies=10**9)
    now = games.reset(np.arange(100))
    assert not now.last.any() and not any(rules.over for rules in games.rules(range(100)))
    assert max(len(rules.history) for rules in games.rules(range(100))) >= 6


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("kuhn_poker", "chance"),
        ("matrix_rps", "at the same time"),
        ("phantom_ttt", "do not see the whole position"),
        ("chinese_checkers(players=3)", "3 players"),
        ("morpion_solitaire", "no observation tensor"),
        ("go(board_sise=9)", "Unknown parameter 'board_sise'"),
        ("go(board_size=9", "Missing closing bracket"),
        ("go(board_size=5,handicap=2)", "already filled"),
        ("connect_four(rows=-1)", "-1 is out of range for its parameter rows; expected whole numbers from 0 to 1,000"),
        ("havannah(board_size=-1)", "-1 is out of range for its parameter board_size"),
        ("havannah(board_size=0)", "observations are empty"),
        ("connect_four(rows=0)", r"observations are empty, of shape \(4, 0, 7\)"),
        ("oware(num_houses_per_player=0)", "over before its first move"),
        ("mnk(100000)", "played: 100000 is out of range; expected"),
        ("mnk(m=3,n=100000)", "100000 is out of range for its parameter n"),
        ("misere(game=go(board_size=-2))", "-2 is out of range for its parameter board_size"),
        ("mnk(m=1000,n=1000)", "it has 1,000,000 actions; expected 1 to 100,000"),
        ("nim(pile_sizes=1;1000000000)", "1000000000 is out of range for its parameter pile_sizes"),
        ("nim(pile_sizes=1" + "0" * 5000 + ";1)", "1000000.* is out of range for its parameter pile_sizes"),
        ("clobber(rows=1000)", "OpenSpiel says: .*rows_ <= 99"),
    ],
)
def test_board_games_that_cannot_be_played_say_why(name, reason):
    with pytest.raises(UnknownGame, match=reason):
        board.BoardGames(name, 1, False)


def test_every_board_game_that_is_listed_can_be_played():
    listed = board.names()
    assert {"tic_tac_toe", "connect_four", "go", "chess", "cliff_walking"} <= set(listed)
    for name in listed:
        for now in play(board.BoardGames(name, 1, True), 2):
            assert now.legal.any()

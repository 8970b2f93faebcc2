"""Evaluation: exact players, seats, shares, and what a tally says."""

import numpy as np
import pytest
from chain import ChainGames

from muzero.evaluate import MinimaxPlayer, Outcome, Positions, RandomPlayer, Summary, move_quality, play
from muzero.games.board import BoardGames, legal, observation

pyspiel = pytest.importorskip("pyspiel")


def view(states):
    return Positions(np.stack([observation(s) for s in states]), np.stack([legal(s) for s in states]), states)


def start():
    return pyspiel.load_game("tic_tac_toe").new_initial_state()


def boards(batch=8):
    return BoardGames("tic_tac_toe", batch, training=False)


class Rightwards:
    """Walks down the corridor."""

    def act(self, positions):
        return np.ones(len(positions.legal), np.int64)


def test_tic_tac_toe_is_a_draw_by_minimax():
    assert MinimaxPlayer(0).value(start()) == 0


def test_minimax_takes_a_win_and_stops_a_loss():
    for actions, best in (((0, 3, 1, 4), 2), ((0, 4, 1), 2)):
        state = start()
        for action in actions:
            state.apply_action(action)
        assert MinimaxPlayer(0).best(state) == [best]


def test_minimax_chooses_uniformly_among_its_best_moves():
    actions = MinimaxPlayer(0).act(view([start()] * 900))
    assert np.bincount(actions, minlength=9) / 900 == pytest.approx(np.full(9, 1 / 9), abs=0.04)


def test_minimax_gives_up_on_games_that_are_too_large():
    player = MinimaxPlayer(0, largest=100)
    with pytest.raises(ValueError, match="more than 100 positions"):
        player.value(pyspiel.load_game("connect_four").new_initial_state())


def test_perfect_play_never_loses_from_either_seat_and_draws_with_itself():
    summary = Summary(play(boards(), MinimaxPlayer(0), RandomPlayer(1), 40, seed=0))
    assert summary.tally(0)["losses"] == summary.tally(1)["losses"] == 0
    assert sum(summary.tally(0).values()) == sum(summary.tally(1).values()) == 20
    even = Summary(play(boards(), MinimaxPlayer(0), MinimaxPlayer(1), 16, seed=0))
    assert even.tally() == {"wins": 0, "draws": 16, "losses": 0}


def test_losses_are_counted_as_losses():
    summary = Summary(play(boards(), RandomPlayer(1), MinimaxPlayer(0), 40, seed=0))
    assert summary.tally()["wins"] == 0 and summary.tally()["losses"] > 20 and summary.mean < 0


def test_random_against_random_wins_as_often_as_the_rules_of_the_game_say():
    summary = Summary(play(boards(50), RandomPlayer(0), RandomPlayer(1), 2000, seed=3))
    first = summary.tally(0)
    assert first["wins"] / 1000 == pytest.approx(0.585, abs=0.05)  # 58.5 % to the first player, 28.8 % to the second
    assert first["losses"] / 1000 == pytest.approx(0.288, abs=0.05)


def test_the_same_seed_plays_the_same_games():
    first, second = (play(boards(), RandomPlayer(5), RandomPlayer(6), 20, seed=1) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("count", [1, 7, 16])
def test_exactly_as_many_games_as_asked_are_played(count):
    assert len(play(ChainGames(4, 3), Rightwards(), None, count, seed=0)) == count


def test_a_single_agents_return_and_length_are_those_of_its_game():
    outcomes = play(ChainGames(2, 5), Rightwards(), None, 4, seed=0)
    assert outcomes == [Outcome(1.0, 0, 4)] * 4
    cut = play(ChainGames(2, 50, limit=6), Rightwards(), None, 2, seed=0)
    assert cut == [Outcome(0.0, 0, 6)] * 2


def test_a_summary_says_mean_and_interval():
    summary = Summary([Outcome(score, 0, 1) for score in (1.0, 0.0, -1.0, 1.0)])
    assert summary.mean == 0.25
    assert summary.margin == pytest.approx(1.96 * np.std([1, 0, -1, 1], ddof=1) / 2)
    assert summary.report(two_player=True)["wins"] == 2


def test_perfect_play_is_optimal_in_every_position_and_random_play_is_not():
    oracle = MinimaxPlayer(0)
    assert move_quality(MinimaxPlayer(1), oracle, start(), view) == (4520, 4520)
    right, count = move_quality(RandomPlayer(0), oracle, start(), view)
    assert right / count == pytest.approx(0.58, abs=0.03)

"""Matches: seats, openings, numbers of games, resignations."""

import numpy as np
import pytest
from chain import ChainGames

from muzero.evaluation.intervals import Summary
from muzero.games.board import BoardGames
from muzero.interfaces import RESIGN, MemorylessPlayer, Moves, PlayerError
from muzero.play.match import Outcome, Timed, distinct, play
from muzero.players.minimax import MinimaxPlayer
from muzero.players.uniform import RandomPlayer

pytest.importorskip("pyspiel")


def boards(batch=100, name="tic_tac_toe"):
    return BoardGames(name, batch, training=False)


def match(player, opponent, count, seed=0, openings=(0, 0), batch=100, name="tic_tac_toe"):
    outcomes = []
    for begin in range(0, count, batch):
        numbers = range(begin, min(begin + batch, count))
        outcomes += play(boards(len(numbers), name), player, opponent, numbers, seed, openings)
    return outcomes


class Rightwards(MemorylessPlayer):
    """Walks down the corridor."""

    title = "rightwards"

    def choose(self, positions):
        return Moves(np.ones(len(positions.legal), np.int64), np.zeros(len(positions.legal), np.float32))


class GivesUp(RandomPlayer):
    """Resigns in its third move."""

    def choose(self, positions):
        moves = super().choose(positions)
        late = np.array([len(rules.history) >= 4 for rules in positions.rules])
        return Moves(np.where(late, RESIGN, moves.action), moves.value)


def test_perfect_play_never_loses_from_either_seat_and_draws_with_itself():
    summary = Summary(match(MinimaxPlayer(), RandomPlayer(), 40))
    assert summary.tally(0)["losses"] == summary.tally(1)["losses"] == 0
    assert sum(summary.tally(0).values()) == sum(summary.tally(1).values()) == 20
    even = Summary(match(MinimaxPlayer(), MinimaxPlayer(), 16))
    assert even.tally() == {"wins": 0, "draws": 16, "losses": 0}


def test_losses_are_counted_as_losses():
    summary = Summary(match(RandomPlayer(), MinimaxPlayer(), 40))
    assert summary.tally()["wins"] == 0 and summary.tally()["losses"] > 20 and summary.mean < 0


def test_random_against_random_wins_as_often_as_the_rules_of_the_game_say():
    first = Summary(match(RandomPlayer(), RandomPlayer(), 2000, seed=3)).tally(0)
    assert first["wins"] / 1000 == pytest.approx(0.585, abs=0.05)  # 58.5 % to the first player, 28.8 % to the second
    assert first["losses"] / 1000 == pytest.approx(0.288, abs=0.05)


def test_the_same_seed_plays_the_same_games_however_many_are_side_by_side():
    alone, few, many = (match(RandomPlayer(), MinimaxPlayer(), 14, 5, (0, 2), batch) for batch in (1, 4, 14))
    assert alone == few == many
    assert match(RandomPlayer(), MinimaxPlayer(), 14, 6, (0, 2)) != many


def test_any_games_can_be_played_without_the_others():
    all_games = match(RandomPlayer(), RandomPlayer(), 10, seed=1, openings=(1, 3))
    assert play(boards(3), RandomPlayer(), RandomPlayer(), [7, 2, 9], 1, (1, 3)) == [all_games[n] for n in (7, 2, 9)]


def test_the_two_games_of_a_pair_begin_alike_with_the_seats_exchanged():
    outcomes = match(RandomPlayer(), RandomPlayer(), 40, seed=2, openings=(2, 4), name="connect_four")
    for first, second in zip(outcomes[::2], outcomes[1::2], strict=True):
        assert (first.seat, second.seat) == (0, 1) and first.opening == second.opening
        assert first.actions[: first.opening] == second.actions[: second.opening]
    assert {outcome.opening for outcome in outcomes} == {2, 3, 4}
    assert len({outcome.actions[: outcome.opening] for outcome in outcomes}) > 10


def test_openings_never_end_the_game():
    outcomes = match(RandomPlayer(), RandomPlayer(), 60, openings=(6, 6))  # most of these would
    assert all(outcome.steps > outcome.opening == 6 for outcome in outcomes)
    with pytest.raises(PlayerError, match="is over within openings of 9 to 9 moves"):
        match(RandomPlayer(), RandomPlayer(), 2, openings=(9, 9))


def test_actions_lead_to_the_result():
    for outcome in match(RandomPlayer(), RandomPlayer(), 20, openings=(2, 4), name="connect_four"):
        rules = boards(1, "connect_four").rules([0])[0]
        for action in outcome.actions:
            rules = rules.child(action)
        assert rules.over and rules.returns[outcome.seat] == outcome.score
        assert len(outcome.actions) == outcome.steps


def test_a_player_that_resigns_loses_and_the_other_games_continue():
    outcomes = match(GivesUp(), MinimaxPlayer(), 12)
    ended = [outcome for outcome in outcomes if outcome.resigned]
    assert len(outcomes) == 12 and ended
    assert all(outcome.score == -1 and outcome.steps in (4, 5) for outcome in ended)
    won = [outcome.score for outcome in match(MinimaxPlayer(), GivesUp(), 12) if outcome.resigned]
    assert won and set(won) == {1.0}


@pytest.mark.parametrize("count", [1, 7, 16])
def test_exactly_as_many_games_as_asked_are_played(count):
    assert len(play(ChainGames(16, 3), Rightwards(), None, range(count), seed=0)) == count


def test_a_single_agents_return_and_length_are_those_of_its_game():
    outcomes = play(ChainGames(4, 5), Rightwards(), None, range(4), seed=0)
    assert outcomes == [Outcome(1.0, 0, 4, number) for number in range(4)]
    cut = play(ChainGames(2, 50, limit=6), Rightwards(), None, range(2), seed=0)
    assert cut == [Outcome(0.0, 0, 6, number) for number in range(2)]


def test_a_players_time_and_moves_are_counted():
    player = Timed(RandomPlayer())
    outcomes = play(boards(6), player, MinimaxPlayer(), range(6), seed=0)
    assert player.moves == sum((outcome.steps + 1 - outcome.seat) // 2 for outcome in outcomes) and player.seconds > 0


def test_what_watches_is_called_after_every_step_with_the_finished_games():
    seen = []
    play(ChainGames(4, 5), Rightwards(), None, range(3), seed=0, watch=lambda finished: seen.append(len(finished)))
    assert seen == [0, 0, 0, 3]
    outcomes = match(RandomPlayer(), RandomPlayer(), 8)
    play(boards(8), RandomPlayer(), RandomPlayer(), range(8), 0, watch=lambda finished: seen.append(len(finished)))
    lengths = [outcome.steps for outcome in outcomes]
    assert seen[4:] == [sum(length <= step for length in lengths) for step in range(1, max(lengths) + 1)]


def test_what_watches_can_end_the_play():
    def stop(finished):
        raise InterruptedError(f"{len(finished)} games were finished")

    with pytest.raises(InterruptedError, match="0 games"):
        play(ChainGames(2, 50), Rightwards(), None, range(2), seed=0, watch=stop)


def test_games_of_the_same_moves_and_seat_count_as_one():
    assert distinct([]) == 0
    outcomes = [Outcome(1.0, seat, 2, actions=moves) for seat in (0, 1) for moves in ((0, 1), (0, 1), (0, 2))]
    assert distinct(outcomes) == 4
    few = match(MinimaxPlayer(), MinimaxPlayer(), 50, name="nim(pile_sizes=1;2)")
    assert distinct(few) == len({(outcome.seat, outcome.actions) for outcome in few}) < 20

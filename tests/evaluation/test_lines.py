"""Every line of play of an opponent: none is missing, none is played twice, and each ends as it should."""

import numpy as np
import pytest
import torch
from evaluating import evaluated

from muzero import build
from muzero.cli.evaluate.command import evaluate_command
from muzero.evaluation.lines import every_line
from muzero.evaluation.positions import start
from muzero.interfaces import MemorylessPlayer, Moves, PlayerError
from muzero.players.minimax import MinimaxPlayer

pytest.importorskip("pyspiel")


class Nth(MemorylessPlayer):
    """Makes the move that stands at a fixed place among the legal ones, or at an illegal place."""

    title = "nth"

    def __init__(self, place):
        self.place = place

    def choose(self, positions):
        chosen = [rules.legal()[self.place] if self.place < 9 else 99 for rules in positions.rules]
        return Moves(np.array(chosen, np.int64), np.zeros(len(chosen), np.float32))


def first_position(game):
    return start(build.configure(game, []))


def lines(rules, mine, choose):
    """All lines by recursion: (moves, score of the player) of each."""
    if rules.over:
        return [(tuple(rules.history), rules.returns[mine])]
    actions = [choose(rules)] if rules.to_move == mine else rules.legal()
    return [line for action in actions for line in lines(rules.child(action), mine, choose)]


@pytest.mark.parametrize("place", [0, -1])
def test_all_lines_are_played_once_in_both_seats(place):
    first = first_position("board/tic_tac_toe")
    found = every_line(Nth(place), first, 0)
    for seat in (0, 1):
        expected = lines(first, seat, lambda rules: rules.legal()[place])
        assert sorted((o.actions, o.score) for o in found if o.seat == seat) == sorted(expected)
        assert all(o.steps == len(o.actions) for o in found)


def test_perfect_play_loses_no_line():
    found = every_line(MinimaxPlayer(), first_position("board/tic_tac_toe"), 0)
    assert len(found) > 100 and min(outcome.score for outcome in found) == 0


def test_an_illegal_move_and_a_game_that_is_too_large_are_refused():
    with pytest.raises(PlayerError, match="99"):
        every_line(Nth(99), first_position("board/tic_tac_toe"), 0)
    with pytest.raises(PlayerError, match="connect_four has more than 5,000 lines"):
        every_line(Nth(0), first_position("board/connect_four"), 0)


def test_the_command_counts_lines_by_seat(tmp_path, capsys):
    torch.set_num_threads(2)
    report = evaluated(tmp_path, "minimax", "--against", "all", "--game", "board/tic_tac_toe")
    assert torch.get_num_threads() == 1  # of all evaluations
    assert report["losses"] == 0 and report["against"] == "all"
    seats = [report["moving_first"], report["moving_second"]]
    assert report["lines"] == report["wins"] + report["draws"] == sum(sum(seat.values()) for seat in seats)
    assert "second seat" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--games", "4"], ["--sprt", "0,30"], ["--actors", "2"], ["--openings", "2"]])
def test_options_of_matches_are_refused(words, capsys):
    with pytest.raises(SystemExit):
        evaluate_command(["minimax", "--against", "all", "--game", "board/tic_tac_toe", *words])
    assert f"{words[0]} is for matches" in capsys.readouterr().err

"""Othello of 6x6: the same code on 8x8 is OpenSpiel's Othello, move by move, and on 4x4 the second player wins."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("pyspiel")

import pyspiel
from open_spiel.python.observation import make_observation

from muzero.build import configure
from muzero.config import parse_settings
from muzero.games import board
from muzero.games.board_rules import BoardRules
from muzero.games.othello import OthelloGame
from muzero.interfaces import Positions
from muzero.players.minimax import MinimaxPlayer
from muzero.players.rollouts import RolloutsPlayer
from muzero.players.uniform import RandomPlayer

WIPED_OUT = "e6 f4 e3 f6 g5 d6 e7 f5 c5"  # the shortest game: white has no stone left


class Eight(OthelloGame):
    size = 8


class Four(OthelloGame):
    size = 4


def random_moves(state, rng):
    """Play a game to its end, yielding every move before it is made."""
    while not state.is_terminal():
        moves = state.legal_actions()
        action = moves[rng.integers(len(moves))]
        yield action
        state.apply_action(action)


def named_moves(state, names):
    for name in names.split():
        action = state.string_to_action(name)
        yield action
        state.apply_action(action)


def test_the_same_code_on_8x8_is_openspiels_othello():
    """Random games and one that ends early: legal moves, turns, names, drawings, both observations, and results."""
    ours, theirs = Eight(), pyspiel.load_game("othello")
    mine, wanted = (make_observation(game) for game in (ours, theirs))
    assert mine and wanted
    rng, passes, empty = np.random.default_rng(5), 0, 0

    def compare(state, other):
        for name in ("current_player", "is_terminal", "returns", "rewards", "legal_actions", "history"):
            assert getattr(state, name)() == getattr(other, name)(), f"{name} of\n{other}"
        assert str(state) == str(other)
        for seat in (0, 1):
            mine.set_from(state, seat)
            wanted.set_from(other, seat)
            assert (mine.tensor == wanted.tensor).all(), f"view of player {seat} of\n{other}"

    for number in range(80):
        state, other = ours.new_initial_state(), theirs.new_initial_state()
        moves = random_moves(other, rng) if number else named_moves(other, WIPED_OUT)
        for action in moves:
            compare(state, other)
            assert state.action_to_string(action) == other.action_to_string(action)
            passes += action == 64
            state.apply_action(action)
        compare(state, other)
        assert state.is_terminal()
        empty += "-" in str(state)
    assert passes > 20 and empty > 0


def test_on_4x4_the_second_player_wins():
    """Known from exhaustive search."""
    game = Four()
    start = BoardRules(game.new_initial_state())
    assert MinimaxPlayer().value(start) == -1.0


def test_a_game_is_no_longer_than_it_says():
    game = board.load("othello_6x6")
    assert (game.num_distinct_actions(), game.max_game_length()) == (37, 64)
    rng = np.random.default_rng(0)
    for _ in range(100):
        state = game.new_initial_state()
        while not state.is_terminal():
            state.apply_action(int(rng.choice(state.legal_actions())))
        assert len(state.history()) <= 64


def test_a_state_outlives_its_game_and_copies_are_independent():
    state = board.load("othello_6x6").new_initial_state()
    copy = state.clone()
    copy.apply_action(copy.legal_actions()[0])
    assert str(copy) != str(state) and state.history() == [] and copy.history() == state.legal_actions()[:1]
    assert state.get_game().num_distinct_actions() == 37


def test_rollouts_win_against_random_moves_from_both_seats():
    wins = 0
    for number in range(6):
        rules = BoardRules(board.load("othello_6x6").new_initial_state())
        while not rules.over:
            mover = RolloutsPlayer("60") if rules.to_move == number % 2 else RandomPlayer()
            moves = mover.choose(Positions.of([rules], np.array([number * 100 + len(rules.history)])))
            rules = rules.child(int(moves.action[0]))
        wins += rules.returns[number % 2] > 0
    assert wins >= 5


def test_it_is_a_board_game_with_openspiels_name_of_players():
    config = configure("board/othello_6x6", [parse_settings([])])
    assert config.kind("game") == "board"
    assert "othello_6x6" in board.names()
    assert BoardRules(board.load("othello_6x6").new_initial_state()).player(0) == "black, x"


def test_a_process_that_played_it_ends_cleanly(tmp_path):
    """OpenSpiel keeps the class until after the interpreter's end."""
    code = "from muzero.games import board; s = board.load('othello_6x6').new_initial_state(); c = s.clone()"
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")

"""Boards in plain values, and what players are called."""

import json

import pytest

from muzero.games.board import BoardGames
from muzero.web.boards import board, player


def start(game):
    return BoardGames(game, 1, False).rules([0])[0]


def test_a_board_is_what_json_can_hold():
    rules = start("connect_four")
    seen = json.loads(json.dumps(board(rules.child(3))))
    assert seen["shape"] == "discs" and seen["columns"] == list("0123456") and len(seen["cells"]) == 42
    assert seen["cells"][38] == [0, "", "red"] and seen["taps"]["3"] == [[3, 10, 17, 24, 31, 38]]


def test_a_game_without_squares_is_shown_as_text():
    assert board(start("oware")) is None and board(None) is None


@pytest.mark.parametrize(
    ("game", "names"),
    [
        ("go(board_size=5)", ["black", "white"]),
        ("connect_four", ["red (x)", "blue (o)"]),
        ("tic_tac_toe", ["x", "o"]),
        ("breakthrough", ["black", "white"]),
        ("chess", ["black", "white"]),
        ("checkers", ["black (o)", "white (+)"]),
        ("oware", ["player 0", "player 1"]),
    ],
)
def test_players_are_called_by_the_colour_of_their_pieces(game, names):
    assert [player(start(game), number) for number in (0, 1)] == names

"""Boards as squares: what is clicked for a move is where a piece moves."""

import numpy as np
import pytest

from muzero.games.board import BoardGames
from muzero.web.boards import LOOKS, board, last_squares, player

PASSES = {"othello", "othello_6x6", "go(board_size=5)"}
GAMES = [
    "breakthrough(rows=6,columns=6)",
    "checkers",
    "chess",
    "clobber(rows=4,columns=4)",
    "connect_four",
    "go(board_size=5)",
    "gomoku",
    "gomoku(size=7)",
    "hex(board_size=5)",
    "lines_of_action",
    "mnk(m=12,n=12,k=5)",
    "othello",
    "othello_6x6",
    "tic_tac_toe",
]


def start(game):
    return BoardGames(game, 1, False).rules([0])[0]


def test_every_board_is_tested():
    assert {game.partition("(")[0] for game in GAMES} == set(LOOKS)


@pytest.mark.parametrize("game", GAMES)
def test_the_squares_of_a_move_are_those_that_it_changes(game):
    rules, rng, passed = start(game), np.random.default_rng(5), 0
    for _ in range(80):
        if rules.over:
            break
        seen, action = board(rules), int(rng.choice(rules.legal()))
        after = board(rules.child(action))
        assert sorted(seen["taps"]) == rules.legal()
        assert len(seen["cells"]) == len(seen["rows"]) * len(seen["columns"])
        taps = seen["taps"][action]
        if not taps:
            assert game in PASSES and "pass" in rules.name(action).lower()
            passed += 1
        else:
            changed = {n for n, (old, new) in enumerate(zip(seen["cells"], after["cells"], strict=True)) if old != new}
            last = last_squares(rules, action)
            assert last and set(last) <= changed
            assert all(set(squares) & set(last) for squares in taps)
            # A piece stands where the last click was, in the colour of the player who moved.
            assert after["cells"][last[-1]] is not None
            if len(taps) == 2:
                assert seen["cells"][taps[0][0]] is not None and after["cells"][taps[0][0]] is None
                assert after["cells"][last[-1]].side == seen["cells"][taps[0][0]].side
        rules = rules.child(action)
    assert passed < 80 and any(board(rules)["cells"])


@pytest.mark.parametrize("game", ["havannah(board_size=4)", "pentago", "oware", "y(board_size=5)"])
def test_a_game_without_squares_is_shown_as_text(game):
    assert board(start(game)) is None


def test_hex_joins_top_and_bottom_for_the_first_player():
    rules = start("hex(board_size=3)")
    for name in ("b1", "a1", "b2", "a2", "b3"):
        rules = rules.child(next(action for action in rules.legal() if rules.name(action) == name))
    assert rules.over and rules.returns[0] == 1
    assert [cell and cell.name for cell in board(rules)["cells"]] == [
        "blue",
        "red",
        None,
        "blue",
        "red",
        None,
        None,
        "red",
        None,
    ]


def test_promotions_share_their_squares():
    rules = start("chess")
    for move in ("h4", "g5", "hxg5", "h6", "gxh6", "Nf6", "h7", "Rg8"):
        rules = rules.child(next(action for action in rules.legal() if rules.name(action) == move))
    taps = list(board(rules)["taps"].values())
    assert sum(taps.count(each) == 4 for each in taps) in (4, 8)


def test_players_are_called_by_the_colour_of_their_pieces():
    names = {"go(board_size=5)": ["black", "white"], "connect_four": ["red (x)", "blue (o)"], "tic_tac_toe": ["x", "o"],
             "breakthrough": ["black", "white"], "chess": ["black", "white"], "checkers": ["black (o)", "white (+)"],
             "oware": ["player 0", "player 1"]}  # fmt: skip
    assert {game: [player(start(game), number) for number in (0, 1)] for game in names} == names

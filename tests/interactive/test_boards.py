"""Boards as squares: what a move names is where a piece moves."""

import numpy as np
import pytest

from muzero.games.board import BoardGames
from muzero.interactive.boards import LOOKS, board_of, last_squares, taps
from muzero.interactive.rendering import SIZE, picture

PASSES = {"othello", "othello_6x6", "go(board_size=5)"}
MOVING = {"breakthrough", "checkers", "chess", "clobber", "lines_of_action"}  # pieces, and are not put on the board
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


def play(rules, *names):
    for name in names:
        rules = rules.child(next(action for action in rules.legal() if rules.name(action) == name))
    return rules


def test_every_board_is_tested():
    assert {game.partition("(")[0] for game in GAMES} == set(LOOKS)


@pytest.mark.parametrize("game", GAMES)
def test_the_squares_of_a_move_are_those_that_it_changes(game):
    rules, rng, passed = start(game), np.random.default_rng(5), 0
    first = rules.to_move
    for _ in range(80):
        if rules.over:
            break
        seen, action, mover = board_of(rules), int(rng.choice(rules.legal())), rules.to_move
        choices = taps(rules, seen)
        assert sorted(choices) == rules.legal() and len(seen.cells) == len(seen.rows) * len(seen.columns)
        before, rules, clicked = rules, rules.child(action), choices[action]
        after, last = board_of(rules), last_squares(before, rules)
        if not clicked:
            assert game in PASSES and "pass" in before.name(action).lower() and not last
            passed += 1
            continue
        changed = {at for at, (old, new) in enumerate(zip(seen.cells, after.cells, strict=True)) if old != new}
        assert last and set(last) <= changed and all(set(squares) & set(last) for squares in clicked)
        # A piece stands where the last click was, in the colour of the player who moved.
        piece = after.cells[last[-1]]
        place = seen.place(clicked)
        if game.partition("(")[0] in MOVING:
            assert place is None and len(clicked) >= 2
            assert after.cells[clicked[0][0]] is None and piece.side == seen.cells[clicked[0][0]].side
        else:
            assert [place] == last and piece.side == (0 if mover == first else 1)
    assert passed < 80 and any(board_of(rules).cells)


@pytest.mark.parametrize("game", ["havannah(board_size=4)", "pentago", "oware", "y(board_size=5)"])
def test_a_game_without_squares_has_no_board(game):
    assert board_of(start(game)) is None


@pytest.mark.parametrize("game", GAMES)
def test_a_board_is_drawn_with_its_last_move(game):
    before, rng = start(game), np.random.default_rng(1)
    for _ in range(3):
        before = before.child(int(rng.choice(before.legal())))
    rules = before.child(before.legal()[0])
    view, shares = rules.view()[0], dict.fromkeys(rules.legal(), 0.5)
    plain, marked = (picture(view, rules, before=each) for each in (None, before))
    assert max(plain.size) in (SIZE, SIZE - 1) and plain.size == marked.size and plain.tobytes() != marked.tobytes()
    assert (picture(view, rules, weights=shares).tobytes() != plain.tobytes()) == (game.partition("(")[0] not in MOVING)


def test_hex_joins_top_and_bottom_for_the_first_player():
    rules = play(start("hex(board_size=3)"), "b1", "a1", "b2", "a2", "b3")
    assert rules.over and rules.returns[0] == 1
    names = [cell and cell.name for cell in board_of(rules).cells]
    assert names == ["blue", "red", None, "blue", "red", None, None, "red", None]


def test_promotions_share_their_squares():
    rules = play(start("chess"), "h4", "g5", "hxg5", "h6", "gxh6", "Nf6", "h7", "Rg8")
    found = list(taps(rules, board_of(rules)).values())
    assert sum(found.count(each) == 4 for each in found) in (4, 8)

"""Boards, moves and endings as people and programs read and write them."""

import numpy as np
import pytest

from muzero.games.board import BoardRules, load
from muzero.games.coordinates import marked
from muzero.games.endings import ending, points
from muzero.games.notation import Typed
from muzero.games.vertices import VERTICES, actions, cells, played, title, vertex, vertices

pytest.importorskip("pyspiel")
SMALL = {"go": "go(board_size=5)", "gomoku": "gomoku(size=6)", "mnk": "mnk(m=3,n=4,k=3)", "hex": "hex(board_size=4)"}
SMALL |= {"havannah": "havannah(board_size=3)", "y": "y(board_size=4)"}
OTHERS = ("chess", "breakthrough", "checkers", "nim", "amazons", "lines_of_action")


def start(name):
    return BoardRules(load(SMALL.get(name, name)).new_initial_state())


def after(name, *moves):
    rules = start(name)
    for move in moves:
        rules = rules.child(typed(rules).action(move))
    return rules


def typed(rules):
    return Typed({action: rules.name(action) for action in rules.legal()}, rules)


def positions(name, seed=0):
    """The positions of a random game and the moves that were made in them."""
    rules, rng = start(name), np.random.default_rng(seed)
    while not rules.over and len(rules.history) < 60:
        action = int(rng.choice(rules.legal()))
        yield rules, action
        rules = rules.child(action)
    yield rules, None


@pytest.mark.parametrize("game", VERTICES)
def test_each_move_has_a_point_of_its_own_and_keeps_it(game):
    names = []
    for rules, action in positions(game):
        assert played(rules) == names
        points_of = {vertex(rules, each) for each in rules.legal()}
        assert len(points_of) == len(rules.legal()) and points_of <= actions(rules).keys()
        columns, rows = vertices(rules).size(rules)
        for point in points_of - {"PASS"}:
            assert 1 <= int(point[1:]) <= rows and point[0] in "ABCDEFGHIJKLMNO"[: columns + 1]
        if cells(rules):
            assert len(cells(rules)) == rows and {len(row) for row in cells(rules)} == {columns}
        if action is not None:
            names.append(vertex(rules, action))


@pytest.mark.parametrize("game", [*VERTICES, *OTHERS])
def test_a_move_may_be_typed_by_number_by_name_and_by_point(game):
    for rules, _ in positions(game):
        moves = typed(rules)
        for action in rules.legal():
            texts = [str(action), rules.name(action)]
            texts += [vertex(rules, action).lower()] if vertices(rules) else []
            assert [moves.action(text) for text in texts] == [action] * len(texts)
        assert moves.action("nonsense") is None and moves.action("999999") is None


@pytest.mark.parametrize(
    ("game", "texts", "name"),
    [
        ("tic_tac_toe", ["X(0,1)", "x 0 1", "0,1", "(0, 1)", "b3", "1"], "x(0,1)"),
        ("connect_four", ["x3", "X3", "3", "d", "D1"], "x3"),
        ("go", ["b c2", "c2", "C2"], "B c2"),
        ("othello", ["D3", "d 3"], "d3"),
        ("chess", ["nf3", "NF3"], "Nf3"),
    ],
)
def test_simpler_forms_of_a_name_mean_the_same(game, texts, name):
    rules = start(game)
    assert {rules.name(typed(rules).action(text)) for text in texts} == {name}


def test_a_form_that_several_moves_share_means_none():
    names = {0: "Bc3", 1: "bc3", 2: "a4"}
    assert [Typed({1: "1", 2: "2"}, None).action(text) for text in ("2", "-1", " - 2", "+2")] == [2, None, None, None]
    assert [Typed(names, None).action(text) for text in ("bc3", "Bc3", "BC3", "A4")] == [1, 0, None, 2]


@pytest.mark.parametrize("game", ["connect_four", "othello_6x6", "go", "gomoku", "tic_tac_toe", "mnk", "hex", "chess"])
def test_the_last_move_is_marked_and_nothing_else_changes(game):
    before = None
    for rules, _ in positions(game):
        drawn = rules.draw()
        if before is not None:
            shown = marked(before, drawn)
            assert shown.count("[") <= 1 + (game == "chess")  # the king and the rook move together
            assert [line.split() for line in shown.replace("[", " ").replace("]", " ").split("\n")] == [
                line.split() for line in drawn.split("\n")
            ]
        before = drawn
    assert "[" in marked(start(game).draw(), start(game).child(start(game).legal()[0]).draw())


def test_a_board_of_go_has_letters_and_numbers():
    assert after("go", "c2", "e5").draw() == "\n".join(
        [" 5 . . . . O", " 4 . . . . .", " 3 . . . . .", " 2 . . X . .", " 1 . . . . .", "   A B C D E"]
    )


@pytest.mark.parametrize(
    ("game", "moves", "words"),
    [
        ("connect_four", "0 1 0 1 0 1 0", "four in a row"),
        ("tic_tac_toe", "0 3 1 4 2", "three in a row"),
        ("tic_tac_toe", "0 1 2 4 3 5 7 6 8", "the board is full"),
        ("go", "c3 pass pass", "by 17.5 points"),
        ("chess", "f3 e5 g4 Qh4#", "checkmate"),
        ("nim", "0 1", ""),
    ],
)
def test_the_end_of_a_game_in_words(game, moves, words):
    assert ending(after(game, *moves.split())) == words


def test_points_are_known_of_games_that_count_them():
    assert points(after("go", "c3")) == 25 - 7.5 and points(after("go", "c3", "a1"), komi=0.5) == -0.5 + 1 - 1
    assert points(after("othello", "d3")) == 3 and points(start("tic_tac_toe")) is None


def test_titles_for_programs_are_one_capitalized_word():
    assert [title(each) for each in ("go", "connect_four", "othello_6x6")] == ["Go", "Connectfour", "Othello"]

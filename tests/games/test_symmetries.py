"""Symmetries of boards: as many as are known of a game, and the rules agree; what only looks symmetric is refuted."""

import numpy as np
import pytest

pytest.importorskip("pyspiel")

from muzero import build
from muzero.config import parse_settings
from muzero.games import board, registry
from muzero.games.board_rules import BoardRules
from muzero.games.symmetries import find, images

KNOWN = {
    "tic_tac_toe": 8,
    "connect_four": 2,
    "othello": 4,  # the others exchange the colours of the first stones
    "othello_6x6": 4,
    "hex(board_size=5)": 2,
    "go(board_size=5)": 8,
    "go(board_size=9)": 8,
    "breakthrough": 2,
    "breakthrough(rows=6,columns=5)": 2,
    "clobber": 2,  # on five rows by six columns only one reflection keeps the colours of the first stones
    "mnk(m=5,n=4,k=3)": 4,  # a board that is not square cannot be turned by 90 degrees
    "chess": 1,  # king and queen
}


def start(name):
    return BoardRules(board.load(name).new_initial_state())


@pytest.mark.parametrize(("name", "count"), KNOWN.items())
def test_a_game_has_the_symmetries_that_are_known_of_it(name, count):
    found = board.symmetries(name)
    assert (1 if found is None else len(found)) == count
    if found is not None:
        assert len({row.tobytes() for row in found.source}) == count
        identity = np.arange(found.source.shape[1]), np.arange(found.action.shape[1])
        assert (found.source[0] == identity[0]).all() and (found.action[0] == identity[1]).all()
        assert (np.sort(found.source, 1) == identity[0]).all() and (np.sort(found.action, 1) == identity[1]).all()


@pytest.mark.parametrize("name", [name for name, count in KNOWN.items() if count > 1])
def test_the_rules_agree_along_fresh_random_games(name):
    """Every legal action of every position, against the definition; the games are not those of the search."""
    found, rng, checked = board.symmetries(name), np.random.default_rng(77), 0
    for number in range(1, len(found)):
        for _ in range(3):
            left = right = start(name)
            for _ in range(40):
                mine, legal = left.view()
                view, allowed = right.view()
                assert (mine.ravel()[found.source[number]] == view.ravel()).all()
                assert (left.over, list(left.returns)) == (right.over, list(right.returns))
                if left.over:
                    break
                assert left.to_move == right.to_move
                usable = legal & found.known[number]
                if (legal == usable).all():
                    image = np.zeros_like(allowed)
                    image[found.action[number][legal]] = True
                    assert (image == allowed).all()
                for action in np.flatnonzero(usable):
                    after, other = left.child(action), right.child(found.action[number][action])
                    assert (after.view()[0].ravel()[found.source[number]] == other.view()[0].ravel()).all()
                    assert (after.over, list(after.returns)) == (other.over, list(other.returns))
                    checked += 1
                action = rng.choice(np.flatnonzero(usable))
                left, right = left.child(action), right.child(found.action[number][action])
    assert checked > 200


def test_the_same_seed_finds_the_same():
    one, other = find(start("othello")), find(start("othello"))
    for name in ("source", "action", "known"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_actions_that_are_never_legal_have_no_known_image():
    found = board.symmetries("othello")
    first = {27, 28, 35, 36}  # the cells that hold stones from the beginning
    assert all(set(np.flatnonzero(~known).tolist()) == first for known in found.known[1:])
    assert found.known[0].all() and (found.action[:, 64] == 64).all()  # a pass stays a pass


def test_hex_turned_by_half_exchanges_the_edges_that_stones_touch():
    found = board.symmetries("hex(board_size=5)")
    planes = found.source[1].reshape(10, 25)
    turned = [int(plane[0]) // 25 for plane in planes]
    assert turned != list(range(10)) and sorted(turned) == list(range(10))
    assert all((plane % 25 == np.arange(25)[::-1]).all() for plane in planes)
    assert (found.action[1] == np.arange(25)[::-1]).all()


def test_the_transformations_of_a_board_are_its_rotations_and_reflections():
    assert (len(images(3, 3)), len(images(2, 3)), len(images(1, 3)), len(images(1, 1))) == (7, 3, 1, 0)
    cells = np.arange(6).reshape(2, 3)
    assert {image.tobytes() for image in images(2, 3)} == {
        board.ravel().tobytes() for board in (cells[::-1], cells[:, ::-1], cells[::-1, ::-1])
    }


def test_games_of_other_families_and_boards_without_planes_have_none():
    assert registry.symmetries("gym/CartPole-v1") is None
    assert registry.symmetries("board/nim") is None and registry.symmetries("board/gomoku") is None


@pytest.mark.parametrize(
    ("game", "settings", "count"),
    [
        ("board/connect_four", [], 2),
        ("board/connect_four", ["replay.symmetries=false"], None),
        ("gym/CartPole-v1", [], None),
    ],
)
def test_the_replay_of_a_run_has_the_symmetries_of_its_game(game, settings, count):
    config = build.configure(game, [parse_settings(settings)])
    found = build.replay(config, build.spec(config), 0).symmetries
    assert (None if found is None else len(found)) == count


# --- rules of our own ------------------------------------------------------------------------------------------------

ROWS = [(0, 1, 2), (3, 4, 5), (6, 7, 8)]
LINES = [*ROWS, (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]


class Toy:
    """Tic-tac-toe of which the lines, the numbers of the actions and what else is forbidden can be changed."""

    def __init__(self, lines=LINES, cells=tuple(range(9)), forbidden=lambda history, cell: False, history=()):
        self.rules = lines, cells, forbidden
        self.history = history
        played = [cells[action] for action in history]
        self.stones = [set(played[seat::2]) for seat in (0, 1)]
        self.won = [any(stones.issuperset(line) for line in lines) for stones in self.stones]
        self.to_move = len(history) % 2
        self.returns = [float(self.won[0]) - self.won[1], float(self.won[1]) - self.won[0]]
        self.over = any(self.won) or not self.legal()

    def legal(self):
        _, cells, forbidden = self.rules
        taken = self.stones[0] | self.stones[1]
        return [a for a in range(len(cells)) if cells[a] not in taken and not forbidden(self.history, cells[a])]

    def child(self, action):
        assert action in self.legal()
        return Toy(*self.rules, (*self.history, action))

    def view(self):
        seen = np.zeros((3, 3, 3), np.float32)
        for plane, stones in zip(seen, self.stones, strict=False):
            plane.ravel()[list(stones)] = 1
        seen[2] = self.to_move
        return seen, np.isin(np.arange(len(self.rules[1])), self.legal())


def test_numbers_of_actions_need_no_geometry():
    cells = tuple(np.random.default_rng(3).permutation(9).tolist())
    found, plain = find(Toy(cells=cells)), find(Toy())
    assert len(found) == 8 and (found.source == plain.source).all()
    for image, wanted in zip(found.action, plain.action, strict=True):
        assert [cells[other] for other in image] == [wanted[cell] for cell in cells]


def test_a_game_that_differs_only_in_what_is_won_is_refuted():
    assert len(find(Toy())) == 8
    assert len(find(Toy(lines=ROWS))) == 4  # boards look alike on their sides, but columns do not win
    assert find(Toy(lines=[(0, 1, 5)])) is None


def test_a_game_that_differs_only_late_in_what_is_legal_is_refuted():
    def forbidden(history, cell):
        return len(history) == 5 and cell == 0

    assert find(Toy(forbidden=forbidden).child(4)) is not None  # transposed, the corner stays where it is
    found = find(Toy(forbidden=forbidden))
    assert len(found) == 2 and found.action[1].tolist() == [0, 3, 6, 1, 4, 7, 2, 5, 8]


def test_actions_that_lead_to_the_same_position_are_not_guessed():
    twice = (*range(9), *range(9))
    assert find(Toy(cells=twice)) is None  # action 0 could be the image of 2 or of 11
    once = (*range(9), 4)  # only the one in the centre has two numbers
    assert find(Toy(cells=once)) is None  # where it alone is left, the games cannot be followed

    def forbidden(history, cell):
        return len(history) > 3 and cell == 4

    found = find(Toy(cells=once, forbidden=forbidden))
    assert len(found) == 8
    assert all(np.flatnonzero(~known).tolist() == [4, 9] for known in found.known[1:])

"""Positions whose rules can be consulted: one suite for every game that has them, and what minimax makes of one."""

import copy
import sys

import numpy as np
import pytest
from sample_games import Corridor, Stones, play

from muzero.games.board import BoardGames
from muzero.games.python import PythonGames
from muzero.games.registry import as_rules
from muzero.interfaces import EnvironmentFault, Positions, Rules
from muzero.players.minimax import MinimaxPlayer

pyspiel = pytest.importorskip("pyspiel")


class OpenStones(Stones):
    """Stones whose rules can be consulted, by a game that names its actions and draws its board."""

    def clone(self):
        return copy.copy(self)

    def action_name(self, action):
        return f"take {action + 1}"

    def __str__(self):
        return f"{'o' * self.stones} player {self.player}"


BOARDS = [
    *["tic_tac_toe", "connect_four", "othello", "othello_6x6", "chess", "go(board_size=5)", "dots_and_boxes"],
    "cliff_walking",
]


def games_of(name, batch):
    return BoardGames(name, batch, False) if name in BOARDS else PythonGames(name, batch, False)


@pytest.fixture(autouse=True)
def module(monkeypatch):
    monkeypatch.setitem(sys.modules, "rules_games", sys.modules[__name__])


@pytest.mark.parametrize("name", [*BOARDS, "rules_games:OpenStones"])
def test_rules_say_what_the_games_show(name):
    games = games_of(name, 3)
    previous = None
    for now in play(games, 90):
        found = games.rules([2, 0])
        for rules, slot in zip(found, (2, 0), strict=True):
            assert isinstance(rules, Rules) and rules.over == now.last[slot]
            seen, legal = rules.view()
            np.testing.assert_array_equal(seen, now.observation[slot])
            np.testing.assert_array_equal(legal, now.legal[slot])
            assert rules.legal() == ([] if rules.over else np.flatnonzero(legal).tolist())
            assert rules.draw() and all(rules.name(action) for action in rules.legal()[:5])
        if previous is not None and not now.first[2]:
            after = previous.child(found[0].history[-1])
            assert (after.key(), list(after.history)) == (found[0].key(), list(found[0].history))
        previous = None if found[0].over else found[0]


@pytest.mark.parametrize("name", [*BOARDS, "rules_games:OpenStones"])
def test_a_position_never_changes(name):
    games = games_of(name, 1)
    games.reset(np.array([0]))
    rules = games.rules([0])[0]
    before = (rules.key(), rules.legal(), list(rules.history), rules.draw(), rules.view()[0].tolist())
    below = rules.child(rules.legal()[0])
    for action in below.legal()[:2]:
        below.child(action)
    games.step(np.array(rules.legal()[-1:]))
    assert (rules.key(), rules.legal(), list(rules.history), rules.draw(), rules.view()[0].tolist()) == before
    with pytest.raises(ValueError, match="action 99999 is not legal"):
        rules.child(99999)


def test_games_without_known_rules_say_so():
    sys.modules["rules_games"].Corridor = Corridor
    for name in ("rules_games:Stones", "rules_games:Corridor"):
        games = PythonGames(name, 2, False)
        games.reset(np.arange(2))
        assert games.rules([0, 1]) is None


def test_minimax_plays_a_game_of_ones_own():
    games = PythonGames("rules_games:OpenStones", 1, False)
    games.reset(np.array([0]))
    waiting, seen = games.rules([0]), 0
    while waiting:
        rules = waiting.pop()
        waiting += [rules.child(action) for action in rules.legal()]
        if not rules.over:
            best = MinimaxPlayer().choose(Positions.of([rules], np.zeros(1, np.int64))).value[0]
            assert best == winner_of(int(rules.view()[0].argmax()))
            seen += 1
    assert seen > 5


def winner_of(stones):
    """1 if the player to move wins, -1 if the other does; a player who leaves an even number moves again."""
    ways = [stones - taken for taken in (1, 2) if taken <= stones]
    return max(1 if left == 0 else winner_of(left) * (-1 if left % 2 else 1) for left in ways)


def test_a_pyspiel_state_is_taken_as_a_position_and_nothing_else_is():
    state = pyspiel.load_game("tic_tac_toe").new_initial_state()
    rules = as_rules(state)
    state.apply_action(4)
    assert list(rules.history) == [] and as_rules(rules) is rules
    with pytest.raises(TypeError, match=r"pyspiel.State, got ndarray"):
        as_rules(np.zeros(3))


@pytest.mark.parametrize("member", ["clone", "action_name", "__str__", "legal", "to_move", "observation", "step"])
@pytest.mark.parametrize("error", [SystemExit(), KeyError("no such stone")], ids=["exit", "error"])
def test_what_rules_of_a_users_game_raise_is_a_fault_of_the_environment(monkeypatch, member, error):
    games = PythonGames("rules_games:OpenStones", 1, False)
    games.reset(np.array([0]))
    rules = games.rules([0])[0]

    def fails(*arguments):
        raise error

    monkeypatch.setattr(OpenStones, member, fails)
    with pytest.raises(EnvironmentFault, match=rf"{member.strip('_')}\(.*: {type(error).__name__}"):
        games.rules([0])
        rules.name(0)
        rules.draw()
        rules.view()
        rules.key()
        rules.child(0)

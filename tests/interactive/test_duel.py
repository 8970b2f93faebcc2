"""A person and an agent at one board: turns, moves taken back, strength, results."""

import math

import numpy as np
import pytest
import untrained

from muzero.agent import Agent
from muzero.cli import agent_options
from muzero.config import ConfigError
from muzero.interactive import strength
from muzero.interactive.duel import Duel
from muzero.interactive.strength import STRENGTHS, at_strength, choose

pytest.importorskip("pyspiel")


PILES = """
import numpy as np
class Piles:
    actions, observation_shape = 2, (3,)
    def reset(self, seed):
        self.left, self.player = np.random.default_rng(seed).random(3).tolist(), 0
    def observation(self):
        return self.left
    def legal(self):
        return [True, True]
    def to_move(self):
        return self.player
    def step(self, action):
        self.left[0] -= action + 1
        self.player = 1 - self.player
        return 0.0, self.left[0] < -8
"""


@pytest.fixture(scope="module")
def agent():
    return Agent.load("zoo/tic_tac_toe")


@pytest.fixture
def duel(agent):
    made = Duel(at_strength(agent, simulations=8))
    yield made
    made.close()


def test_the_persons_last_move_is_taken_back_with_the_answer(duel):
    duel.begin(0)
    assert duel.mine and duel.undo() == 0
    duel.play(0)
    assert not duel.mine
    duel.answer()
    board = duel.board
    duel.play(next(iter(duel.game.legal)))
    assert duel.undo() == 1 and duel.board == board
    duel.play(next(iter(duel.game.legal)))
    duel.answer()
    assert duel.undo() == 2 and duel.board == board and duel.mine
    assert duel.undo() == 2 and duel.undo() == 0 and duel.board_before == duel.board


def test_the_agents_first_move_is_not_taken_back(duel):
    duel.begin(1)
    duel.answer()
    before = duel.board
    assert duel.undo() == 0 and duel.board == before and duel.mine


def test_a_person_who_resigned_may_go_on(duel):
    duel.begin(1)
    duel.answer()
    duel.resigned = True
    assert duel.over and duel.score == -1 and duel.outcome(3)[:4] == (-1.0, 1, 1, 3)
    assert duel.undo() == 0 and duel.mine and math.isnan(duel.score)


@pytest.mark.parametrize("seat", [0, 1])
def test_the_score_is_the_persons(duel, seat):
    duel.begin(seat)
    while not duel.over:  # the one who moves first fills the first row that is free
        best = {0: (0, 1, 2), 1: (3, 4, 8)}[duel.game.to_move]
        duel.play(next(action for action in best if action in duel.game.legal))
    assert duel.score == (1 if seat == 0 else -1) and duel.side(seat) == "xo"[seat]


# --- strength ------------------------------------------------------------------------------------------------------


def test_games_with_chance_begin_differently(tmp_path, monkeypatch):
    (tmp_path / "piles_here.py").write_text(PILES)
    monkeypatch.chdir(tmp_path)

    def starts(seed):
        duel = Duel(at_strength(untrained.agent("python/piles_here:Piles"), simulations=2), seed)
        found = []
        for _ in range(4):
            duel.begin(0)
            before = duel.game.now.observation.copy()
            duel.play(next(iter(duel.game.legal)))
            duel.undo()
            assert np.array_equal(duel.game.now.observation, before)
            found.append(before.tolist())
        duel.close()
        return found

    found = starts(1)
    assert found == starts(1) and found[0] not in found[1:]


def test_strengths_search_as_much_as_they_say(agent):
    trained = agent.config.table("planner")["simulations"]
    found = {name: at_strength(agent, name) for name in STRENGTHS}
    counts = {name: getattr(each.agent.player.planner, "simulations", 0) for name, each in found.items()}
    assert counts == {
        "beginner": 0,
        "casual": 0,
        "club": max(1, round(trained / 4)),
        "full": trained,
        "strong": 4 * trained,
    }
    assert [name for name, each in found.items() if each.temperature] == ["beginner"]
    assert found["beginner"].words == "plays without search, and draws its moves with temperature 1"
    assert at_strength(agent, "beginner", 1, 0.0).words == "searches 1 position a move"


def test_the_options_list_the_strengths_that_there_are():
    assert tuple(STRENGTHS) == agent_options.STRENGTHS
    for name, each in STRENGTHS.items():
        assert f"{name:<9}  {each.words}\n" in agent_options.EPILOG


def test_an_agent_that_cannot_search_refuses_to_search_more():
    agent = untrained.agent("board/tic_tac_toe", "planner.kind=reactive")
    assert at_strength(agent, "casual").words == at_strength(agent).words == "plays without search"
    with pytest.raises(ConfigError, match="acts without search; expected beginner, casual, full"):
        at_strength(agent, "club")


def test_moves_are_drawn_by_temperature(duel):
    duel.begin(0)
    thoughts, rng = duel.game.think(), np.random.default_rng(0)
    assert {choose(thoughts, 0.0, rng) for _ in range(20)} == {thoughts.action}
    drawn = [choose(thoughts, 1.0, rng) for _ in range(2000)]
    for move in thoughts.moves:
        assert drawn.count(move.action) / 2000 == pytest.approx(move.policy, abs=0.05)
    even = {choose(thoughts, 100.0, rng) for _ in range(500)}
    assert even == {move.action for move in thoughts.moves if move.policy > 0}
    assert {choose(thoughts, 0.001, rng) for _ in range(20)} == {thoughts.moves[0].action}


def test_no_search_is_larger_than_the_largest(agent, monkeypatch):
    monkeypatch.setattr(strength, "MOST", 20)
    assert at_strength(agent, "strong").agent.player.planner.simulations == 20

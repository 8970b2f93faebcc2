"""Games from move to move: positions, moves taken back, and what the agent thinks."""

import numpy as np
import pytest

from muzero.agent import Agent
from muzero.interactive.live_game import LiveGame


@pytest.fixture(scope="module")
def agent():
    return Agent.load("zoo/tic_tac_toe", simulations=16)


def test_moves_taken_back_lead_to_the_same_position(agent):
    game = LiveGame(agent)
    for action in (4, 0, 8):
        game.play(action)
    before = game.now.observation.copy(), game.played.copy(), game.to_move
    for action in (2, 6):
        game.play(action)
    game.take_back(2)
    assert np.array_equal(game.now.observation, before[0])
    assert (game.played, game.to_move) == before[1:] == (["x(1,1)", "o(0,0)", "x(2,2)"], 1)
    with pytest.raises(ValueError, match="take back 4 moves: 3 were played"):
        game.take_back(4)


def test_a_finished_game_knows_its_score_and_takes_no_move(agent):
    game = LiveGame(agent)
    for action in (0, 3, 1, 4, 2):
        assert not game.over
        game.play(action)
    assert game.over and game.score == 1 and game.rewards == [0, 0, 0, 0, 1] and not game.legal
    for refused in (lambda: game.play(5), game.think):
        with pytest.raises(ValueError, match="over after 5 moves"):
            refused()
    game.take_back()
    assert not game.over and game.score == 0 and 2 in game.legal


def test_an_illegal_move_changes_nothing(agent):
    game = LiveGame(agent)
    game.play(4)
    with pytest.raises(ValueError, match=r"action 4 is not legal here; legal: o\(0,0\), "):
        game.play(4)
    assert game.played == ["x(1,1)"] and game.to_move == 1


@pytest.mark.parametrize("simulations", [0, 16])
def test_the_agent_plays_what_it_thinks(agent, simulations):
    asked = agent.limited(simulations)
    game = LiveGame(asked)
    while not game.over:
        thoughts = game.think()
        assert thoughts.simulations == simulations
        assert [move.action for move in sorted(thoughts.moves, key=lambda move: move.action)] == list(game.legal)
        assert sum(move.prior for move in thoughts.moves) == pytest.approx(1)
        assert sum(move.policy for move in thoughts.moves) == pytest.approx(1)
        assert thoughts.line[0] == game.legal[thoughts.action]
        assert thoughts.action == asked.choose(game.rules)
        game.play(thoughts.action)
    assert game.score == 0


@pytest.mark.parametrize("name", ["CartPole-v1", "breakout"])
def test_one_player_alone_earns_the_rewards(name):
    game = LiveGame(Agent.load(f"zoo/{name}", simulations=2), seed=3)
    for _ in range(5):
        game.play(game.think().action)
    assert game.rules is None and game.to_move == 0 and game.score == sum(game.rewards)
    again = LiveGame(game.agent, seed=3)
    for action in game.actions:
        again.play(action)
    assert np.array_equal(again.now.observation, game.now.observation)

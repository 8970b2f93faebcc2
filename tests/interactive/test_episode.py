"""An episode that is watched is the game that an evaluation plays."""

from contextlib import closing

import numpy as np
import pytest
import untrained

from muzero import build
from muzero.agent import Agent
from muzero.interactive.episode import KEPT, Scene, Thinker, Trace, scenes
from muzero.play.match import play
from muzero.players.registry import player


def watched(agent, opponent, number, openings=(0, 0), seed=5):
    with closing(build.games(agent.config, 1, training=False, frames=True)) as games:
        return list(scenes(games, Thinker(agent), opponent, number, seed, openings))


@pytest.mark.parametrize("name", ["CartPole-v1", "breakout"])
@pytest.mark.parametrize("simulations", [0, 4])
def test_a_game_alone_is_that_of_the_evaluation(name, simulations):
    agent = Agent.load(f"zoo/{name}", simulations=simulations)
    seen = watched(agent, None, 1)
    with closing(build.games(agent.config, 2, training=False)) as games:
        outcome = play(games, agent.player, None, [0, 1], 5)[1]
    assert (seen[-1].score, seen[-1].step) == (outcome.score, outcome.steps)
    assert [scene.step for scene in seen] == list(range(outcome.steps + 1))
    assert seen[-1].over and not any(scene.over for scene in seen[:-1])
    assert sum(scene.reward for scene in seen) == outcome.score
    assert all(scene.thoughts.simulations == simulations for scene in seen[:-1])
    # A trained model knows its rewards.
    assert np.mean([abs(scene.reward - scene.predicted) for scene in seen[:-1]]) < 0.1


@pytest.mark.parametrize("number", [0, 1])
def test_a_game_for_two_is_that_of_the_evaluation(number):
    pytest.importorskip("pyspiel")
    agent = Agent.load("zoo/connect_four", simulations=4)
    with closing(player("mcts:20")) as opponent:
        seen = watched(agent, opponent, number, (2, 4))
        with closing(build.games(agent.config, 1, training=False)) as games:
            outcome = play(games, agent.player, opponent, [number], 5, (2, 4))[0]
    assert tuple(seen[-1].rules.history) == outcome.actions and seen[-1].score == outcome.score
    assert sum(scene.opening for scene in seen) == outcome.opening
    assert seen[0].mine == (number == 0)
    for scene in seen[:-1]:
        assert (scene.thoughts is None) == (scene.opening or not scene.mine)
    rewards = sum(scene.reward if scene.mine else -scene.reward for scene in seen)
    assert rewards == outcome.score


@pytest.mark.parametrize("planner", ["mppi", "cem", "icem", "reactive"])
@pytest.mark.parametrize("game", ["gym/Pendulum-v1", "gym/CartPole-v1"])
def test_planners_without_a_tree_show_what_they_plan(game, planner):
    settings = [] if planner == "reactive" else ["planner.population=8", "planner.elites=4", "planner.iterations=2"]
    agent = untrained.agent(game, f"planner.kind={planner}", *settings, "game.max_steps=6", "model.width=8")
    seen = watched(agent, None, 1)
    with closing(build.games(agent.config, 2, training=False)) as games:
        outcome = play(games, agent.player, None, [0, 1], 5)[1]
    assert (seen[-1].score, seen[-1].step) == (outcome.score, outcome.steps)
    for scene in seen[:-1]:
        thoughts = scene.thoughts
        assert thoughts.planned == (planner != "reactive") and thoughts.simulations == 0
        assert scene.predicted is not None and scene.value == thoughts.value
        if agent.spec.actions.columns:
            assert sum(move.policy for move in thoughts.moves) == pytest.approx(1)
            assert max(thoughts.moves, key=lambda move: move.prior).action == thoughts.action or thoughts.planned
            assert thoughts.planned or all(move.policy == pytest.approx(move.prior) for move in thoughts.moves)
        else:
            assert scene.action == f"[{' '.join(f'{number.chosen:.3g}' for number in thoughts.numbers)}]"
            if planner == "reactive":  # the network alone
                assert all(number.chosen == pytest.approx(number.network) for number in thoughts.numbers)


def test_values_are_seen_by_one_side_and_memory_is_bounded():
    trace, nothing = Trace(), np.zeros(1)
    for step in range(2 * KEPT):
        mine = step % 2 == 0
        trace.add(
            Scene(step, mine, nothing, None, None, 0.0, value=0.5 if mine else -0.5, reward=1.0 if mine else -1.0)
        )
    assert set(trace.values) == {0.5} and set(trace.rewards) == {1.0}
    assert len(trace.values) == KEPT and trace.steps == 2 * KEPT

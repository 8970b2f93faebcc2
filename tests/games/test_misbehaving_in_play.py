"""Play with environments that misbehave: no bad value reaches a batch, and what is wrong is named."""

import numpy as np
import pytest
import torch
from misbehaving import BROKEN_STEPS, games

from muzero.data.replay import Replay
from muzero.interfaces import NonFiniteError, WindowSize
from muzero.models.vector import VectorModel
from muzero.planners.tree import GumbelPlanner
from muzero.play.match import play
from muzero.play.selfplay import SelfPlay
from muzero.players.uniform import RandomPlayer


def player(made):
    torch.manual_seed(0)
    model = VectorModel(made.spec, width=8, hidden=8)
    return SelfPlay(made, model, GumbelPlanner(simulations=2, inference="torch"), 0, segment_steps=4)


def test_a_hundred_faults_while_playing_let_no_bad_value_into_a_batch(misbehave):
    rng, kinds = np.random.default_rng(0), [*BROKEN_STEPS.values()]

    def plan(slot, call, number):
        return kinds[rng.integers(len(kinds))] if rng.random() < 0.1 and call == "step" else None

    misbehave(plan)
    made = games(4)
    acting, replay = player(made), Replay(made.spec, 0, capacity=5000)
    while made.faults < 100:
        for segment in acting.play(4).segments:
            replay.add(segment)
    assert acting.rejected == 0 and replay.steps > 200
    for _ in range(50):
        _, window = replay.sample(64, WindowSize(5, 3))
        for name, tensor in window.tensors().items():
            assert torch.isfinite(tensor.float()).all(), name
        # Nothing ended where a game broke off: an end is ten steps after a beginning.
        ended = ~window.over[:, :-1] & window.over[:, 1:]
        position = (window.observation[:, 0, 0] * 10).round().int()
        for row, step in ended.nonzero().tolist():
            assert position[row] + step + 1 == 10


def test_rows_of_a_game_that_broke_off_are_dropped(misbehave):
    misbehave(lambda slot, call, number: ValueError() if number == 7 and call == "step" and slot == 0 else None)
    acting = player(games(1))
    harvest = acting.play(30)
    by_game = {}
    for segment in harvest.segments:
        by_game.setdefault(segment.id.game, []).append(segment)
    assert [len(segment) for segment in by_game[0]] == [4]  # of the six good steps
    assert [segment.id.sequence for segment in by_game[1]] == [0, 1, 2] and by_game[1][-1].columns["discount"][-1] == 0
    ended = [parts for parts in by_game.values() if parts[-1].columns["discount"][-1] == 0]
    assert len(harvest.episodes) == len(ended)


def test_a_segment_that_does_not_hold_is_not_handed_over(misbehave):
    misbehave(lambda slot, call, number: None)
    acting = player(games(1))
    plan = acting.planner

    class Wrong:
        path = acting.planner.path

        def plan(self, *arguments, **named):
            decision, carry = plan.plan(*arguments, **named)
            decision.weights[:] = np.nan
            return decision, carry

    acting.planner = Wrong()
    assert acting.play(4).segments == [] and acting.rejected == 1
    assert "policy holds a number that is not finite" in acting.last_rejection


def test_weights_that_are_not_finite_stop_a_search_by_their_version(misbehave):
    misbehave(lambda slot, call, number: None)
    acting = player(games(1))
    weights = {name: torch.full_like(tensor, torch.nan) for name, tensor in acting.model.state_dict().items()}
    acting.model.load_state_dict(weights)
    acting.version = 17
    with pytest.raises(NonFiniteError, match=r"weights of version 17: prior_logits\[0") as caught:
        acting.play(1)
    assert "the weights are finite" not in str(caught.value)


def test_an_observation_too_large_for_a_model_is_named(misbehave):
    huge = {0: np.array([3e38, -1], np.float32)}
    misbehave(lambda slot, call, number: huge if call == "step" and slot == 1 and number == 3 else None)
    acting = player(games(2))
    with pytest.raises(
        NonFiniteError, match=r"observation is that of environment 2 of 2: numbers from -1 to 3e\+38; scale"
    ):
        acting.play(10)


def test_a_game_that_breaks_off_in_an_evaluation_is_played_again(misbehave):
    misbehave(lambda slot, call, number: ValueError() if number == 5 and call == "step" and slot < 2 else None)
    made = games(2)
    outcomes = play(made, RandomPlayer(), None, range(2), 0)
    assert made.faults == 2
    assert [(outcome.score, outcome.steps) for outcome in outcomes] == [(5.0, 10)] * 2

"""Planners against games whose best move is known."""

import dataclasses

import numpy as np
import pytest
import torch
from chain import DISCOUNT, ChainModel
from nim import NimModel

from muzero.actions import Box, Discrete
from muzero.interfaces import GameSpec, observe_first
from muzero.models.vector import VectorModel
from muzero.planners import searching, tree
from muzero.planners.reactive import ReactivePlanner
from muzero.planners.tree import GumbelPlanner, PuctPlanner

STONES = [1, 2, 4, 5, 7, 8]  # not a multiple of 3: the player to move can win
BEST = [s % 3 - 1 for s in STONES]  # leave a multiple of 3
TREES = [PuctPlanner(simulations=400), GumbelPlanner(simulations=400, value_scale=1.0)]


def plan(planner, stones, explore=False, seed=0, model=None):
    root = {"stones": torch.tensor(stones)}
    return decided(planner, model or NimModel(), root, np.ones((len(stones), 2), bool), seed, explore)


def decided(planner, model, root, legal, seed=0, explore=False):
    carry, first = planner.start(len(legal), model.space), np.ones(len(legal), bool)
    decision, _ = planner.plan(model, root, legal, carry, first, np.random.default_rng(seed), explore)
    return decision


@pytest.mark.parametrize("planner", TREES, ids=repr)
def test_finds_the_winning_move_in_nim(planner):
    decision = plan(planner, STONES)
    assert decision.action.tolist() == BEST
    assert (decision.value > 0.5).all()


@pytest.mark.parametrize("planner", TREES, ids=repr)
def test_a_lost_position_has_negative_value(planner):
    assert (plan(planner, [3, 6]).value < -0.5).all()


@pytest.mark.parametrize("planner", TREES, ids=repr)
def test_values_a_distant_reward_by_its_discount(planner):
    root = {"cell": torch.tensor([0, 1, 2, 3])}
    decision = decided(planner, ChainModel(5), root, np.ones((4, 2), bool))
    assert decision.action.tolist() == [1, 1, 1, 1]
    assert (np.diff(decision.value) > 0).all()
    # The mean over all simulations stays below the best return, and approaches it next to the goal.
    assert decision.value[3] == pytest.approx(1, abs=0.15)
    assert (decision.value <= DISCOUNT ** np.array([3, 2, 1, 0]) + 1e-6).all()


@pytest.mark.parametrize("planner", TREES, ids=repr)
def test_threads_of_trees_change_nothing(planner, monkeypatch):
    small, found = dataclasses.replace(planner, simulations=30), []
    for threads in (1, 3):
        monkeypatch.setattr(tree, "threads_for", lambda root, threads=threads: threads)
        found.append(plan(small, STONES, explore=True))
    for one, other in zip(vars(found[0]).values(), vars(found[1]).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_gpu_leaves_cores_to_the_trees_of_large_searches(monkeypatch):
    monkeypatch.setattr(searching, "cores", lambda: 6)
    threads = [
        searching.threads_for({"state": torch.empty(rows, 1, device="meta")}) for rows in (1, 511, 512, 1024, 2048)
    ]
    assert threads == [1, 1, 2, 4, 6]
    assert searching.threads_for({"state": torch.empty(2048, 1)}) == 1


@pytest.mark.parametrize("planner", TREES, ids=repr)
@pytest.mark.parametrize("explore", [False, True])
def test_trees_in_a_batch_do_not_affect_each_other(planner, explore):
    small = dataclasses.replace(planner, simulations=30)
    together = plan(small, STONES)
    alone = np.concatenate([plan(small, [s]).weights for s in STONES])
    np.testing.assert_array_equal(together.weights, alone)
    assert plan(small, STONES, explore, seed=1).action.shape == (6,)


@pytest.mark.parametrize("planner", TREES, ids=repr)
def test_a_search_imagines_exactly_once_per_simulation(planner):
    model = NimModel()
    plan(dataclasses.replace(planner, simulations=17), STONES, model=model)
    assert model.calls == {"observe": 0, "imagine": 17, "predict": 18}


@pytest.mark.parametrize("planner", [*TREES, ReactivePlanner()], ids=repr)
def test_the_same_random_numbers_give_the_same_decision(planner):
    first, second = (plan(planner, STONES, explore=True, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)
    np.testing.assert_array_equal(first.action, second.action)


@pytest.mark.parametrize("planner", [*TREES, ReactivePlanner()], ids=repr)
def test_illegal_actions_are_never_chosen_nor_taught(planner):
    legal = np.array([[True, False]] * 3)
    root = {"stones": torch.tensor([2, 5, 8])}  # the best move would be the illegal one
    for seed in range(5):
        decision = decided(planner, NimModel(), root, legal, seed, explore=True)
        assert (decision.action == 0).all() and (decision.weights[:, 1] == 0).all()


def test_the_factor_of_the_noise_decides_how_much_is_explored():
    planner = GumbelPlanner(simulations=8, value_scale=0.01)
    explored = {
        noise: np.stack(
            [plan(dataclasses.replace(planner, noise=noise), STONES, True, seed).action for seed in range(50)]
        )
        for noise in (0.0, 0.01, 1.0)
    }
    best = plan(planner, STONES).action
    assert (explored[0.0] == best).all()
    changed = [(actions != best).mean() for actions in explored.values()]
    assert 0 < changed[1] < changed[2]


def test_values_of_searches_that_do_not_explore_have_their_own_weight():
    planner = GumbelPlanner(simulations=8, value_scale=0.01, noise=0.0)
    heavy = dataclasses.replace(planner, value_scale=1.0)
    apart = dataclasses.replace(planner, greedy_value_scale=1.0)
    for explore, same, other in ((False, heavy, planner), (True, planner, heavy)):
        weights = [plan(each, STONES, explore).weights for each in (apart, same, other)]
        np.testing.assert_array_equal(weights[0], weights[1])
        assert (weights[0] != weights[2]).any()


def test_exploring_without_search_samples_the_policy():
    actions = np.concatenate([plan(ReactivePlanner(), STONES, True, seed).action for seed in range(200)])
    assert actions.mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("spoiled", ["policy_head.bias", "value_head.bias"])
@pytest.mark.parametrize("space", [Discrete(3), Box(2)], ids=repr)
@pytest.mark.parametrize("explore", [False, True])
def test_acting_without_search_refuses_what_is_not_finite(space, spoiled, explore):
    model = VectorModel(GameSpec("game", (2,), "float32", space, (0.0, 1.0)), width=8, hidden=8)
    root, legal = observe_first(model, torch.zeros(2, 2)), np.ones((2, space.columns), bool)
    assert decided(ReactivePlanner(), model, root, legal, explore=explore).action.shape == (2, *space.shape)
    with torch.no_grad():
        model.get_parameter(spoiled)[0] = torch.nan
    with pytest.raises(ValueError, match=rf"{spoiled[:5]}.*\[0\] .*not finite"):
        decided(ReactivePlanner(), model, root, legal, explore=explore)

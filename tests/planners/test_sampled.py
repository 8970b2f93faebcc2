"""Sampled MuZero against problems whose best action is known; what it draws is tested in tests/search."""

import dataclasses

import numpy as np
import pytest
import torch
from chain import ChainModel

from muzero.actions import Box, Discrete
from muzero.interfaces import Prediction, Transition, WorldModel
from muzero.models.heads import Categorical, Certain, SquashedGaussian
from muzero.planners.sampled import SampledPlanner

BEST = (0.3, -0.6)
SMALL = SampledPlanner(simulations=24, samples=12)


class Bandit(WorldModel):
    """One move, which pays minus the squared distance from the best action, times `unit`."""

    def __init__(self, size=1, unit=1.0, broken=""):
        super().__init__()
        self.space, self.unit, self.broken = Box(size), unit, broken

    def memory(self, batch):
        return {}

    def encode(self, observation):
        return observation

    def update(self, memory, action, encoded, first, noise=None):
        return {"state": encoded}

    def imagine(self, latent, action, noise=None):
        reward = -self.unit * (action - torch.tensor(BEST[: self.space.size])).square().sum(-1)
        if self.broken == "reward":
            reward = torch.where(action[:, 0] > 0.2, torch.nan, reward)
        return {"state": latent["state"] + 1}, Transition(Certain(reward), Certain(torch.zeros(len(reward))))

    def predict(self, latent):
        batch = len(latent["state"])
        parameters = torch.zeros(batch, 2 * self.space.size)
        if self.broken == "policy":
            parameters = torch.where(latent["state"] > 0, torch.nan, parameters)
        return Prediction(SquashedGaussian(parameters), Certain(torch.zeros(batch)))


class Many(Bandit):
    """One move among a thousand, which pays the more the nearer to number 700."""

    def __init__(self):
        super().__init__()
        self.space = Discrete(1000)

    def imagine(self, latent, action, noise=None):
        reward = -(action.float() - 700).abs() / 1000
        return latent, Transition(Certain(reward), Certain(torch.zeros(len(reward))))

    def predict(self, latent):
        batch = len(latent["state"])
        return Prediction(Categorical(torch.zeros(batch, 1000)), Certain(torch.zeros(batch)))


def plan(planner, model, batch=4, explore=False, seed=0, legal=None):
    root = {"state": torch.zeros(batch, 1)}
    legal = np.ones((batch, model.space.columns), bool) if legal is None else legal
    given = legal, planner.start(batch, model.space), np.ones(batch, bool), np.random.default_rng(seed), explore
    return planner.plan(model, root, *given)[0]


@pytest.mark.parametrize("explore", [False, True])
def test_the_best_action_is_played_and_weighs_most(explore):
    decision = plan(SMALL, Bandit(), 64, explore)
    assert decision.candidates.shape == (64, 12, 1) and decision.candidates.dtype == np.float32
    heaviest = decision.candidates[np.arange(64), decision.weights.argmax(1), 0]
    nearest = np.abs(decision.candidates[:, :, 0] - BEST[0]).min(1)
    assert np.mean(np.abs(heaviest - BEST[0]) < nearest + 1e-6) > 0.9
    assert np.median(np.abs(decision.action[:, 0] - BEST[0])) < (0.6 if explore else 0.15)
    assert np.median(decision.value) > -0.2


def test_the_improved_policy_moves_towards_the_best_action():
    decision = plan(dataclasses.replace(SMALL, samples=64, simulations=64), Bandit(2), 200, explore=True)
    mean = (decision.weights[:, :, None] * decision.candidates).sum(1)
    assert (np.abs(mean.mean(0) - BEST) < np.abs(BEST) / 3).all()


@pytest.mark.parametrize("explore", [False, True])
def test_other_units_of_rewards_change_nothing(explore):
    first, same, more = (plan(SMALL, Bandit(2, unit), explore=explore) for unit in (1.0, 128.0, 100.0))
    np.testing.assert_array_equal(first.action, same.action)
    np.testing.assert_allclose(first.weights, same.weights, rtol=1e-4)
    np.testing.assert_allclose(first.weights, more.weights, rtol=1e-3, atol=1e-6)


def test_each_row_of_a_batch_is_planned_alone():
    together = plan(SMALL, Bandit(2), 5)
    alone = plan(SMALL, Bandit(2), 1)
    for name in ("action", "weights", "candidates", "value"):
        for row in range(5):
            np.testing.assert_array_equal(getattr(together, name)[row], getattr(alone, name)[0])


def test_exploring_tries_what_the_policy_would_hardly_take():
    model = Bandit()
    narrow, wide = (
        plan(dataclasses.replace(SMALL, wide=share), model, 200, explore=True).candidates for share in (0.0, 0.75)
    )
    assert np.mean(np.abs(wide) > 0.99) > 2 * np.mean(np.abs(narrow) > 0.99)
    np.testing.assert_array_equal(
        plan(dataclasses.replace(SMALL, wide=0.0), model).candidates, plan(SMALL, model).candidates
    )


def test_the_best_sample_alone_can_be_the_target():
    best = plan(dataclasses.replace(SMALL, target="best"), Bandit(2), 20, explore=True)
    whole = plan(SMALL, Bandit(2), 20, explore=True)
    assert (best.weights.max(1) == 1).all() and (best.weights.sum(1) == 1).all()
    np.testing.assert_array_equal(best.candidates, whole.candidates)
    assert np.mean(best.weights.argmax(1) == whole.weights.argmax(1)) > 0.9


@pytest.mark.parametrize("explore", [False, True])
def test_what_is_not_finite_is_never_ranked(explore):
    with pytest.raises(ValueError, match=r"expand: reward\[\d\]"):
        plan(SMALL, Bandit(broken="reward"), explore=explore)
    with pytest.raises(ValueError, match=r"expand: normals\[0\] holds a number that is not finite"):
        plan(SMALL, Bandit(broken="policy"), explore=explore)


@pytest.mark.parametrize("explore", [False, True])
def test_of_many_listed_actions_a_few_are_searched(explore):
    legal = np.ones((8, 1000), bool)
    legal[:, 690:] = False
    decision = plan(dataclasses.replace(SMALL, samples=40, simulations=80), Many(), 8, explore, legal=legal)
    assert decision.candidates is None and decision.weights.shape == (8, 1000)
    assert ((decision.weights > 0).sum(1) <= 40).all() and (decision.weights[~legal] == 0).all()
    assert (decision.action < 690).all() and np.median(decision.action) > 600


@pytest.mark.parametrize("explore", [False, True])
def test_two_listed_actions_are_searched_as_any_tree_would(explore):
    model, root = ChainModel(5), {"cell": torch.tensor([0, 1, 2, 3])}
    legal, first = np.ones((4, 2), bool), np.ones(4, bool)
    planner = dataclasses.replace(SMALL, simulations=150)
    decision, _ = planner.plan(model, root, legal, {}, first, np.random.default_rng(0), explore)
    assert (decision.weights.argmax(1) == 1).all()


def test_the_search_can_be_read():
    model, root = Bandit(2), {"state": torch.zeros(1, 1)}
    result = SMALL.search(model, root, np.ones((1, 0), bool), None)
    np.testing.assert_array_equal(result.chosen, plan(SMALL, model, 1).action)
    line = result.principal_variation()
    np.testing.assert_array_equal(result.tree.action_at(0, 0, line[0].action), result.chosen[0])

"""Model-predictive control against exact optima: a linear system with quadratic costs, and a corridor."""

import dataclasses

import numpy as np
import pytest
import torch
from chain import ChainModel

from muzero.actions import Box
from muzero.interfaces import Prediction, Transition, WorldModel
from muzero.models.heads import Certain, SquashedGaussian
from muzero.planners.imagining import imagine
from muzero.planners.mpc import CemPlanner, IcemPlanner, MppiPlanner
from muzero.planners.sequences import coloured, fixed_normals, probability

A = np.array([[1.0, 0.1], [0.0, 1.0]])  # a double integrator: place and speed
B = np.array([[0.0], [0.1]])
COST, EFFORT, HORIZON = np.diag([1.0, 0.1]), 0.1, 15
PLANNERS = [CemPlanner(), IcemPlanner(), MppiPlanner()]


class Integrator(WorldModel):
    """The system, exactly.  Rewards are minus the costs times `unit`; a state after the horizon is worth nothing."""

    def __init__(self, unit=1.0, broken=False):
        super().__init__()
        self.space, self.unit, self.broken = Box(1), unit, broken

    def memory(self, batch):
        return {}

    def encode(self, observation):
        return observation

    def update(self, memory, action, encoded, first, noise=None):
        return {"state": encoded}

    def imagine(self, latent, action, noise=None):
        state = latent["state"].double()
        cost = torch.einsum("bi,ij,bj->b", state, torch.tensor(COST), state) + EFFORT * action.double()[:, 0] ** 2
        following = state @ torch.tensor(A).T + action.double() @ torch.tensor(B).T
        reward = -self.unit * cost
        if self.broken:
            reward = torch.where(action[:, 0] > 0.3, torch.nan, reward)
        return {"state": following.float()}, Transition(Certain(reward.float()), Certain(torch.ones(len(state))))

    def predict(self, latent):
        batch = len(latent["state"])
        return Prediction(SquashedGaussian(torch.zeros(batch, 2)), Certain(torch.zeros(batch)))


def riccati(horizon):
    """Gains of the optimal controls at each step, and the matrix of the least cost from the first state on."""
    cost, gains = np.zeros((2, 2)), []
    for _ in range(horizon):
        gain = np.linalg.solve(EFFORT + B.T @ cost @ B, B.T @ cost @ A)
        cost = COST + A.T @ cost @ A - A.T @ cost @ B @ gain
        gains.insert(0, gain)
    return gains, cost


def states(count, seed=0):
    """Starts so near to rest that the best controls reach no bound."""
    return np.random.default_rng(seed).uniform(-0.15, 0.15, (count, 2))


def plan(planner, state, model=None, carry=None, explore=False, seed=0):
    model, batch = model or Integrator(), len(state)
    carry = planner.start(batch, model.space) if carry is None else carry
    root, legal = {"state": torch.tensor(state, dtype=torch.float32)}, np.ones((batch, 0), bool)
    return planner.plan(model, root, legal, carry, np.ones(batch, bool), np.random.default_rng(seed), explore)


def cost_of(state, controls):
    """What controls [B, H] cost from states [B, 2]."""
    total, now = np.zeros(len(state)), state.copy()
    for control in controls.T:
        total += np.einsum("bi,ij,bj->b", now, COST, now) + EFFORT * control**2
        now = now @ A.T + control[:, None] * B.T
    return total


def excess(planner, state):
    """By what share the planned sequences cost more than the best ones."""
    gains, matrix = riccati(planner.horizon)
    now, best = state.copy(), []
    for gain in gains:
        best.append(-(now @ gain.T)[:, 0])
        now = now @ A.T + best[-1][:, None] * B.T
    assert np.abs(best).max() < 1
    least = np.einsum("bi,ij,bj->b", state, matrix, state)
    np.testing.assert_allclose(cost_of(state, np.array(best).T), least)
    _, carry = plan(planner, state)
    return cost_of(state, carry["sequences"][..., 0]) / least - 1


@pytest.mark.parametrize(
    ("planner", "most"),
    [
        (CemPlanner(horizon=HORIZON, population=350, elites=35, iterations=20, least_spread=0.001, proposals=0), 0.005),
        (MppiPlanner(horizon=HORIZON, population=512, elites=64, iterations=20, least_spread=0.001), 0.005),
        (IcemPlanner(horizon=HORIZON, population=256, elites=20, iterations=20, shrink=1, least_spread=0.001), 0.05),
    ],
    ids=["cem", "mppi", "icem"],
)
def test_plans_cost_little_more_than_the_optimum(planner, most):
    assert np.median(excess(planner, states(20))) <= most


@pytest.mark.parametrize(("planner", "most"), [(CemPlanner(), 0.01), (MppiPlanner(), 0.002)], ids=["cem", "mppi"])
def test_shipped_settings_suit_the_steps_that_they_imagine(planner, most):
    assert np.median(excess(planner, states(60))) <= most


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: type(planner).__name__)
@pytest.mark.parametrize("explore", [False, True])
def test_other_units_of_rewards_change_nothing(planner, explore):
    first, second = (plan(planner, states(4), Integrator(unit), explore=explore)[0] for unit in (1.0, 128.0))
    np.testing.assert_array_equal(first.action, second.action)
    np.testing.assert_allclose(first.weights, second.weights, rtol=1e-4)


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: type(planner).__name__)
def test_each_row_of_a_batch_is_planned_alone(planner):
    together, carry = plan(planner, states(5))
    for row in range(5):
        alone, kept = plan(planner, states(5)[row : row + 1])
        np.testing.assert_array_equal(alone.action[0], together.action[row])
        np.testing.assert_array_equal(alone.candidates[0], together.candidates[row])
        np.testing.assert_array_equal(kept["sequences"][0], carry["sequences"][row])


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: type(planner).__name__)
def test_a_return_that_is_not_finite_is_never_ranked(planner):
    with pytest.raises(ValueError, match="returns of imagined sequences"):
        plan(planner, states(2), Integrator(broken=True))


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: type(planner).__name__)
def test_a_plan_begins_where_the_one_before_ended_unless_a_game_begins(planner):
    begun = dataclasses.replace(planner, momentum=0.999)  # hardly fitted to what is drawn
    kept = np.linspace(-0.9, 0.9, 2 * planner.horizon, dtype=np.float32).reshape(2, -1, 1)
    root, legal = {"state": torch.tensor(states(2), dtype=torch.float32)}, np.ones((2, 0), bool)
    first = np.array([False, True])
    _, carry = begun.plan(Integrator(), root, legal, {"sequences": kept}, first, np.random.default_rng(0), False)
    np.testing.assert_allclose(carry["sequences"][0, :-1], kept[0, 1:], atol=0.01)
    np.testing.assert_allclose(carry["sequences"][0, -1], kept[0, -1], atol=0.01)
    np.testing.assert_allclose(carry["sequences"][1], 0, atol=0.01)


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: type(planner).__name__)
@pytest.mark.parametrize("explore", [False, True])
def test_listed_actions_lead_to_a_distant_reward(planner, explore):
    model, root = ChainModel(5), {"cell": torch.tensor([0, 1, 2, 3])}
    small = dataclasses.replace(planner, horizon=6, population=64)
    legal, first = np.ones((4, 2), bool), np.ones(4, bool)
    carry, rng = small.start(4, model.space), np.random.default_rng(0)
    decision, carry = small.plan(model, root, legal, carry, first, rng, explore)
    assert decision.action.tolist() == [1, 1, 1, 1] and decision.candidates is None
    np.testing.assert_allclose(decision.weights.sum(1), 1, rtol=1e-5)
    assert (decision.weights[:, 1] > 0.5).all()
    legal[:, 1] = False
    decision, _ = small.plan(model, root, legal, carry, first, rng, explore)
    assert decision.action.tolist() == [0, 0, 0, 0] and (decision.weights[:, 1] == 0).all()


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0])
def test_noise_has_the_colour_that_is_asked_for(exponent):
    length = 512
    white = np.random.default_rng(0).standard_normal((1, 2000, length, 1))
    noise = coloured(white, exponent)
    assert noise.shape == white.shape and noise.var() == pytest.approx(1, abs=0.1)
    power = (np.abs(np.fft.rfft(noise, axis=2)) ** 2).mean((0, 1, 3))[1:-1]
    slope = np.polyfit(np.log(np.fft.rfftfreq(length)[1:-1]), np.log(power), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.05)
    if exponent == 0:
        np.testing.assert_allclose(noise, white, atol=1e-12)


def test_fixed_numbers_are_standard_normal_and_always_the_same():
    table = fixed_normals(3, 256, (4, 2))
    assert table.shape == (3, 256, 4, 2) and np.abs(table.mean((0, 1))).max() < 0.03
    assert np.abs(table.std((0, 1)) - 1).max() < 0.05
    fixed_normals.cache_clear()
    np.testing.assert_array_equal(fixed_normals(3, 256, (4, 2)), table)
    assert probability(np.array([-40.0, 0.0, 40.0])).tolist() == [0, 0.5, np.nextafter(1, 0)]


class Gamble(Integrator):
    """Pays the action times a number that is 3 with probability 1/4, else -1, drawn by the noise: 0 on average."""

    noise = 1

    def imagine(self, latent, action, noise=None):
        lucky = torch.full((len(action),), -1.0) if noise is None else torch.where(noise[:, 0] <= 0.25, 3.0, -1.0)
        following = {"state": latent["state"]}
        return following, Transition(Certain(action[:, 0] * lucky), Certain(torch.ones(len(action))))


@pytest.mark.parametrize("explore", [False, True])
def test_returns_of_a_model_that_draws_are_means_over_the_same_chance(explore):
    model, generator = Gamble(), np.random.default_rng(3) if explore else None
    sequences = np.zeros((2, 2, 1, 1), np.float32)
    sequences[:, 0], sequences[:, 1] = 1.0, 0.5
    root, legal = {"state": torch.zeros(2, 2)}, np.ones((2, 0), bool)
    found = imagine(model, root, sequences, None, legal, generator, 0, "torch", particles=4000)
    size = np.abs(found.sequences[:, :, 0, 0])
    np.testing.assert_allclose(found.returns / size, (found.returns / size)[:, :1].repeat(2, 1), atol=1e-5)
    assert np.abs(found.returns / size).max() < 0.1
    once = imagine(model, root, sequences, None, legal, generator, 0, "torch")
    assert set(np.round(once.returns / np.abs(once.sequences[:, :, 0, 0]), 4).ravel()) <= {3.0, -1.0}
    if not explore:  # always the same, in each row
        again = imagine(model, root, sequences, None, legal, None, 0, "torch", particles=4000)
        assert np.array_equal(found.returns, again.returns) and np.array_equal(found.returns[0], found.returns[1])

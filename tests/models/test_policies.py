"""Policies over both kinds of spaces, by their definitions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from muzero.actions import Box, Discrete
from muzero.models.heads import Categorical, SquashedGaussian, policy_of

SPACES = [Discrete(4), Box(1), Box(3)]


def made(space, batch=5, seed=0):
    return policy_of(space, torch.randn(batch, space.parameters, generator=torch.Generator().manual_seed(seed)))


def uniform(*shape, seed=0):
    return 1 - torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_policy_returns_what_the_contract_says(space):
    policy = made(space)
    noise = uniform(5, policy.noise)
    legal = np.ones((5, space.columns), bool)
    for action in (policy.sample(noise), policy.mode()):
        space.check(action.numpy().astype(space.dtype), legal, "policy")
        assert policy.log_prob(action).shape == (5,)
    assert policy.entropy(noise).shape == (5,) and policy.weights().shape == (5, space.columns)
    assert torch.equal(policy.masked(torch.from_numpy(legal)).parameters, policy.parameters)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_rows_without_weights_lose_nothing_and_move_nothing(space):
    parameters = torch.randn(2, space.parameters, requires_grad=True)
    candidates = torch.from_numpy(space.draw_any((2, 6), np.random.default_rng(0)))
    loss = policy_of(space, parameters).loss(torch.tensor([[0.0] * 6, [1 / 6] * 6]), candidates)
    loss.sum().backward()
    assert loss[0] == 0 and loss[1] != 0
    assert (parameters.grad[0] == 0).all() and (parameters.grad[1] != 0).any()


def test_without_candidates_a_gaussian_policy_has_no_loss():
    parameters = torch.randn(2, 4, requires_grad=True)
    loss = SquashedGaussian(parameters).loss(torch.zeros(2, 0))
    loss.sum().backward()
    assert (loss == 0).all() and (parameters.grad == 0).all()


def test_candidates_of_listed_actions_weigh_as_their_sum_over_the_list():
    policy, weights = made(Discrete(4), 2), torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    candidates = torch.tensor([[3, 0, 3], [1, 2, 0]])
    listed = torch.zeros(2, 4).scatter_add_(1, candidates, weights)
    assert torch.allclose(policy.loss(weights, candidates), policy.loss(listed))


@given(st.floats(-8, 8), st.floats(-6, 4))
@settings(max_examples=40, deadline=None)
def test_the_density_of_a_squashed_gaussian_sums_to_one(mean, deviation):
    """By quadrature between the atanh of the bounds: a substitution removes the poles at -1 and 1."""
    policy = SquashedGaussian(torch.tensor([[mean, deviation]], dtype=torch.float64))
    low, high = (policy.mean + sign * 9 * policy.deviation for sign in (-1, 1))
    before = torch.linspace(low.item(), high.item(), 20001, dtype=torch.float64)
    normal = torch.distributions.Normal(policy.mean[0], policy.deviation[0])
    inside = before.abs() < 3.8  # where actions are not clamped
    action = torch.tanh(before[inside])
    density = policy.log_prob(action[:, None]).exp() * (1 - action.square())
    total = torch.trapezoid(density, before[inside])
    assert total.item() == pytest.approx(
        (normal.cdf(before[inside][-1]) - normal.cdf(before[inside][0])).item(), abs=1e-4
    )


def test_the_density_over_actions_sums_to_one():
    policy = SquashedGaussian(torch.tensor([[0.3, -2.0]], dtype=torch.float64))  # hardly anything beyond 0.999
    action = torch.linspace(-0.999, 0.999, 400_001, dtype=torch.float64)
    assert torch.trapezoid(policy.log_prob(action[:, None]).exp(), action).item() == pytest.approx(1, abs=1e-4)


def test_the_minimum_of_the_loss_has_the_weighted_mean_and_variance():
    rng = np.random.default_rng(0)
    before, weights = (
        torch.from_numpy(rng.normal(0.4, 0.8, (1, 12, 2))),
        torch.from_numpy(rng.dirichlet(np.ones(12), 1)),
    )
    parameters = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=500, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = SquashedGaussian(parameters).loss(weights, torch.tanh(before)).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    found = SquashedGaussian(parameters.detach())
    mean = (weights[..., None] * before).sum(1)
    variance = (weights[..., None] * (before - mean[:, None]).square()).sum(1)
    assert torch.allclose(found.mean, mean, atol=1e-5)
    assert torch.allclose(found.deviation.square(), variance, atol=1e-5)


def test_samples_follow_the_policy():
    many = uniform(200_000, 1)
    categorical = Categorical(torch.tensor([[0.0, 1.0, -2.0, -torch.inf]]).expand(200_000, -1))
    share = torch.bincount(categorical.sample(many), minlength=4) / 200_000
    assert torch.allclose(share, categorical.weights()[0], atol=5e-3) and share[3] == 0
    gaussian = SquashedGaussian(torch.tensor([[0.5, -0.3]]).expand(200_000, -1))
    before = torch.atanh(gaussian.sample(uniform(200_000, 2)).double())
    assert before.mean().item() == pytest.approx(gaussian.mean[0].item(), abs=0.01)
    assert before.std().item() == pytest.approx(gaussian.deviation[0].item(), abs=0.01)


def test_what_has_no_probability_is_never_drawn_even_at_the_ends():
    policy = Categorical(torch.tensor([[-torch.inf, 0.0, 0.0, -torch.inf]]).expand(3, -1))
    assert policy.sample(torch.tensor([[1e-30], [0.5], [1.0]])).tolist() == [1, 1, 2]


def test_a_masked_policy_loses_nothing_at_actions_without_weight():
    policy = made(Discrete(4), 2).masked(torch.tensor([[True, False, True, False]] * 2))
    loss = policy.loss(torch.tensor([[0.5, 0.0, 0.5, 0.0]] * 2))
    assert torch.isfinite(loss).all() and torch.isfinite(policy.entropy(uniform(2, 1))).all()
    assert (policy.weights()[:, [1, 3]] == 0).all()


def test_the_entropy_of_a_squashed_gaussian_is_right_on_average():
    policy = SquashedGaussian(torch.tensor([[0.2, -1.5]], dtype=torch.float64))
    action = torch.linspace(-0.999, 0.999, 200_001, dtype=torch.float64)
    logs = policy.log_prob(action[:, None])
    exact = -torch.trapezoid(logs.exp() * logs, action)
    many = SquashedGaussian(policy.parameters.expand(100_000, -1)).entropy(uniform(100_000, 2).double())
    assert many.mean().item() == pytest.approx(exact.item(), abs=0.01)


def test_a_sample_moves_with_the_parameters():
    parameters = torch.tensor([[0.1, 0.2]], dtype=torch.float64, requires_grad=True)
    noise = torch.tensor([[0.3, 0.8]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda given: SquashedGaussian(given).sample(noise), (parameters,))

"""The ensemble of dynamics: what it draws, what it loses, where it doubts, and what it learns of a noisy system."""

import math

import pytest
import torch

from muzero.actions import Box, Discrete
from muzero.config import ConfigError
from muzero.interfaces import GameSpec, observe_first
from muzero.models.ensemble import EnsembleModel, Marks, NormalNumbers, disagreement
from muzero.models.ensemble_heads import Waves

SPEC = GameSpec("line", (2,), "float32", Box(1), (0.0, 0.9))


def made(spec=SPEC, **settings):
    torch.manual_seed(0)
    return EnsembleModel(spec, **{"width": 32, "layers": 2} | settings)


def certain(mean, log_variance):
    """A head of given distributions [M, numbers], whatever it is asked."""
    head = NormalNumbers(2, 4, mean.shape[1])
    head.log_variance = lambda hidden: log_variance.unsqueeze(1).expand(2, len(hidden[0]), -1)
    return head


def test_draws_have_the_means_and_deviations_of_the_members():
    rows = 200_000
    mean = torch.tensor([[0.0, 1.0, -1.0], [10.0, 11.0, 9.0]])
    log_variance = torch.tensor([[0.0, 1.0, -1.0], [-2.0, 0.5, 0.0]])
    noise = 1 - torch.rand(rows, 1 + 4, generator=torch.Generator().manual_seed(1))
    given = torch.zeros(2, rows, 4), mean.unsqueeze(1).expand(2, rows, 3)
    found = certain(mean, log_variance).drawn(*given, noise)
    second = found[:, 0] > 5
    assert second.float().mean().item() == pytest.approx(0.5, abs=0.005)
    for member, of in enumerate((found[~second], found[second])):
        torch.testing.assert_close(of.mean(0), mean[member], atol=0.02, rtol=0)
        torch.testing.assert_close(of.std(0), (log_variance[member] / 2).exp(), atol=0.02, rtol=0)
        assert torch.corrcoef(of.T).fill_diagonal_(0).abs().max() < 0.02


def test_noise_at_its_bounds_gives_finite_draws():
    noise = torch.tensor([[2.0**-24] * 3, [1.0] * 3])
    head = certain(torch.zeros(2, 2), torch.zeros(2, 2))
    assert head.drawn(torch.zeros(2, 2, 4), torch.zeros(2, 2, 2), noise).isfinite().all()
    assert set(Marks(2, 4, 2).drawn(torch.zeros(2, 2, 4), torch.full((2, 2, 2), 0.5), noise).ravel().tolist()) == {0, 1}


def test_marks_are_drawn_by_their_probabilities():
    chance = torch.tensor([[0.0, 0.3], [1.0, 0.9]]).unsqueeze(1).expand(2, 100_000, 2)
    noise = 1 - torch.rand(100_000, 3, generator=torch.Generator().manual_seed(1))
    found = Marks(2, 4, 2).drawn(torch.zeros(2, 100_000, 4), chance, noise)
    second = found[:, 0] > 0
    assert found[second, 1].mean().item() == pytest.approx(0.9, abs=0.01)
    assert found[~second, 1].mean().item() == pytest.approx(0.3, abs=0.01)


def test_what_is_lost_is_the_density_of_each_member_without_constants():
    model = made().eval()
    observation, action = torch.randn(3, 4, 2), torch.rand(3, 4, 1) * 2 - 1
    first = torch.zeros(3, 4, dtype=torch.bool)
    first[:, 0] = first[1, 2] = True
    lost = model.observe_sequence({}, action[:, 0], action, observation, first).surprise["observation"]
    assert not lost[:, 0].any() and lost[1, 2] == 0
    mean, log_variance = distributions(model, observation[:, 0], action[:, 0])
    density = torch.distributions.Normal(mean, (log_variance / 2).exp()).log_prob(observation[:, 1])
    bounds = 0.01 * (model.state_head.bounds[1] - model.state_head.bounds[0]).mean()
    wanted = -density.mean((0, 2)) - 0.5 * math.log(2 * math.pi) + bounds
    torch.testing.assert_close(lost[:, 1], wanted)


def distributions(model, state, action):
    """Means and logarithms of variances [M, B, numbers] of the next states."""
    hidden = model.trunk(torch.cat([state, action], -1))
    return model.expected(state, action, hidden), model.state_head.log_variance(hidden)


def test_only_what_surprises_teaches_the_dynamics():
    model = made().train()
    latent = observe_first(model, torch.randn(8, 2))
    following, transition = model.imagine(latent, torch.rand(8, 1))
    policy, value = model.predict(following)
    (transition.reward.mean.sum() + value.mean.sum() + policy.parameters.sum()).backward()
    assert all(layer.weight.grad is None for layer in (model.state_head.change, model.state_head.spread))
    assert model.reward_head.weight.grad.abs().sum() > 0 and model.value_head.weight.grad.abs().sum() > 0


def test_no_state_is_imagined_outside_of_what_was_seen():
    model = made().train()
    state = model.encode(torch.tensor([[-0.5, 0.0], [0.5, 1.0]]))
    with torch.no_grad():
        model.state_head.change.bias += 10
    following, _ = model.eval().imagine({"state": state}, torch.zeros(2, 1))
    torch.testing.assert_close(following["state"], state[1:].expand(2, 2))


def test_waves_are_a_gaussian_process():
    torch.manual_seed(0)
    waves, length = Waves(4000, 3, 0.7, 1), 0.7
    states = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.6, 0.8], [3.0, 0.0, 0.0]])
    found = waves(states, torch.zeros(4, 1)).squeeze(-1)
    wanted = torch.exp(-torch.cdist(states, states).square() / (2 * length**2))
    torch.testing.assert_close(found.T @ found / len(found), wanted, atol=0.08, rtol=0)
    other = waves(states[:1], torch.ones(1, 1)).squeeze(-1)
    assert (other * found[:, :1]).mean().item() == pytest.approx(math.exp(-2), abs=0.08)


def learned(model, steps=400):
    """A model that learned x' = 0.9 x + 0.2 a + noise of deviation 0.1 and 0.3, from x within -1 to 1."""
    generator = torch.Generator().manual_seed(2)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        state, action = torch.rand(128, 2, generator=generator) * 2 - 1, torch.rand(128, 1, generator=generator) * 2 - 1
        noise = torch.randn(128, 2, generator=generator) * torch.tensor([0.1, 0.3])
        pair = torch.stack([state, 0.9 * state + 0.2 * action + noise], 1)
        first = torch.tensor([[True, False]]).expand(128, 2)
        lost = model.train().observe_sequence({}, action, action.unsqueeze(1).expand(128, 2, 1), pair, first).surprise
        _, transition = model.imagine({"state": model.encode(state)}, action)
        loss = lost["observation"].sum(1).mean() + transition.reward.loss(state[:, 0]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module")
def taught():
    return learned(made(prior=1.0, length=1.0, reward_limit=5.0))


@torch.no_grad()
def test_it_learns_means_and_deviations_of_a_noisy_system(taught):
    state, action = torch.rand(500, 2) * 1.6 - 0.8, torch.rand(500, 1) * 2 - 1
    scale = (taught.standard.square - taught.standard.mean.square()).sqrt()
    mean, log_variance = distributions(taught, taught.standard.scaled(state), action)
    found = mean.mean(0) * scale + taught.standard.mean
    assert (found - 0.9 * state - 0.2 * action).abs().mean() < 0.03
    deviations = (log_variance / 2).exp().mean((0, 1)) * scale
    torch.testing.assert_close(deviations, torch.tensor([0.1, 0.3]), atol=0.0, rtol=0.15)


@torch.no_grad()
def test_it_doubts_what_it_did_not_see(taught):
    seen, elsewhere = torch.rand(200, 2) * 1.6 - 0.8, torch.rand(200, 2) + 4
    of_seen, of_others = (
        taught.imagine({"state": state}, torch.zeros(200, 1))[1].reward for state in (seen, elsewhere)
    )
    assert of_seen.epistemic.mean() < 0.3 and of_others.epistemic.mean() > 0.7
    scale = (taught.standard.square - taught.standard.mean.square()).sqrt()
    truth = seen[:, 0] * scale[0] + taught.standard.mean[0]
    assert (of_seen.mean - truth).abs().mean() < 0.15
    of_seen, of_others = (distributions(taught, state, torch.zeros(200, 1))[0] for state in (seen, elsewhere))
    assert disagreement(of_others).mean() > 2 * disagreement(of_seen).mean()


@torch.no_grad()
def test_novelty_is_doubt_about_rewards(taught):
    latent, action = {"state": torch.rand(20, 2) + 1}, torch.zeros(20, 1)
    mean, _ = distributions(taught, latent["state"], action)
    plain = taught.imagine(latent, action)[1].reward
    taught.novelty = 0.5
    found = taught.imagine(latent, action)[1].reward
    taught.novelty = 0.0
    wanted = plain.epistemic.square() + (0.5 * disagreement(mean) / taught.usual).square()
    torch.testing.assert_close(found.epistemic.square(), wanted)
    assert torch.equal(found.mean, plain.mean)


def test_large_observations_are_refused():
    with pytest.raises(ConfigError, match=r"screen shows 3 x 64 x 64; .* at most 4,096; take spatial"):
        EnsembleModel(GameSpec("screen", (3, 64, 64), "uint8", Discrete(3), (0.0, 0.9)))


def test_marks_are_zeros_and_ones():
    model = made(numbers="marks").train()
    assert model.encode(torch.tensor([[0.0, 1.0]])).tolist() == [[0, 1]]
    with pytest.raises(ConfigError, match=r"an observation holds 0.5; expected 0 and 1 alone; take numbers = .real."):
        model.encode(torch.tensor([[0.0, 0.5]]))


def test_what_marks_lose_is_their_cross_entropy():
    chance, seen = torch.tensor([[[0.2, 0.9]], [[0.6, 0.5]]]), torch.tensor([[1.0, 0.0]])
    lost = Marks(2, 4, 2).lost(torch.zeros(2, 1, 4), chance, seen)
    assert lost.item() == pytest.approx(-sum(math.log(c) for c in (0.2, 0.1, 0.6, 0.5)) / 4, rel=1e-5)

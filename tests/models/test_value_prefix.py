"""Rewards as differences of predicted sums: compared with loops, through searches, and learned."""

import numpy as np
import pytest
import torch
from inference_paths import CPU_PATHS

from muzero.actions import Discrete
from muzero.inference import simulating
from muzero.interfaces import GameSpec, Window, observe_first
from muzero.models.heads import TwoHot
from muzero.models.spatial import SpatialModel
from muzero.objectives.value_equivalence import ValueEquivalence

SPEC = GameSpec("frames", (2, 6, 5), "float32", Discrete(3), (0.0, 0.99))
BATCH, STEPS, HORIZON = 4, 7, 3


def made(horizon=HORIZON, noise=0.1):
    torch.manual_seed(0)
    model = SpatialModel(SPEC, channels=4, hidden=8, atoms=21, reward_limit=6.0, value_prefix=horizon)
    with torch.no_grad():  # at first the heads say nothing
        for parameter in model.parameters():
            parameter.add_(noise * torch.randn(parameter.shape))
    return model.eval()


def root_and_actions(model, steps=STEPS):
    generator = torch.Generator().manual_seed(1)
    root = observe_first(model, torch.rand(BATCH, *SPEC.observation, generator=generator))
    return root, torch.randint(3, (BATCH, steps), generator=generator)


@torch.no_grad()
def test_rewards_add_up_to_the_predicted_sum_which_begins_again():
    model = made()
    latent, actions = root_and_actions(model)
    assert not latent["prefix"].any()
    for k in range(STEPS):
        if k % HORIZON == 0:
            added = torch.zeros(BATCH)
        latent, (reward, _) = model.imagine(latent, actions[:, k])
        added = added + reward.mean
        torch.testing.assert_close(added, reward.prefix.mean)
        torch.testing.assert_close(added, latent["prefix"][:, -2])
        assert (latent["prefix"][:, -1] == k % HORIZON + 1).all() and reward.mean.abs().min() > 1e-4


@torch.no_grad()
def test_the_network_forgets_where_the_sum_begins_again():
    model = made()
    latent, actions = root_and_actions(model)
    for k in range(HORIZON):
        latent, _ = model.imagine(latent, actions[:, k])
    begun = {"state": latent["state"], "prefix": torch.zeros_like(latent["prefix"])}
    (after, (one, _)), (same, (other, _)) = (model.imagine(each, actions[:, HORIZON]) for each in (latent, begun))
    assert torch.equal(one.mean, other.mean) and torch.equal(after["prefix"], same["prefix"])


@torch.no_grad()
@pytest.mark.parametrize("ahead", [0, 1, 2, 3])
def test_a_sequence_is_taught_the_sums_of_received_rewards(ahead):
    model = made()
    latent, actions = root_and_actions(model)
    expected = torch.zeros(BATCH)  # before the sequence
    for k in range(ahead):
        latent, (reward, _) = model.imagine(latent, actions[:, k])
        expected = torch.where(torch.tensor(k % HORIZON == 0), reward.mean, expected + reward.mean)
    rewards = torch.randn(BATCH, STEPS, generator=torch.Generator().manual_seed(2))
    _, (head, _) = model.imagine_sequence(latent, actions)
    found = head.loss(rewards.t().flatten()).view(STEPS, BATCH)
    for k in range(STEPS):
        latent, (reward, _) = model.imagine(latent, actions[:, k])
        begins = (ahead + k) // HORIZON * HORIZON - ahead  # step of the sequence
        total = rewards[:, max(begins, 0) : k + 1].sum(1) + (expected if begins < 0 else 0)
        assert isinstance(reward.prefix, TwoHot)
        torch.testing.assert_close(found[k], reward.prefix.loss(total))
        torch.testing.assert_close(head.mean.view(STEPS, BATCH)[k], reward.mean)


def test_an_imagined_step_of_a_sum_that_begins_is_taught_its_reward():
    model = made()
    root, actions = root_and_actions(model)
    _, (reward, _) = model.imagine(root, actions[:, 0])
    target = torch.tensor([0.0, 1.0, -2.0, 0.3])
    torch.testing.assert_close(reward.loss(target), reward.prefix.loss(target))


@torch.inference_mode()
@pytest.mark.parametrize("path", CPU_PATHS)
def test_a_search_carries_the_sum_from_node_to_node(path):
    model = made()
    root, actions = root_and_actions(model)
    latent = root
    with simulating(model, root, STEPS, path) as simulation:
        for k in range(STEPS):
            at, into = np.full(BATCH, k, np.int32), np.full(BATCH, k + 1, np.int32)
            found = simulation.expand(at, actions[:, k].numpy(), into)
            wanted = model.expand(latent, actions[:, k])
            latent = wanted.latent
            tolerance = 0.1 if path == "torch_bf16" else 1e-4
            np.testing.assert_allclose(found[0], wanted.reward.numpy(), atol=tolerance)


def test_latents_are_compared_without_the_network_of_rewards():
    plain, summed = made(0), made()
    root, _ = root_and_actions(summed)
    assert summed.seen(root).keys() == {"state"}
    one, other = (ValueEquivalence(SPEC, model).projector[0].in_features for model in (plain, summed))
    assert one == other
    assert not [name for name in plain.state_dict() if name.startswith("prefix")]


def window(unroll, n):
    """Frames of random numbers, after which rewards of 0 and 1 come."""
    generator = torch.Generator().manual_seed(0)
    steps = unroll + n
    return Window(
        observation=torch.rand(BATCH, unroll + 1, *SPEC.observation, generator=generator),
        first=torch.zeros(BATCH, unroll + 1, dtype=torch.bool),
        before=torch.zeros(BATCH, dtype=torch.int64),
        action=torch.randint(3, (BATCH, steps), generator=generator),
        reward=torch.randint(2, (BATCH, steps), generator=generator).float(),
        discount=torch.full((BATCH, steps), 0.99),
        value=torch.zeros(BATCH, steps + 1),
        policy=torch.full((BATCH, unroll + 1, 3), 1 / 3),
        taught=torch.ones(BATCH, unroll + 1, dtype=torch.bool),
        planned=torch.ones(BATCH, steps, dtype=torch.bool),
        known=torch.ones(BATCH, steps + 1, dtype=torch.bool),
        over=torch.zeros(BATCH, steps + 1, dtype=torch.bool),
        weight=torch.ones(BATCH),
        number=torch.arange(BATCH),
        age=torch.zeros(BATCH, dtype=torch.int64),
    )


def test_rewards_are_learned_through_sums_and_every_parameter_learns():
    model = made(noise=0.01).train()
    objective, batch = ValueEquivalence(SPEC, model, unroll=5, n_step=1, consistency_weight=0.1), window(5, 1)
    optimizer = torch.optim.Adam([*model.parameters(), *objective.parameters()], 1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        loss = objective(model, model, batch, torch.Generator())
        torch.stack([term.mean() for term in loss.terms.values()]).sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
        optimizer.step()
    with torch.no_grad():
        _, (reward, _) = model.imagine_sequence(observe_first(model, batch.observation[:, 0]), batch.action[:, :5])
    torch.testing.assert_close(reward.mean.view(5, BATCH).t(), batch.reward[:, :5], atol=0.1, rtol=0)

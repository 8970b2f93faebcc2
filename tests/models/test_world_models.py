"""What every world model must do with sequences and edges, over both kinds of spaces."""

import numpy as np
import pytest
import torch
from uncertain import UncertainModel

from muzero import build
from muzero.actions import Box, Discrete
from muzero.config import Layer, merge
from muzero.inference import simulating
from muzero.interfaces import GameSpec

BATCH, STEPS = 3, 4
REGISTERED = list(build.SCHEMA["model"])
ENSEMBLES = ["vector of five", "spatial of five"]
CASES = [(kind, space) for kind in (*REGISTERED, *ENSEMBLES, "uncertain") for space in (Discrete(3), Box(2))]
every_model = pytest.mark.parametrize(("kind", "space"), CASES, ids=[f"{kind}-{space.mark}" for kind, space in CASES])


def made(kind, space, observation=(3, 5, 4)):
    torch.manual_seed(0)
    if kind == "uncertain":
        return UncertainModel(GameSpec("g", (60,), "float32", space, (0.0, 0.9))).eval()
    spec = GameSpec("g", observation, "float32", space, (-0.9, 0.0, 0.9))
    settings = {"kind": kind.removesuffix(" of five")} | ({"members": 5} if kind in ENSEMBLES else {})
    return trained(build.model(merge([Layer("test", {"model": settings})], build.SCHEMA), spec)).eval()


@torch.no_grad()
def trained(model):
    """The model with other weights: at first the heads say nothing."""
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape))
    return model


def sequence(kind, model, seed=0):
    """A memory, and what `observe_sequence` takes besides: one row begins a new game in the middle."""
    rng = np.random.default_rng(seed)
    shape = (60,) if kind == "uncertain" else (3, 5, 4)
    actions = torch.from_numpy(model.space.draw_any((BATCH, STEPS + 1), rng))
    observation = torch.from_numpy(rng.random((BATCH, STEPS, *shape), np.float32))
    first = torch.zeros(BATCH, STEPS, dtype=torch.bool)
    first[0, 0] = first[1, 2] = True
    noise = 1 - torch.from_numpy(rng.random((BATCH, STEPS, model.noise), np.float32)) if model.noise else None
    memory = model.memory(BATCH)
    if memory:
        memory = {name: torch.rand_like(tensor) for name, tensor in memory.items()}
    return memory, actions[:, 0], actions[:, 1:], observation, first, noise


def step(kind, model):
    """A latent, an action and noise, as of a step."""
    *given, action, observation, first, noise = sequence(kind, model)
    latent = model.observe_sequence(*given, action, observation, first, noise).latent
    return {name: tensor[:, 0] for name, tensor in latent.items()}, action[:, 0], None if noise is None else noise[:, 0]


@every_model
@torch.no_grad()
def test_a_sequence_is_observed_as_one_step_after_the_other(kind, space):
    model = made(kind, space)
    memory, before, action, observation, first, noise = given = sequence(kind, model)
    found = model.observe_sequence(*given)
    encoded = model.encode(observation.flatten(0, 1)).unflatten(0, (BATCH, STEPS))
    observed = memory
    for t in range(STEPS):
        led, drawn = before if t == 0 else action[:, t - 1], None if noise is None else noise[:, t]
        observed = model.observe(observed, led, observation[:, t], first[:, t], drawn)
        memory = model.update(memory, led, encoded[:, t], first[:, t], drawn)
        for name, tensor in memory.items():
            assert torch.equal(found.latent[name][:, t], tensor), name
            torch.testing.assert_close(tensor, observed[name], atol=1e-5, rtol=1e-5)  # encoded in another batch
    assert found.latent.keys() == memory.keys()
    assert all(loss.shape == (BATCH, STEPS) for loss in found.surprise.values())


@every_model
@torch.no_grad()
def test_what_lies_before_a_new_game_is_forgotten(kind, space):
    model = made(kind, space)
    memory, before, action, observation, first, noise = sequence(kind, model)
    found = model.observe_sequence(memory, before, action, observation, first, noise).latent
    action[1, :2], observation[1, :2] = torch.flip(action[1, :2], [0]), 0.0
    other = model.observe_sequence(memory, before, action, observation, first, noise).latent
    for name, tensor in found.items():
        assert torch.equal(tensor[1, 2:], other[name][1, 2:]), name
    assert any(not torch.equal(tensor[1, :2], other[name][1, :2]) for name, tensor in found.items())


@pytest.mark.parametrize("changed", ["memory", "before", "action", "observation"])
@torch.no_grad()
def test_a_model_with_memory_keeps_what_it_saw(changed):
    model = made("uncertain", Discrete(3))
    memory, before, action, observation, first, _ = sequence("uncertain", model)
    given = {"memory": memory, "before": before, "action": action, "observation": observation, "first": first}
    found = model.observe_sequence(**given).latent["state"]
    now = {
        "memory": {name: tensor + 1 for name, tensor in memory.items()},
        "before": (before + 1) % 3,
        "action": torch.cat([(action[:, :1] + 1) % 3, action[:, 1:]], 1),
        "observation": torch.cat([1 - observation[:, :1], observation[:, 1:]], 1),
    }
    other = model.observe_sequence(**given | {changed: now[changed]}).latent["state"]
    assert not torch.equal(found[2, -1], other[2, -1])  # a row without a new game


@every_model
@torch.no_grad()
def test_an_expansion_is_to_imagine_and_to_predict(kind, space):
    model = made(kind, space)
    latent, action, noise = step(kind, model)
    following, transition = model.imagine(latent, action, noise)
    policy, value = model.predict(following)
    for kappa in (0.0, torch.zeros(1), torch.tensor([0.5])):
        found = model.expand(latent, action, noise, kappa)
        assert found.latent.keys() == following.keys()
        assert all(torch.equal(found.latent[name], tensor) for name, tensor in following.items())
        assert torch.equal(found.discount, transition.discount.mean)
        assert torch.equal(found.parameters, policy.parameters)
        for number, head in ((found.reward, transition.reward), (found.value, value)):
            spread = torch.zeros(BATCH) if head.epistemic is None else head.epistemic
            assert torch.equal(number, head.mean + kappa * spread)


@every_model
@torch.no_grad()
def test_heads_read_features_and_actor_and_critic_are_theirs_alone(kind, space):
    model = made(kind, space)
    latent, _, _ = step(kind, model)
    assert model.read(latent).shape == (BATCH, model.features)
    before = model.predict(latent)
    for layers, changes in ((model.actor, (True, False)), (model.critic, (False, True))):
        own = list(layers.parameters())
        assert {id(parameter) for parameter in own} < {id(parameter) for parameter in model.parameters()}
        for parameter in own:
            parameter.add_(0.1 * torch.randn(parameter.shape))
        after = model.predict(latent)
        assert torch.equal(before.policy.parameters, after.policy.parameters) != changes[0]
        assert torch.equal(before.value.mean, after.value.mean) != changes[1]
        before = after


@every_model
@torch.inference_mode()
def test_a_row_does_not_depend_on_its_batch(kind, space):
    model = made(kind, space)
    latent, action, noise = step(kind, model)
    together = model.expand(latent, action, noise, 1.0)
    for row in range(BATCH):
        rows = slice(row, row + 1)
        alone = {name: tensor[rows] for name, tensor in latent.items()}
        found = model.expand(alone, action[rows], None if noise is None else noise[rows], 1.0)
        for number, other in zip(found[1:], together[1:], strict=True):
            torch.testing.assert_close(number, other[rows], atol=1e-4, rtol=1e-4)


@every_model
@torch.inference_mode()
def test_every_model_is_exported(kind, space):
    model = made(kind, space)
    latent, action, noise = step(kind, model)
    nothing = np.zeros(BATCH, np.int32)
    for kappa in (0.0, 0.7):
        each = None if noise is None else noise[None].numpy()
        with simulating(model, latent, 1, "onnx", kappa=kappa, noise=each) as simulation:
            found = simulation.expand(nothing, action.numpy(), nothing + 1)
            root = simulation.parameters, simulation.value
        for number, other in zip(found, model.expand(latent, action, noise, kappa)[1:], strict=True):
            np.testing.assert_allclose(number, other.numpy(), atol=1e-4, rtol=1e-4)
        np.testing.assert_allclose(root[0], model.predict(latent).policy.parameters.numpy(), atol=1e-4, rtol=1e-4)

"""What every registered model, planner and objective must do (games: test_games_conformance.py)."""

import functools

import numpy as np
import pytest
import torch

from muzero import build
from muzero.actions import Box, Discrete
from muzero.config import Layer, merge
from muzero.data.replay import Replay
from muzero.data.schema import Segment, SegmentId
from muzero.data.segment_format import Layout
from muzero.interfaces import Games, GameSpec, Timestep, WindowSize, WorldModel
from muzero.play.selfplay import SelfPlay

SPECS = [
    GameSpec("flat", (5,), "float32", Discrete(3), (0.0, 0.99)),
    GameSpec("turns", (3, 4, 4), "float32", Discrete(17), (-1.0, 0.0), (-1.0, 1.0), 16),
    GameSpec("either", (2, 3, 5), "float32", Discrete(5), (-0.9, 0.0, 0.9), (-1.0, 1.0), 30),
    GameSpec("frames", (4, 33, 28), "uint8", Discrete(6), (0.0, 0.99)),
    GameSpec("joint", (5,), "float32", Box(2), (0.0, 0.99)),
    GameSpec("pixels", (3, 16, 16), "uint8", Box(1), (0.0, 0.99)),
]
MODELS = [
    pytest.param(kind, spec, id=f"{kind}-{spec.name}")
    for kind in build.SCHEMA["model"]
    for spec in SPECS
    if kind == "vector" or len(spec.observation) == (3 if kind == "spatial" else 1)
]

FEW = {kind: {"population": 16, "elites": 4, "iterations": 2, "horizon": 3} for kind in ("cem", "icem", "mppi")}
FEW["sampled"] = {"samples": 6, "simulations": 8}
"""Settings with which planners are quick."""
SMALL = {"spatial": {"channels": 16, "hidden": 16}}
"""Settings with which models are."""


@functools.cache
def parts(model="vector", spec=SPECS[0], planner="gumbel", objective="value_equivalence"):
    tables = {"model": {"kind": model, **SMALL.get(model, {})}, "planner": {"kind": planner, **FEW.get(planner, {})}}
    tables |= {"objective": {"kind": objective}}
    config = merge([Layer("test", tables)], build.SCHEMA)
    made = build.model(config, spec, seed=1)
    return made, build.planner(config), build.objective(config, spec, made)


def observations(spec, batch, seed=0):
    rng = np.random.default_rng(seed)
    found = rng.integers(0, 255, (batch, *spec.observation)) / (1 if spec.dtype == "uint8" else 255)
    return torch.from_numpy(found.astype(spec.dtype))


def actions(spec, batch, seed=0):
    return torch.from_numpy(spec.actions.draw_any((batch,), np.random.default_rng(seed)))


def observe(model, observation):
    batch = len(observation)
    action = torch.from_numpy(model.space.none(batch))
    return model.observe(model.memory(batch), action, observation, torch.ones(batch, dtype=torch.bool))


@pytest.mark.parametrize(("kind", "spec"), MODELS)
def test_a_model_returns_what_the_contract_says(kind, spec):
    model, _, _ = parts(kind, spec)
    model.eval()
    latent = observe(model, observations(spec, 4))
    following, transition = model.imagine(latent, actions(spec, 4))
    assert {n: t.shape for n, t in following.items()} == {n: t.shape for n, t in latent.items()}
    prediction = model.predict(following)
    assert prediction.policy.parameters.shape == (4, spec.actions.parameters)
    for head in (transition.reward, transition.discount, prediction.value):
        assert head.mean.shape == (4,) and head.mean.dtype == torch.float32
        assert head.loss(torch.zeros(4)).shape == (4,)
    assert (transition.discount.mean >= spec.discounts[0]).all()
    assert (transition.discount.mean <= spec.discounts[-1]).all()
    if spec.returns:
        assert (prediction.value.mean.abs() <= 1 + 1e-5).all()


@pytest.mark.parametrize(("kind", "spec"), MODELS)
def test_a_sequence_of_steps_is_one_step_after_the_other(kind, spec):
    model, _, _ = parts(kind, spec)
    model.train()  # batch norms take each step alone
    first, chosen = observe(model, observations(spec, 4)), torch.stack([actions(spec, 4, seed) for seed in (0, 1)], 1)
    halved = lambda latent: {name: tensor / 2 for name, tensor in latent.items()}  # noqa: E731
    wanted, happened = WorldModel.imagine_sequence(model, first, chosen, halved)
    latents, transition = model.imagine_sequence(first, chosen, halved)
    for left, right in zip(latents, wanted, strict=True):
        torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-4)
    target = torch.linspace(-1, 1, 8)
    for left, right in zip(transition, happened, strict=True):
        assert left.mean.shape == (8,)
        torch.testing.assert_close(left.mean, right.mean, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(left.loss(target), right.loss(target), atol=1e-4, rtol=1e-4)
    state = halved(first)
    for k in range(2):
        state, step = model.imagine(state, chosen[:, k])
        torch.testing.assert_close(step.reward.mean, transition.reward.mean[4 * k : 4 * k + 4], atol=1e-4, rtol=1e-4)
        state = halved(state)


@pytest.mark.parametrize(("kind", "spec"), MODELS)
def test_a_model_sees_each_row_of_a_batch_alone(kind, spec):
    model, _, _ = parts(kind, spec)
    model.eval()
    seen = observations(spec, 5)
    together = observe(model, seen)
    alone = [observe(model, seen[row : row + 1]) for row in range(5)]
    for name, tensor in together.items():
        torch.testing.assert_close(tensor, torch.cat([latent[name] for latent in alone]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("kind", "spec"), MODELS)
def test_actions_lead_to_different_states(kind, spec):
    model, _, _ = parts(kind, spec)
    model.eval()
    latent = observe(model, observations(spec, 1).repeat(2, *[1] * len(spec.observation)))
    different = torch.stack([actions(spec, 1, seed)[0] for seed in (0, 1, 2, 3)])
    following, _ = model.imagine(
        latent, torch.stack([different[0], different[different.ne(different[0]).view(4, -1).any(1)][0]])
    )
    assert any((tensor[0] - tensor[1]).abs().max() > 1e-3 for tensor in following.values())


@pytest.mark.parametrize(("kind", "spec"), MODELS)
def test_the_same_seed_makes_the_same_model(kind, spec):
    for left, right in zip(*(parts.__wrapped__(kind, spec)[0].parameters() for _ in range(2)), strict=True):
        assert torch.equal(left, right)


ALL = [(kind, planner, spec) for kind, spec in (found.values for found in MODELS) for planner in build.PLANNERS]
REFUSED = {each: parts(*each[::2], each[1])[1].refuses(parts(*each[::2])[0], each[2]) for each in ALL}
PAIRS = [pytest.param(*each, id=f"{each[0]}-{each[1]}-{each[2].name}") for each in ALL if not REFUSED[each]]


def test_a_pair_that_does_not_fit_is_refused_in_words():
    refused = {each: reason for each, reason in REFUSED.items() if reason}
    listed = {(planner, name) for planner in ("gumbel", "puct") for name in ("joint", "pixels")}
    alone = {(planner, name) for planner in ("cem", "icem", "mppi") for name in ("turns", "either")}
    assert {(planner, spec.name) for _, planner, spec in refused} == listed | alone
    for (_, planner, spec), reason in refused.items():
        if (planner, spec.name) in alone:
            assert reason == f"it plans for one player, and {spec.name} has two; take gumbel"
        else:
            assert reason == f"it searches actions that can be listed, and {spec.name} has {spec.actions.describe()}"


def rooted(kind, planner, spec, batch):
    """A model and a planner that fit together, and all but the last two arguments of a plan."""
    model, made, _ = parts(kind, spec, planner)
    with torch.inference_mode():
        root = observe(model.eval(), observations(spec, batch))
    legal = np.random.default_rng(0).random((batch, spec.actions.columns)) < 0.5
    legal[:, 1:2] = True
    return model, made, (model, root, legal, made.start(batch, spec.actions), np.ones(batch, bool))


@pytest.mark.parametrize(("kind", "planner", "spec"), PAIRS)
@pytest.mark.parametrize("explore", [False, True])
def test_a_planner_returns_what_the_contract_says(kind, planner, spec, explore):
    _, made, given = rooted(kind, planner, spec, 6)
    decision, carry = made.plan(*given, np.random.default_rng(0), explore)
    space, legal, count = spec.actions, given[2], made.candidates(spec.actions) or spec.actions.columns
    assert decision.action.shape == (6, *space.shape) and decision.action.dtype == space.dtype
    space.check(decision.action, legal, "a plan")
    assert decision.weights.shape == (6, count) and decision.weights.dtype == np.float32
    assert np.isclose(decision.weights.sum(1), 1, atol=1e-5).all() or not decision.weights.any()
    if decision.candidates is None:
        assert (decision.weights[~legal] == 0).all()
    else:
        assert decision.candidates.shape == (6, count, *space.shape) and decision.candidates.dtype == space.dtype
    assert decision.value.shape == (6,) and decision.value.dtype == np.float32 and np.isfinite(decision.value).all()
    assert {name: array.shape for name, array in carry.items()} == {
        name: array.shape for name, array in made.start(6, space).items()
    }


@pytest.mark.parametrize(("kind", "planner", "spec"), PAIRS)
def test_without_exploring_a_planner_draws_no_random_numbers(kind, planner, spec):
    _, made, given = rooted(kind, planner, spec, 3)
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    first, again = (made.plan(*given, rng, False)[0] for _ in range(2))
    assert rng.bit_generator.state == before
    for name in ("action", "weights", "value"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


@pytest.mark.parametrize(("kind", "planner", "spec"), PAIRS)
def test_a_planner_sees_each_row_of_a_batch_alone(kind, planner, spec):
    _, made, (model, root, legal, _, first) = rooted(kind, planner, spec, 4)
    rng = np.random.default_rng(0)
    together, _ = made.plan(model, root, legal, made.start(4, spec.actions), first, rng, False)
    for row in range(4):
        alone = {name: tensor[row : row + 1] for name, tensor in root.items()}
        rows = legal[row : row + 1], made.start(1, spec.actions), first[:1]
        decision, _ = made.plan(model, alone, *rows, rng, False)
        np.testing.assert_allclose(decision.value[0], together.value[row], atol=1e-3)
        np.testing.assert_allclose(decision.weights[0], together.weights[row], atol=1e-3)


@pytest.mark.parametrize(("kind", "planner", "spec"), PAIRS)
def test_what_a_pair_plays_is_stored_and_sampled(kind, planner, spec):
    model, made, _ = rooted(kind, planner, spec, 2)
    count = made.candidates(spec.actions)
    playing = SelfPlay(Countdown(spec), model, made, 0, segment_steps=4)
    replay = Replay(spec, 0, count, capacity=200)
    layout = Layout(spec, count)
    for segment in playing.play(20).segments:
        packed = layout.unpack(layout.pack(segment))
        for name, array in segment.columns.items():
            np.testing.assert_array_equal(packed.columns[name], array)
        replay.add(packed)
    assert playing.rejected == 0 and replay.steps > 20
    _, window = replay.sample(8, WindowSize(3, 2, 1))
    assert window.action.shape == (8, 4, *spec.actions.shape) and window.policy.shape[:2] == (8, 3)


class Countdown(Games):
    """Two games of six steps that show how many are left."""

    batch = 2

    def __init__(self, spec):
        self.spec = spec

    def reset(self, seeds):
        self.left = np.array([6, 4])
        return self._show(np.ones(2, bool))

    def step(self, actions):
        self.spec.actions.check(actions, np.ones((2, self.spec.actions.columns), bool), "countdown")
        first = self.left == 0
        self.left = np.where(first, 6, self.left - 1)
        return self._show(first)

    def _show(self, first):
        seen = np.ones((2, *self.spec.observation)) * self.left.reshape(2, *[1] * len(self.spec.observation))
        discount = np.where(self.left == 0, 0, np.where(first, 1, self.spec.discounts[-1] or self.spec.discounts[0]))
        legal = np.ones((2, self.spec.actions.columns), bool)
        numbers = np.zeros(2, np.float32), discount.astype(np.float32)
        return Timestep(seen.astype(self.spec.dtype), legal, *numbers, first, np.zeros(2, bool))

    def state(self):
        return {"left": self.left.copy()}

    def restore(self, state):
        self.left = state["left"].copy()
        return self._show(self.left == 6)


@pytest.mark.parametrize("kind", build.SCHEMA["objective"])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_an_objective_returns_finite_terms_for_each_row(kind, spec):
    model, _, objective = parts(spec=spec, objective=kind)
    replay = Replay(spec, 0, capacity=100)
    for game, (length, cut) in enumerate([(7, False), (9, True), (1, False)]):
        replay.add(segment(spec, game, length, cut))
    _, window = replay.sample(16, objective.window)
    loss = objective(model, model, window, torch.Generator())
    assert loss.priority.shape == (16,) and not loss.priority.requires_grad
    for name, term in loss.terms.items():
        assert term.shape == (16,) and torch.isfinite(term).all() and term.requires_grad, name
    for name, metric in loss.metrics.items():
        assert metric.shape in ((), (16,)) and not metric.requires_grad and name not in loss.terms, name


def segment(spec, game, length, cut):
    """Random rows of one game."""
    rng = np.random.default_rng(game)
    discount = np.full(length, spec.discounts[-1] or spec.discounts[0], np.float32)
    discount[-1] = 0
    return Segment(
        id=SegmentId(0, 0, game, 0),
        version=0,
        columns={
            "observation": observations(spec, length, game).numpy(),
            "legal": np.ones((length, spec.actions.columns), bool),
            "action": spec.actions.draw_any((length,), rng),
            "reward": np.zeros(length, np.float32),
            "discount": discount,
            "policy": np.full((length, spec.actions.columns), 1 / max(spec.actions.columns, 1), np.float32),
            "value": np.zeros(length, np.float32),
            "planned": np.ones(length, bool),
            "taught": np.full(length, spec.actions.columns > 0),
        },
        tail=cut,
    )

"""What every registered model, planner and objective must do (games: test_games_conformance.py)."""

import numpy as np
import pytest
import torch

from muzero import build
from muzero.actions import Discrete
from muzero.config import Layer, merge
from muzero.data.replay import Replay
from muzero.data.schema import Segment, SegmentId
from muzero.interfaces import GameSpec

SPECS = [
    GameSpec("flat", (5,), "float32", Discrete(3), (0.0, 0.99)),
    GameSpec("turns", (3, 4, 4), "float32", Discrete(17), (-1.0, 0.0), (-1.0, 1.0), 16),
    GameSpec("either", (2, 3, 5), "float32", Discrete(5), (-0.9, 0.0, 0.9), (-1.0, 1.0), 30),
    GameSpec("frames", (4, 33, 28), "uint8", Discrete(6), (0.0, 0.99)),
]
MODELS = [
    pytest.param(kind, spec, id=f"{kind}-{spec.name}")
    for kind in build.SCHEMA["model"]
    for spec in SPECS
    if kind == "vector" or len(spec.observation) == 3
]


def parts(model="vector", spec=SPECS[0], planner="gumbel", objective="value_equivalence"):
    tables = {"model": {"kind": model}, "planner": {"kind": planner}, "objective": {"kind": objective}}
    config = merge([Layer("test", tables)], build.SCHEMA)
    made = build.model(config, spec, seed=1)
    return made, build.planner(config), build.objective(config, spec, made)


def observations(spec, batch, seed=0):
    rng = np.random.default_rng(seed)
    found = rng.integers(0, 255, (batch, *spec.observation)) / (1 if spec.dtype == "uint8" else 255)
    return torch.from_numpy(found.astype(spec.dtype))


def observe(model, observation):
    batch = len(observation)
    action = torch.zeros(batch, dtype=torch.int64)
    return model.observe(model.memory(batch), action, observation, torch.ones(batch, dtype=torch.bool))


@pytest.mark.parametrize(("kind", "spec"), MODELS)
def test_a_model_returns_what_the_contract_says(kind, spec):
    model, _, _ = parts(kind, spec)
    model.eval()
    latent = observe(model, observations(spec, 4))
    following, transition = model.imagine(latent, torch.arange(4) % spec.actions.columns)
    assert {n: t.shape for n, t in following.items()} == {n: t.shape for n, t in latent.items()}
    prediction = model.predict(following)
    assert prediction.policy.parameters.shape == (4, spec.actions.columns)
    for head in (transition.reward, transition.discount, prediction.value):
        assert head.mean.shape == (4,) and head.mean.dtype == torch.float32
        assert head.loss(torch.zeros(4)).shape == (4,)
    assert (transition.discount.mean >= spec.discounts[0]).all()
    assert (transition.discount.mean <= spec.discounts[-1]).all()
    if spec.returns:
        assert (prediction.value.mean.abs() <= 1 + 1e-5).all()


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
    following, _ = model.imagine(latent, torch.tensor([0, 1]))
    assert any((tensor[0] - tensor[1]).abs().max() > 1e-3 for tensor in following.values())


@pytest.mark.parametrize(("kind", "spec"), MODELS)
def test_the_same_seed_makes_the_same_model(kind, spec):
    for left, right in zip(parts(kind, spec)[0].parameters(), parts(kind, spec)[0].parameters(), strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize("planner", build.SCHEMA["planner"])
@pytest.mark.parametrize("explore", [False, True])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_planner_returns_what_the_contract_says(planner, explore, spec):
    model, made, _ = parts(spec=spec, planner=planner)
    model.eval()
    with torch.inference_mode():
        root = observe(model, observations(spec, 6))
    rng = np.random.default_rng(0)
    legal = rng.random((6, spec.actions.columns)) < 0.5
    legal[:, 1] = True
    decision, _ = made.plan(model, root, legal, made.start(6, spec.actions), np.ones(6, bool), rng, explore)
    assert decision.action.shape == (6,) and decision.action.dtype == np.int64
    assert legal[np.arange(6), decision.action].all()
    assert decision.weights.shape == (6, spec.actions.columns) and decision.weights.dtype == np.float32
    assert decision.weights.sum(1) == pytest.approx(np.ones(6), abs=1e-5)
    assert (decision.weights[~legal] == 0).all()
    assert decision.value.shape == (6,) and decision.value.dtype == np.float32 and np.isfinite(decision.value).all()


@pytest.mark.parametrize("planner", build.SCHEMA["planner"])
def test_without_exploring_a_planner_draws_no_random_numbers(planner):
    model, made, _ = parts(planner=planner)
    model.eval()
    with torch.inference_mode():
        root = observe(model, observations(SPECS[0], 3))
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    everything = model, root, np.ones((3, 3), bool), made.start(3, SPECS[0].actions), np.ones(3, bool), rng, False
    first, _ = made.plan(*everything)
    again, _ = made.plan(*everything)
    assert rng.bit_generator.state == before
    np.testing.assert_array_equal(first.weights, again.weights)
    np.testing.assert_array_equal(first.value, again.value)


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
            "policy": np.full((length, spec.actions.columns), 1 / spec.actions.columns, np.float32),
            "value": np.zeros(length, np.float32),
            "planned": np.ones(length, bool),
        },
        tail=cut,
    )

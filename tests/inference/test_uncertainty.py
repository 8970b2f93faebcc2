"""Real-valued actions, noise and kappa reach a model by every path."""

import dataclasses

import numpy as np
import pytest
import torch
from inference_paths import CPU_PATHS as PATHS
from uncertain import UncertainModel

from muzero.actions import Box, Discrete
from muzero.inference import onnx_graph, simulating
from muzero.interfaces import GameSpec, observe_first
from muzero.models.vector import VectorModel
from muzero.planners.mpc import MppiPlanner
from muzero.planners.sampled import SampledPlanner
from muzero.planners.tree import GumbelPlanner, PuctPlanner
from muzero.search import rows_of_parts

SPACES = [Discrete(4), Box(2)]
BATCH, SIMULATIONS = 5, 6
HUGE = 40.0


def made(space, **settings):
    torch.manual_seed(0)
    model = UncertainModel(GameSpec("u", (5,), "float32", space, (0.0, 1.0)), **settings).eval()
    return model, rooted(model, torch.randn(BATCH, 5))


def rooted(model, observation):
    with torch.inference_mode():
        return observe_first(model, observation)


def some_edges(space):
    rng = np.random.default_rng(0)
    return [
        (rng.integers(0, node, BATCH).astype(np.int32), space.draw_any((BATCH,), rng), np.full(BATCH, node, np.int32))
        for node in range(1, SIMULATIONS + 1)
    ]


def some_noise(model):
    return 1 - np.random.default_rng(1).random((SIMULATIONS, BATCH, model.noise), np.float32)


def computed(model, root, path, kappa=0.0, noise=None, parts=None):
    """Value and parameters of the roots, and the numbers of each edge."""
    with simulating(model, root, SIMULATIONS, path, parts, kappa, noise) as simulation:
        found = [(simulation.value.copy(), simulation.parameters.copy())]
        for edge in some_edges(model.space):
            if parts is None:
                found.append(tuple(array.copy() for array in simulation.expand(*edge)))
            else:
                shares = [[array[rows] for array in edge] for rows in rows_of_parts(BATCH, parts)]
                waiting = [launch(*share) for launch, share in zip(simulation.expand, shares, strict=True)]
                found.append(tuple(map(np.concatenate, zip(*(wait() for wait in waiting), strict=True))))
    return found


@torch.inference_mode()
def expected(model, root, kappa=0.0, noise=None):
    """The same by `imagine` and `predict`, row by row."""
    bound = lambda head: head.mean if head.epistemic is None else head.mean + kappa * head.epistemic  # noqa: E731
    policy, value = model.predict(root)
    found, states = [(bound(value), policy.parameters)], {0: root}
    for simulation, (parent, action, node) in enumerate(some_edges(model.space)):
        latent = {name: torch.stack([states[p][name][row] for row, p in enumerate(parent)]) for name in root}
        drawn = torch.from_numpy(noise[simulation]) if model.noise and noise is not None else None
        states[int(node[0])], step = model.imagine(latent, torch.from_numpy(action), drawn)
        policy, value = model.predict(states[int(node[0])])
        found.append((bound(step.reward), step.discount.mean, bound(value), policy.parameters))
    return [tuple(tensor.numpy() for tensor in numbers) for numbers in found]


def assert_close(found, wanted, atol=1e-4):
    for mine, theirs in zip(found, wanted, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=atol, rtol=1e-4)


def differ(found, other):
    pairs = [pair for mine, theirs in zip(found, other, strict=True) for pair in zip(mine, theirs, strict=True)]
    return any(not np.allclose(*pair, atol=1e-3) for pair in pairs)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("settings", [{"noise": 0, "members": 1}, {"noise": 0}, {"members": 1}, {}], ids=str)
def test_every_path_computes_what_the_model_says(settings, space, path):
    model, root = made(space, **settings)
    for kappa in (0.0, 1.5, -0.5):
        for noise in (None, some_noise(model)):
            assert_close(computed(model, root, path, kappa, noise), expected(model, root, kappa, noise))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("space", SPACES, ids=str)
def test_parts_get_their_rows_of_the_noise(space, path):
    model, root = made(space)
    noise = some_noise(model)
    assert_close(computed(model, root, path, 1.0, noise, parts=2), expected(model, root, 1.0, noise))


@pytest.mark.parametrize("path", PATHS)
def test_noise_changes_what_is_drawn_and_none_is_the_most_probable(path):
    model, root = made(SPACES[0])
    noise = some_noise(model)
    drawn, again = (computed(model, root, path, noise=noise) for _ in range(2))
    likely = computed(model, root, path)
    assert differ(drawn, likely) and not differ(drawn, again)
    assert not differ(computed(model, root, path), likely)


@pytest.mark.parametrize("path", PATHS)
def test_kappa_moves_rewards_and_values_alone_and_in_proportion(path):
    model, root = made(SPACES[0])
    at = {kappa: computed(model, root, path, kappa) for kappa in (0.0, 1.0, 2.0, -1.0)}
    for zero, one, two, minus in zip(*at.values(), strict=True):
        for number, moved in enumerate((True, False, True, False) if len(zero) == 4 else (True, False)):
            spread = one[number] - zero[number]
            assert (spread > 1e-3).all() if moved else (spread == 0).all()
            np.testing.assert_allclose(two[number] - zero[number], 2 * spread, atol=1e-5)
            np.testing.assert_allclose(minus[number] - zero[number], -spread, atol=1e-5)


@pytest.mark.parametrize("path", PATHS)
def test_kappa_does_nothing_to_a_model_of_one_member(path):
    model, root = made(SPACES[0], members=1)
    assert not differ(computed(model, root, path, HUGE), computed(model, root, path))


PLANNERS = [
    kind(optimism=optimism, pessimism=pessimism, **settings)
    for kind, settings in (
        (PuctPlanner, {}),
        (GumbelPlanner, {}),
        (SampledPlanner, {"samples": 4}),
        (MppiPlanner, {"horizon": 3}),
    )
    for optimism, pessimism in ((3.0, 0.0), (0.0, 3.0), (3.0, 1.0))
]


def planned(planner, explore, members=3):
    """A decision, and the kappas of all evaluations that led to it."""
    model, root = made(SPACES[0], members=members)
    used, expand = [], model.expand
    model.expand = lambda latent, edge, noise=None, kappa=0.0: (
        used.append(float(kappa)) or expand(latent, edge, noise, kappa)
    )
    planner, first = dataclasses.replace(planner, inference="torch"), np.ones(BATCH, bool)
    legal, carry = np.ones((BATCH, 4), bool), planner.start(BATCH, model.space)
    decision, _ = planner.plan(model, root, legal, carry, first, np.random.default_rng(0), explore)
    return decision, set(used), model.predict(root).value.mean.detach().numpy()


@pytest.mark.parametrize("planner", PLANNERS, ids=repr)
def test_all_evaluations_of_a_planner_obey_its_optimism_and_pessimism(planner):
    assert planned(planner, True)[1] == {planner.optimism - planner.pessimism}
    assert planned(planner, False)[1] == {-planner.pessimism}


@pytest.mark.parametrize("planner", PLANNERS, ids=repr)
@pytest.mark.parametrize("explore", [True, False])
def test_no_bonus_reaches_the_values_of_decisions(planner, explore):
    decision, used, plain = planned(planner, explore)
    if used != {0.0}:
        np.testing.assert_allclose(decision.value, plain, atol=1e-6)


@pytest.mark.parametrize("planner", PLANNERS, ids=repr)
def test_doubt_of_a_model_that_has_none_is_refused(planner):
    spec = GameSpec("u", (5,), "float32", SPACES[0], (0.0, 1.0))
    name = "optimism" if planner.optimism else "pessimism"
    assert f"{name} = 3 has no effect on a model of one member" in planner.refuses(made(SPACES[0], members=1)[0], spec)
    assert planner.refuses(made(SPACES[0], members=3)[0], spec) is None


@pytest.fixture
def exports(monkeypatch):
    """The names of inputs of each graph that is exported."""
    graphs, exported = [], onnx_graph.exported

    def noted(*arguments):
        graphs.append(graph := exported(*arguments))
        return graph

    monkeypatch.setattr(onnx_graph, "exported", noted)
    return lambda: [{given.name for given in graph.graph.input} for graph in graphs]


def test_another_kappa_or_other_noise_needs_no_other_export(exports):
    model, root = made(SPACES[0])
    rng = np.random.default_rng(0)
    for kappa in (0.0, 1.0, -2.0):
        computed(model, root, "onnx", kappa, 1 - rng.random((SIMULATIONS, BATCH, 1), np.float32))
    latent = {"latent.state", "latent.code"}
    assert exports() == [latent | {"kappa"}, latent | {"kappa", "source", "edge", "noise"}]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_graph_has_no_input_that_its_model_does_not_need(space, exports):
    model = VectorModel(GameSpec("v", (5,), "float32", space, (0.0, 1.0)), width=16, hidden=16).eval()
    computed(model, rooted(model, torch.randn(BATCH, 5)), "onnx", noise=some_noise(model))
    assert exports() == [{"latent.state"}, {"latent.state", "source", "edge"}]


@pytest.mark.parametrize("noise", [np.ones((SIMULATIONS, BATCH, 2)), np.ones((SIMULATIONS - 1, BATCH, 1))])
def test_noise_of_another_shape_is_refused(noise):
    model, root = made(SPACES[0])
    with pytest.raises(ValueError, match=r"noise: expected shape \(6, 5, 1\) \(simulations, rows, .*\), got \("):
        computed(model, root, "auto", noise=noise)


class Outcomes(UncertainModel):
    """Each action has three outcomes, and an edge is one of both."""

    @property
    def edges(self):
        return Discrete(self.space.n + 3)

    def expand(self, latent, edge, noise=None, kappa=0.0):
        found = super().expand(latent, edge % self.space.n, noise, kappa)
        return found._replace(parameters=torch.cat([found.parameters, found.parameters[:, :3]], 1))


@pytest.mark.parametrize("path", PATHS)
def test_a_tree_may_have_more_edges_than_there_are_actions(path):
    torch.manual_seed(0)
    model = Outcomes(GameSpec("u", (5,), "float32", Discrete(4), (0.0, 1.0))).eval()
    root, edges = rooted(model, torch.randn(BATCH, 5)), np.arange(2, 2 + BATCH, dtype=np.int32)
    nothing = np.zeros(BATCH, np.int32)
    with simulating(model, root, 1, path) as (parameters, _, expand):
        assert parameters.shape == (BATCH, 4)
        found = expand(nothing, edges, nothing + 1)
    with torch.inference_mode():
        wanted = model.expand(root, torch.from_numpy(edges).long())
    assert found[3].shape == (BATCH, 7)
    assert_close([found], [wanted[1:]])


@pytest.mark.gpu
@pytest.mark.parametrize("path", ["torch", "cuda_graph"])
@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("settings", [{"noise": 0, "members": 1}, {}], ids=str)
def test_a_gpu_computes_what_the_model_says(settings, space, path):
    model, root = made(space, **settings)
    cases = [
        (kappa, noise, parts) for kappa in (0.0, 1.5) for noise in (None, some_noise(model)) for parts in (None, 2)
    ]
    wanted = [expected(model, root, kappa, noise) for kappa, noise, _ in cases]
    model.cuda()
    root = {name: rows.cuda() for name, rows in root.items()}
    for (kappa, noise, parts), numbers in zip(cases, wanted, strict=True):
        assert_close(computed(model, root, path, kappa, noise, parts), numbers, atol=1e-3)

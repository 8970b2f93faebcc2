"""What is done on a GPU before a search, by the same lines on the CPU: fixed tensors, recordings, few launches."""

import copy
import gc
import weakref

import numpy as np
import pytest
import torch
from devices import full_precision, never_waiting, on_all_devices
from inference_paths import MODELS, made, randomise, roots
from remembering import RememberingModel
from torch.utils._python_dispatch import TorchDispatchMode

from muzero.actions import Discrete
from muzero.inference import observed, observed_first
from muzero.inference.observation import MEMORY, observe_by_copy
from muzero.inference.simulation import on_gpu, simulator_for
from muzero.inference.simulators import IDLE, Simulators
from muzero.interfaces import GameSpec, observe_first
from muzero.models.spatial import SpatialModel
from muzero.planners.tree import GumbelPlanner
from muzero.util.recorded import Recorded

CPU = torch.device("cpu")
CONVOLUTIONAL = ["spatial", "summed", "image"]
BATCH = 5


@pytest.fixture(autouse=True)
def precise():
    """Convolutions without TF32."""
    with full_precision():
        yield


def seen(spec, batch=BATCH, seed=0):
    """Random observations."""
    torch.manual_seed(seed)
    return (torch.rand(batch, *spec.observation) * (255 if spec.dtype == "uint8" else 1)).to(getattr(torch, spec.dtype))


def given_first(model, observation):
    """What `Observer` takes for observations that stand alone."""
    batch = len(observation)
    action, first = torch.from_numpy(model.space.none(batch)), torch.ones(batch, dtype=torch.bool)
    return {"action": action, "observation": observation, "first": first}


def by_copy(model, observation, bfloat16=False, records=True):
    """Latents as they are observed on a GPU."""
    device = next(model.parameters()).device
    with torch.inference_mode():
        return observe_by_copy(model, given_first(model, observation), device, bfloat16, records)


def on_cpu(latent):
    return {name: rows.cpu() for name, rows in latent.items()}


@on_all_devices
@pytest.mark.parametrize("placed", ["host", "device"])
@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_what_observes_in_place_of_a_model_does_so_with_its_weights_of_now(name, records, placed, device):
    model, spec = made(name)
    before = []
    for seed in (1, 2):
        randomise(model.to(CPU), seed)
        observation = seen(spec, seed=seed)
        with torch.inference_mode():
            expected = observe_first(model, observation)
        there = observation.to(device) if placed == "device" else observation
        before.append((by_copy(model.to(device), there, records=records), expected))
    for found, expected in before:  # also the first, which a second call must not overwrite
        torch.testing.assert_close(on_cpu(found), expected, atol=1e-3, rtol=1e-3)


@on_all_devices
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_in_bfloat16_it_nearly_does_and_latents_are_float32(name, device):
    model, spec = made(name)
    observation = seen(spec, 64)
    with torch.inference_mode():
        expected = observe_first(model, observation)
    found = on_cpu(by_copy(model.to(device), observation, bfloat16=True))
    for latent, rows in expected.items():
        assert found[latent].dtype == torch.float32
        assert (found[latent] - rows).abs().mean() < 0.02 * rows.abs().max().clamp(min=1)
    assert all(key[1] for key in Simulators.of(model).copies)


@on_all_devices
def test_weights_in_other_tensors_are_observed_with(device):
    for name in ("vector", "spatial"):
        (model, spec), (other, _) = made(name), made(name, 3)
        observation = seen(spec)
        by_copy(model.to(device), observation)
        weights = {key: tensor.to(device) for key, tensor in other.state_dict().items()}
        model.load_state_dict(weights, assign=True)
        with torch.inference_mode():
            expected = observe_first(other, observation)
        torch.testing.assert_close(on_cpu(by_copy(model, observation)), expected, atol=1e-3, rtol=1e-3)


@on_all_devices
def test_a_model_that_remembers_is_given_its_memory(device):
    spec = GameSpec("m", (3,), "float32", Discrete(4), (0.0, 1.0))
    torch.manual_seed(0)
    model = RememberingModel(spec).eval()
    twin, memory = copy.deepcopy(model).to(device), model.memory(BATCH)
    mine, rng = {name: rows.to(device) for name, rows in memory.items()}, np.random.default_rng(0)
    for step in range(4):
        arrays = rng.integers(4, size=BATCH), rng.normal(size=(BATCH, 3)).astype(np.float32), rng.random(BATCH) < 0.3
        tensors = dict(zip(("action", "observation", "first"), map(torch.from_numpy, arrays), strict=True))
        with torch.inference_mode():
            memory = model.observe(memory, **tensors)
            given = tensors | {MEMORY + name: rows for name, rows in mine.items()}
            mine = observe_by_copy(twin, given, device, False, True)
            torch.testing.assert_close(on_cpu(mine), memory, atol=1e-5, rtol=1e-5)
        assert all(rows.device.type == device.type for rows in mine.values()), step


class OwnProducts(SpatialModel):
    """Multiplies what it observes by weights of its own, which takes numbers of one type."""

    def represent(self, observation):
        state = super().represent(observation)
        return state + state.flatten(1).mv(self.action.new_ones(state[0].numel()))[0]


def test_a_model_that_does_not_observe_in_bfloat16_does_so_in_float32(caplog, monkeypatch):
    monkeypatch.setattr("muzero.inference.fallback.WARNED", set())
    spec = MODELS["spatial"][1]
    model = OwnProducts(spec, channels=8, hidden=16).eval()
    for seed in (1, 2):
        observation = seen(spec, seed=seed)
        with torch.inference_mode():
            expected = observe_first(model, observation)
        torch.testing.assert_close(by_copy(model, observation, bfloat16=True), expected, atol=1e-4, rtol=1e-4)
    (line,) = caplog.messages
    assert line.startswith("OwnProducts computes in float32, which is slower: it cannot be computed in bfloat16; ")


def test_an_observation_that_cannot_be_recorded_names_the_remedy(monkeypatch):
    model, spec = made("vector")

    def fail(recorded, *generators):
        raise RuntimeError("operation not permitted")

    monkeypatch.setattr(Recorded, "prepare", fail)
    with pytest.raises(RuntimeError, match=r"not permitted; use --set planner\.inference=torch"):
        by_copy(model, seen(spec))
    by_copy(model, seen(spec), records=False)


def test_what_observes_keeps_no_model_alive_and_is_kept_for_a_few_sizes():
    model, spec = made("image")
    for batch in range(1, IDLE + 4):
        by_copy(model, seen(spec, batch), records=False)
    kept = Simulators.of(model).observers
    assert [kind[2][1][0] for kind in kept] == list(range(4, IDLE + 4))
    by_copy(model, seen(spec, 4), records=False)
    assert [kind[2][1][0] for kind in kept][-1] == 4
    weak, observers = weakref.ref(model), list(kept.values())
    del model, kept
    gc.collect()
    assert weak() is None and observers


@on_all_devices
@pytest.mark.parametrize("bfloat16", [False, True])
def test_roots_of_a_search_are_those_that_it_is_given_each_time(bfloat16, device):
    """The latents of a search take the place of those before, and its results are not overwritten."""
    model, spec = made("spatial")
    latents = [roots(model, spec, BATCH) for _ in range(2)]
    with torch.inference_mode():
        wanted = [model.predict(latent) for latent in latents]
        there = [{name: rows.to(device) for name, rows in latent.items()} for latent in latents]
        prepared = on_gpu(model.to(device), there[0], "auto", 0, bfloat16)
        simulator, found = simulator_for(prepared, BATCH, 3), []
        for latent in there:
            found.append(simulator.begin(model, latent, 0.0, None))
            assert simulator.recorded_roots.prepared
        tolerance = 0.1 if bfloat16 else 1e-3
        for (parameters, value), prediction in zip(found, wanted, strict=True):
            np.testing.assert_allclose(parameters, prediction.policy.parameters.numpy(), atol=tolerance, rtol=0.1)
            np.testing.assert_allclose(value, prediction.value.mean.numpy(), atol=tolerance, rtol=0.1)
        state = simulator.rows["state"].shaped(simulator.table["state"][:BATCH]).float().cpu()
        torch.testing.assert_close(state, latents[1]["state"], atol=0.01 if bfloat16 else 1e-6, rtol=0)


class Launches(TorchDispatchMode):
    """Counts operations that compute or copy, but those of a recording, which is launched as one."""

    VIEWS = ("view", "split", "detach", "alias", "_unsafe_view", "empty", "unbind", "slice", "select", "resolve", "to")

    def __init__(self, monkeypatch):
        super().__init__()
        self.names, self.recorded, self.inside, call = [], 0, False, Recorded.__call__

        def replay(recorded):
            self.names.append("replay")
            self.inside = True
            call(recorded)
            self.inside = False

        monkeypatch.setattr(Recorded, "__call__", replay)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if not name.startswith(self.VIEWS):
            self.recorded += self.inside
            self.names += [] if self.inside else [name]
        return func(*args, **(kwargs or {}))


def test_the_host_launches_few_operations_before_the_first_simulation(monkeypatch):
    model, spec = made("image")
    given = given_first(model, seen(spec))
    with torch.inference_mode():
        latent = observe_by_copy(model, given, CPU, False, True)
        simulator = simulator_for(on_gpu(model, latent, "auto", 0, False), BATCH, 3)
        simulator.begin(model, latent, 0.0, None)
        with Launches(monkeypatch) as counted:
            simulator.begin(model, observe_by_copy(model, given, CPU, False, True), 0.0, None)
    assert counted.names == [
        *["replay", "copy_", "copy_", "copy_", "copy_"],  # weights; three inputs side by side, and on their way
        *["replay", "_foreach_copy_"],  # observed
        *["replay", "fill_", "_foreach_copy_"],  # weights, of a copy in bfloat16 where there is one; kappa; the roots
        "replay",  # predicted, and kept under node 0
    ]
    assert counted.recorded > 5 * len(counted.names)


@on_all_devices
@pytest.mark.parametrize("path", ["auto", "cuda_graph"])
@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_waited_for_but_what_a_search_evaluates(name, path, device):
    """From observations on the host to the moves: the numbers of roots and simulations, each behind an event."""
    model, spec = made(name)
    model.to(device)
    planner = GumbelPlanner(simulations=6, considered=2, inference=path if device.type == "cuda" else "auto")
    legal, rng = np.ones((BATCH, spec.actions.columns), bool), np.random.default_rng(0)
    observation = seen(spec).numpy()

    def searched():
        root = observed_first(model, observation, explores=True, path=planner.path)
        return planner.plan(model, root, legal, {}, legal[:, 0], rng, True)[0]

    first = searched()  # what is compiled or recorded is so now
    with never_waiting(device):
        again = searched()
    assert again.weights.shape == first.weights.shape and np.isfinite(again.value).all()


@on_all_devices
def test_arrays_and_tensors_are_observed_alike(device):
    model, spec = made("image")
    observation = seen(spec)
    with torch.inference_mode():
        expected = observe_first(model, observation)
    model.to(device)
    action, first = spec.actions.none(BATCH), np.ones(BATCH, bool)
    for path in ("torch", "auto"):
        for given in (observation.numpy(), observation.to(device)):
            for found in (observed(model, {}, action, given, first, path=path), observed_first(model, given)):
                torch.testing.assert_close(on_cpu(found), expected, atol=1e-3, rtol=1e-3)

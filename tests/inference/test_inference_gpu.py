"""On a GPU, every path computes what the model says on the CPU, and no simulation is waited for before it is needed."""

import numpy as np
import pytest
import torch
from devices import full_precision, never_waiting
from inference_paths import (
    MODELS,
    assert_agrees,
    assert_close,
    computed,
    edges_for,
    made,
    randomise,
    reference,
    roots,
    some_edges,
)

from muzero import search
from muzero.inference import simulating

EXACT = [("torch", False), ("cuda_graph", False), ("auto", True)]  # paths, and whether a search is to be precise
PARTS = 2
gpu = pytest.mark.gpu


@pytest.fixture
def precise():
    """Convolutions without TF32."""
    with full_precision():
        yield


def moved(root, device):
    return {name: rows.to(device) for name, rows in root.items()}


@gpu
@pytest.mark.usefixtures("precise")
@pytest.mark.parametrize(("path", "exact"), EXACT)
@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_computes_what_the_model_says(name, path, exact):
    model, spec = made(name)
    root, edges = roots(model, spec, 5), some_edges(spec, 5)
    for seed in (None, 1):  # and follows when the weights change in place
        if seed is not None:
            randomise(model.cpu(), seed)
        expected = reference(model.cpu(), root, edges)
        assert_close(computed(model.cuda(), moved(root, "cuda"), edges, path, exact), expected)


@gpu
@pytest.mark.usefixtures("precise")
@pytest.mark.parametrize(("path", "exact"), EXACT)
@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_follows_weights_that_are_loaded_in_place(name, path, exact):
    model, spec = made(name)
    other, _ = made(name, seed=1)
    root, edges = roots(model, spec, 5), some_edges(spec, 5)
    model.cuda()
    first = computed(model, moved(root, "cuda"), edges, path, exact)
    model.load_state_dict(other.state_dict())
    second = computed(model, moved(root, "cuda"), edges, path, exact)
    assert_close(second, reference(other, root, edges))
    assert not np.allclose(first[0][1], second[0][1], atol=1e-3)


@gpu
@pytest.mark.parametrize("path", ["torch", "cuda_graph", "auto"])
@pytest.mark.parametrize("name", MODELS)
def test_with_the_numbers_that_are_used_a_gpu_nearly_computes_what_the_model_says(name, path):
    """TF32 in convolutions, or bfloat16 where "auto" takes it; one step each, since random weights amplify errors."""
    model, spec = made(name)
    root, edges = roots(model, spec, 64), edges_for("torch_bf16", spec, 64)
    expected = reference(model, root, edges)
    assert_agrees("torch_bf16", computed(model.cuda(), moved(root, "cuda"), edges, path), expected)


@gpu
@pytest.mark.usefixtures("precise")
@pytest.mark.parametrize("path", ["torch", "cuda_graph"])
@pytest.mark.parametrize("name", MODELS)
def test_halves_on_a_gpu_find_what_the_whole_batch_finds(name, path):
    model, spec = made(name)
    root = moved(roots(model, spec, 64), "cuda")
    model.cuda()
    found = []
    for parts in (1, 2, 2):
        with simulating(model, root, 20, path, parts) as (logits, value, expand):
            found.append(search.puct(logits, value, expand, 20))
    for result in found[1:]:
        assert (result.visits == found[0].visits).all(
            1
        ).mean() > 0.9  # the choices of some rows depend on the last digits
        np.testing.assert_allclose(result.value, found[0].value, atol=1e-2)


@pytest.mark.parametrize(
    ("device", "path"),
    [("cpu", "torch"), *(pytest.param("cuda", path, marks=gpu) for path in ("torch", "cuda_graph", "auto"))],
)
@pytest.mark.parametrize("name", MODELS)
def test_launched_simulations_are_not_waited_for(name, device, path):
    model, spec = made(name)
    root, batch = moved(roots(model, spec, 6), device), 6 // PARTS
    model.to(device)
    rng = np.random.default_rng(0)
    with simulating(model, root, 6, path, PARTS) as (_, _, launches):
        for node in range(1, 7):
            given = (
                rng.integers(0, node, batch).astype(np.int32),
                rng.integers(0, spec.actions.columns, batch).astype(np.int32),
                np.full(batch, node, np.int32),
            )
            if node < 3:  # where there is a recording, it is made now
                found = [launch(*given)() for launch in launches]
                continue
            with never_waiting(torch.device(device)):
                under_way = [launch(*given) for launch in launches]
            found = [collect() for collect in under_way]
            assert all(np.isfinite(array).all() for part in found for array in part)

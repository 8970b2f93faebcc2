"""On a GPU, every path computes what the model says on the CPU."""

import numpy as np
import pytest
import torch
from inference_paths import MODELS, assert_close, computed, made, randomise, reference, roots, some_edges

from muzero import search
from muzero.inference import simulating


@pytest.fixture
def full_precision():
    """Convolutions without TF32, whose ten bits of mantissa alone differ from the CPU by more than the tests allow."""
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = allowed


@pytest.mark.gpu
@pytest.mark.usefixtures("full_precision")
@pytest.mark.parametrize("path", ["torch", "cuda_graph", "auto"])
@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_computes_what_the_model_says(name, path):
    model, spec = made(name)
    model.cuda()
    root = {name: rows.cuda() for name, rows in roots(model.cpu(), spec, 5).items()}
    edges = some_edges(spec, 5)
    expected = reference(model, {name: rows.cpu() for name, rows in root.items()}, edges)
    model.cuda()
    assert_close(computed(model, root, edges, path), expected)
    randomise(model.cpu(), 1)
    expected = reference(model, {name: rows.cpu() for name, rows in root.items()}, edges)
    assert_close(computed(model.cuda(), root, edges, path), expected)


@pytest.mark.gpu
@pytest.mark.usefixtures("full_precision")
@pytest.mark.parametrize("path", ["torch", "cuda_graph"])
@pytest.mark.parametrize("name", MODELS)
def test_halves_on_a_gpu_find_what_the_whole_batch_finds(name, path):
    model, spec = made(name)
    root = {name: rows.cuda() for name, rows in roots(model, spec, 64).items()}
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

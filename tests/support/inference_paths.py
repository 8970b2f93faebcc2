"""Models, what they say themselves, and what a path of inference computes for the same roots and edges."""

from functools import partial

import numpy as np
import torch

from muzero.actions import Discrete
from muzero.inference import simulating
from muzero.interfaces import GameSpec, observe_first
from muzero.models.spatial import SpatialModel
from muzero.models.vector import VectorModel
from muzero.util.bfloat16 import device_has_bfloat16

HAS_BFLOAT16 = device_has_bfloat16(torch.device("cpu"))
CPU_PATHS = ["torch", "onnx", *(["torch_bf16"] if HAS_BFLOAT16 else [])]

MODELS = {
    "vector": (partial(VectorModel, width=16, hidden=16), GameSpec("v", (5,), "float32", Discrete(4), (0.0, 1.0))),
    "spatial": (
        partial(SpatialModel, channels=8, hidden=16),
        GameSpec("s", (2, 6, 7), "float32", Discrete(7), (-1.0, 0.0, 1.0), returns=(-1.0, 1.0)),
    ),
    "summed": (
        partial(SpatialModel, channels=8, hidden=16, value_prefix=2),
        GameSpec("p", (2, 6, 7), "float32", Discrete(6), (0.0, 0.99)),
    ),
    "image": (
        partial(SpatialModel, channels=8, hidden=16, smallest_side=6),
        GameSpec("i", (3, 24, 24), "uint8", Discrete(6), (0.0, 0.99)),
    ),
}


def randomise(model, seed=0):
    """Weights, and batch norms' statistics, as after some training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            tensor.add_(torch.randn(tensor.shape, generator=generator) * 0.2 * ("norm" in name or 1))
        for name, tensor in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                tensor.add_(torch.rand(tensor.shape, generator=generator))


def made(name, seed=0):
    constructor, spec = MODELS[name]
    torch.manual_seed(seed)
    model = constructor(spec).eval()
    randomise(model, seed)
    return model, spec


def roots(model, spec, batch):
    with torch.inference_mode():
        observation = torch.rand(batch, *spec.observation) * (255 if spec.dtype == "uint8" else 1)
        return observe_first(model, observation.to(getattr(torch, spec.dtype)))


def reference(model, root, edges):
    """The model's own outputs for the roots, and for one edge after the other."""
    with torch.inference_mode():
        first = model.predict(root)
        found, states = [(first.policy.parameters.numpy(), first.value.mean.numpy())], {0: root}
        for parent, action, node in edges:
            latent, transition = model.imagine(states[parent], torch.from_numpy(action).long())
            states[node] = latent
            prediction = model.predict(latent)
            numbers = transition.reward.mean, transition.discount.mean, prediction.value.mean
            heads = *numbers, prediction.policy.parameters
            found.append(tuple(head.numpy() for head in heads))
    return found


def computed(model, root, edges, path, precise=False):
    """The outputs of a simulator for the same roots and edges."""
    batch = len(next(iter(root.values())))
    with simulating(model, root, len(edges), path, precise=precise) as simulation:
        found = [(simulation.parameters.copy(), simulation.value.copy())]
        for parent, action, node in edges:
            rows = np.full(batch, parent, np.int32), action, np.full(batch, node, np.int32)
            found.append(tuple(array.copy() for array in simulation.expand(*rows)))
    return found


def some_edges(spec, batch, seed=0):
    rng = np.random.default_rng(seed)
    return [
        (int(rng.integers(0, node)), rng.integers(0, spec.actions.columns, batch).astype(np.int32), node)
        for node in range(1, 7)
    ]


def assert_close(found, expected):
    for mine, theirs in zip(found, expected, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3, rtol=1e-3)


def edges_for(path, spec, batch):
    """Edges over which a path agrees with the model: in bfloat16 one step each, since random weights amplify errors."""
    edges = some_edges(spec, batch)
    return [(0, action, node) for _, action, node in edges] if path == "torch_bf16" else edges


def assert_agrees(path, found, expected):
    """As closely as the path computes; `test_bfloat16.py` says more of bfloat16."""
    if path != "torch_bf16":
        return assert_close(found, expected)
    for mine, theirs in ((found[:1], expected[:1]), (found[1:], expected[1:])):
        for one, other in zip(zip(*mine, strict=True), zip(*theirs, strict=True), strict=True):
            one, other = np.stack(one), np.stack(other)  # of all edges, as errors relate to the size of a number
            assert np.abs(one - other).mean() < 0.01 + 0.05 * np.sqrt(np.square(other).mean())

"""Exported networks compute what the model computes, for batches and inputs by which they were not traced."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from remembering import RememberingModel

from muzero.actions import Box, Discrete
from muzero.games.registry import symmetries
from muzero.inference.export import INITIAL, OPSET, RECURRENT, TOLERANCE, networks
from muzero.inference.onnx_graph import NotExportable
from muzero.interfaces import GameSpec, observe_first
from muzero.models.spatial import SpatialModel
from muzero.models.symmetric import symmetric
from muzero.models.vector import VectorModel

BOARD = GameSpec("board/tic_tac_toe", (4, 3, 3), "float32", Discrete(9), (-1.0, 0.0), (-1.0, 1.0))
FRAMES = GameSpec("mine", (3, 20, 16), "uint8", Discrete(5), (0.0, 0.997))
ROWS = GameSpec("mine", (6,), "float32", Box(3), (0.0, 0.99))
SMALL = {"channels": 8, "hidden": 16, "head_channels": 4, "atoms": 5}


def averaged():
    pytest.importorskip("pyspiel")
    return symmetric(SpatialModel(BOARD, **SMALL), symmetries(BOARD.name), 8)


MODELS = {
    "vector": (lambda: VectorModel(ROWS, width=16, hidden=16, standardise=True), ROWS),
    "simplex": (lambda: VectorModel(ROWS, width=16, hidden=16, scale="simplex"), ROWS),
    "frames": (lambda: SpatialModel(FRAMES, **SMALL, smallest_side=8), FRAMES),
    "value prefix": (lambda: SpatialModel(FRAMES, **SMALL, value_prefix=2), FRAMES),
    "averaged": (averaged, BOARD),
}


def trained(make):
    """A model with weights and statistics of no special form: heads begin as zeros, norms with means of 0."""
    torch.manual_seed(1)
    model = make()
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand_like(tensor))
    return model.eval()


@pytest.mark.parametrize("name", MODELS)
def test_networks_agree_with_the_model_over_several_steps(name):
    make, spec = MODELS[name]
    model = trained(make)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    made = networks(model, spec)
    assert all((tensor == before[key]).all() for key, tensor in model.state_dict().items())
    initial, recurrent = (onnxruntime.InferenceSession(each.file.SerializeToString()) for each in made)
    batch, rng = 7, np.random.default_rng(3)
    observation = rng.integers(0, 256, (batch, *spec.observation)) / (1 if spec.dtype == "uint8" else 255)
    observation = observation.astype(spec.dtype)
    found = called(initial, {"observation": observation})
    with torch.inference_mode():
        latent = observe_first(model, torch.from_numpy(observation))
        policy, value = model.predict(latent)
        same(found, {"policy": policy.parameters, "value": value.mean} | {f"latent.{k}": v for k, v in latent.items()})
        for _ in range(3):  # its own latents are passed on, so that errors would add up
            action = spec.actions.draw_any((batch,), rng)
            given = {key.replace("next.", "latent."): part for key, part in found.items()}
            found = called(recurrent, given | {"action": action})
            latent, *numbers = model.expand(latent, torch.from_numpy(action))
            expected = dict(zip(("reward", "discount", "value", "policy"), numbers, strict=True))
            same(found, expected | {f"next.{key}": part for key, part in latent.items()})


def called(session, given):
    names = [each.name for each in session.get_outputs()]
    needed = {each.name for each in session.get_inputs()}
    found = session.run(names, {name: part for name, part in given.items() if name in needed})
    return dict(zip(names, found, strict=True))


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=1e-4, atol=1e-4, err_msg=name)
        assert found[name].dtype == tensor.numpy().dtype


def test_files_are_valid_and_hold_no_weights_of_the_other_function():
    model = trained(MODELS["frames"][0])
    for network in networks(model, FRAMES):
        onnx.checker.check_model(network.file, full_check=True)
        assert [each.version for each in network.file.opset_import if not each.domain] == [OPSET]
        sizes = sum(np.prod(weight.dims) for weight in network.file.graph.initializer)
        assert sizes < 0.9 * sum(tensor.numel() for tensor in model.state_dict().values())
        assert network.difference < TOLERANCE
    assert [each.name for each in networks(model, FRAMES)] == [INITIAL, RECURRENT]


def test_a_model_that_remembers_is_refused():
    with pytest.raises(NotExportable, match="remembers earlier observations"):
        networks(RememberingModel(ROWS), ROWS)


class FixedBatch(VectorModel):
    """A trace of it keeps the size of its example: such a graph would be wrong for every other."""

    def predict(self, latent):
        fixed = torch.zeros(len(latent["state"]), 1)
        return super().predict({"state": latent["state"] + fixed})


class FixedBranch(VectorModel):
    """A trace of it keeps the branch that its example took."""

    def predict(self, latent):
        state = latent["state"]
        return super().predict({"state": state + 1 if len(state) == 3 else state})


@pytest.mark.parametrize("kind", [FixedBatch, FixedBranch])
def test_a_graph_that_is_right_for_its_example_alone_is_refused(kind):
    with pytest.raises(NotExportable):
        networks(trained(lambda: kind(ROWS, width=16, hidden=16)), ROWS)

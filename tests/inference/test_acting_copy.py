"""What acts on a GPU, by the same lines on the CPU: a folded copy, also in bfloat16, that follows the model."""

import copy

import numpy as np
import pytest
import torch
from devices import full_precision, on_all_devices
from inference_paths import MODELS, assert_agrees, assert_close, made, randomise, reference, roots, some_edges
from torch.nn.utils.fusion import fuse_conv_bn_weights

from muzero.inference.acting import ActingCopy, NotInBfloat16
from muzero.inference.simulation import on_gpu, simulator_for
from muzero.inference.torch_backend import TorchModel
from muzero.inference.weights import fold
from muzero.models.spatial import SpatialModel

CPU = torch.device("cpu")
CONVOLUTIONAL = ["spatial", "summed", "image"]
BATCH = 5


@pytest.fixture(autouse=True)
def precise():
    """Convolutions without TF32."""
    with full_precision():
        yield


def placed(rows, device):
    return {name: tensor.to(device) for name, tensor in rows.items()}


def found_by(prepared, model, root, edges):
    """The outputs for the roots and for one edge after the other."""
    simulator = simulator_for(prepared, BATCH, len(edges))
    with torch.inference_mode():
        found = [simulator.begin(model, root, 0.0, None)]
        for parent, action, node in edges:
            rows = np.full(BATCH, parent, np.int32), action, np.full(BATCH, node, np.int32)
            found.append(tuple(array.copy() for array in simulator.expand(*rows)))
    return found, simulator


def updated(model):
    """One step of an optimiser that fuses its writes."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()


CHANGES = {
    "data": lambda model: [parameter.data.mul_(1.5) for parameter in model.parameters()],
    "statistics": lambda model: [tensor.data.mul_(2) for name, tensor in model.named_buffers() if "running" in name],
    "load": lambda model: model.load_state_dict(made("spatial", 1)[0].state_dict()),
    "optimiser": updated,
    "new tensors": lambda model: model.load_state_dict(
        {name: tensor.to(model.action.device) for name, tensor in made("spatial", 1)[0].state_dict().items()},
        assign=True,
    ),
}


@on_all_devices
@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_computes_what_the_model_says_also_once_its_weights_change(change, device):
    model, spec = made("spatial")
    root, edges = roots(model, spec, BATCH), some_edges(spec, BATCH)
    model.to(device)
    prepared = on_gpu(model, placed(root, device), "auto", 0, False)
    before, _ = found_by(prepared, model, placed(root, device), edges)
    tensors = [tensor.data_ptr() for tensor in prepared.acting.network.state_dict().values()]
    CHANGES[change](model)
    after, _ = found_by(prepared, model, placed(root, device), edges)
    assert_close(after, reference(copy.deepcopy(model).to(CPU), root, edges))
    assert not np.allclose(before[-1][3], after[-1][3], atol=1e-3)
    assert tensors == [tensor.data_ptr() for tensor in prepared.acting.network.state_dict().values()]


@on_all_devices
@torch.inference_mode()
def test_norms_are_folded_as_torch_does_it(device):
    torch.manual_seed(0)
    layers, expected, epsilons = [], [], [1e-5, 1e-3]
    for kernel, epsilon in zip((1, 3), epsilons, strict=True):
        weight = torch.randn(6, 4, kernel, kernel, device=device)
        bias, mean, variance, scale, shift = (torch.rand(6, device=device) for _ in range(5))
        layers.append((weight, bias, mean, variance, scale, shift))
        expected.append(fuse_conv_bn_weights(weight, bias, mean, variance, epsilon, scale, shift))
    for found, wanted in zip(zip(*fold(layers, epsilons), strict=True), expected, strict=True):
        torch.testing.assert_close(found, tuple(wanted), rtol=0 if device == CPU else 1e-6, atol=0)


@on_all_devices
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_in_bfloat16_a_copy_agrees_with_the_model_and_follows_it(name, device):
    model, spec = made(name)
    root = roots(model, spec, BATCH)
    edges = [(0, action, node) for _, action, node in some_edges(spec, BATCH)]  # random weights amplify errors
    prepared = on_gpu(model.to(device), placed(root, device), "auto", 0, True)
    assert prepared.acting is not None and prepared.acting.bfloat16
    for seed in (0, 1):
        randomise(model.to(CPU), seed)
        expected = reference(model, root, edges)
        found, simulator = found_by(prepared, model.to(device), placed(root, device), edges)
        assert_agrees("torch_bf16", found, expected)
    assert {rows.dtype for rows in simulator.table.values()} == {torch.bfloat16}
    assert all(array.dtype == np.float32 for arrays in found for array in arrays)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
@torch.inference_mode()
def test_only_layers_are_in_bfloat16_and_numbers_that_heads_return_are_float32(name):
    model, spec = made(name)
    network = ActingCopy(model, CPU, bfloat16=True).network
    for layer, parameter in network.named_parameters():
        multiplies = isinstance(network.get_submodule(layer.rpartition(".")[0]), torch.nn.Conv2d | torch.nn.Linear)
        assert parameter.dtype == (torch.bfloat16 if multiplies else torch.float32), layer
    assert {tensor.dtype for tensor in network.buffers() if tensor.is_floating_point()} == {torch.float32}
    _, *numbers = network.expand(roots(network, spec, 3), torch.zeros(3, dtype=torch.int64))
    assert [number.dtype for number in numbers] == [torch.float32] * 4
    assert next(model.parameters()).dtype == torch.float32  # the model itself stays as it is


class Wide(SpatialModel):
    """Multiplies a latent by weights of its own, which takes numbers of one type."""

    def transition_features(self, state):
        return super().transition_features(state + state.flatten(1).mv(self.action.new_ones(state[0].numel()))[0])


def test_a_model_that_does_not_compute_in_bfloat16_acts_in_float32(caplog, monkeypatch):
    monkeypatch.setattr("muzero.inference.fallback.WARNED", set())
    spec = MODELS["spatial"][1]
    model = Wide(spec, channels=8, hidden=16).eval()
    root, edges = roots(model, spec, BATCH), some_edges(spec, BATCH)
    with pytest.raises(NotInBfloat16, match="RuntimeError"):
        TorchModel(model, root, 0, acting=ActingCopy(model, CPU, bfloat16=True))
    for _ in range(2):
        prepared = on_gpu(model, root, "auto", 0, True)
        assert not prepared.bfloat16
        assert_close(found_by(prepared, model, root, edges)[0], reference(model, root, edges))
    (line,) = caplog.messages
    assert line.startswith("Wide computes in float32, which is slower: it cannot be computed in bfloat16; ")

"""A model as two files of ONNX that other programs run: MuZero's initial inference and its recurrent inference.

Unlike the graphs of `onnx_backend`, these keep their weights and take latents row by row, without tables of nodes.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor

from muzero.inference.onnx_backend import EXAMPLE, LATENT, NEXT
from muzero.inference.onnx_graph import BATCH, OPSET, Function, NotExportable, exported
from muzero.inference.step import NUMBERS, evaluate
from muzero.inference.weights import FoldedCopy
from muzero.interfaces import GameSpec, Latent, WorldModel, observe_first

INITIAL, RECURRENT = "initial_inference", "recurrent_inference"
TOLERANCE = 1e-3
"""By how much an output may differ from PyTorch's: this, and this times the output.  Rounding makes about 1e-6."""
SIZES = (1, EXAMPLE + 2)  # of the batches by which a graph is checked; not that by which it is traced
SEEDS = 4  # of each
NAMES = {"parameters": "policy"}  # of outputs, where a reader of the paper expects another word


class Network(NamedTuple):
    """A function of a model as ONNX."""

    name: str
    file: onnx.ModelProto
    inputs: dict[str, dict[str, Any]]  # name -> dtype, and shape with "batch" in front
    outputs: dict[str, dict[str, Any]]
    difference: float  # the largest from PyTorch, where it was checked; of numbers beyond 1 as a share of them


class InitialInference(Function):
    """What a model makes of an observation that stands alone: a latent, its policy and its value."""

    def __init__(self, model: WorldModel, names: list[str], kappa: float = 0.0) -> None:
        super().__init__(model, names)
        self.kappa = kappa
        self.inputs = {"observation": BATCH}
        self.outputs = ["policy", "value", *(LATENT + name for name in names)]

    def forward(self, observation: Tensor) -> tuple[Tensor, ...]:
        """Observations [B, ...] -> parameters of the policy [B, P], value [B], latents."""
        latent = observe_first(self.model, observation)
        return *evaluate(self.model, latent, torch.full((1,), self.kappa)), *(latent[name] for name in self.names)


class RecurrentInference(Function):
    """What a model expects of an action: the next latent, `NUMBERS` of it."""

    def __init__(self, model: WorldModel, names: list[str], kappa: float = 0.0) -> None:
        super().__init__(model, names)
        self.kappa = kappa
        self.inputs = dict.fromkeys([*(LATENT + name for name in names), "action"], BATCH)
        self.outputs = [*(NAMES.get(name, name) for name in NUMBERS), *(NEXT + name for name in names)]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Latents and actions [B, ...] -> reward, discount, value, parameters of the policy, next latents."""
        *latents, action = inputs
        latent = dict(zip(self.names, latents, strict=True))
        following, *numbers = self.model.expand(latent, action, kappa=self.kappa)
        return *numbers, *(following[name] for name in self.names)


def networks(model: WorldModel, spec: GameSpec, kappa: float = 0.0) -> tuple[Network, Network]:
    """The initial and the recurrent inference of a model, checked against it.

    Batch norms are folded.  A model that draws at random takes its most probable draw.

    Args:
        model: on the CPU; it is not changed.
        spec: of its game.
        kappa: deviations that are part of rewards and values, as of `WorldModel.expand`.

    Raises:
        NotExportable: if the model remembers earlier observations, cannot be written as ONNX, or if for other inputs
            than those by which it was traced the graphs differ from it by more than `TOLERANCE`.
    """
    if memory := list(model.memory(1)):
        raise NotExportable(f"it remembers earlier observations ({', '.join(memory)}), and an export sees one alone")
    model = copy.deepcopy(model).eval().requires_grad_(False)
    folded = FoldedCopy(model)
    folded.follow()
    names = list(observe_first(model, observations(spec, 1, 0)))
    made = []
    for kind, name in ((InitialInference, INITIAL), (RecurrentInference, RECURRENT)):
        example = list(inputs(model, spec, names, EXAMPLE, 0)[name].values())
        file = without_unused(exported(kind(folded.network, names, kappa), example))
        made.append(checked(name, file, kind(model, names, kappa), model, spec))
    return made[0], made[1]


def observations(spec: GameSpec, batch: int, seed: int) -> Tensor:
    """Random observations [B, *observation] of a game's type: from 0 to 1, or all bytes."""
    rng = np.random.default_rng(seed)
    if spec.dtype == "uint8":
        return torch.from_numpy(rng.integers(0, 256, (batch, *spec.observation), np.uint8))
    return torch.from_numpy(rng.random((batch, *spec.observation), np.float32))


def inputs(model: WorldModel, spec: GameSpec, names: list[str], batch: int, seed: int) -> dict[str, dict[str, Tensor]]:
    """Random inputs of both functions, by their names; latents are those of random observations."""
    observation = observations(spec, batch, seed)
    latent: Latent = observe_first(model, observation)
    action = torch.from_numpy(model.edges.draw_any((batch,), np.random.default_rng(seed)))
    return {
        INITIAL: {"observation": observation},
        RECURRENT: {LATENT + name: latent[name] for name in names} | {"action": action},
    }


@torch.inference_mode()
def checked(name: str, file: onnx.ModelProto, network: Function, model: WorldModel, spec: GameSpec) -> Network:
    """A graph with what is known of it, once it has computed what the model computes.

    Raises:
        NotExportable: if it does not.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.SerializeToString(), options, providers=["CPUExecutionProvider"])
    largest = 0.0
    given: dict[str, Tensor] = {}
    expected: tuple[Tensor, ...] = ()
    for batch, seed in ((batch, seed) for batch in SIZES for seed in range(1, SEEDS + 1)):
        given = inputs(model, spec, network.names, batch, seed)[name]
        expected = network(*given.values())
        try:
            found = session.run(network.outputs, {each.name: given[each.name].numpy() for each in session.get_inputs()})
        except Exception as error:  # of onnxruntime, for a graph that has the size of its example
            raise NotExportable(f"{name}: {error}") from error
        for output, array, tensor in zip(network.outputs, found, expected, strict=True):
            largest = max(largest, difference(f"{name}: {output}", np.asarray(array), tensor.numpy()))
    results = dict(zip(network.outputs, expected, strict=True))
    return Network(name, file, described(given), described(results), largest)


def difference(name: str, found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference between two arrays; of numbers beyond 1 as a share of them.

    Raises:
        NotExportable: if it is more than `TOLERANCE`, or shapes or types differ.
    """
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        raise NotExportable(f"{name} is {found.dtype} {found.shape}, expected {expected.dtype} {expected.shape}")
    differences = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    if not (largest := float(differences.max(initial=0))) <= TOLERANCE:
        raise NotExportable(f"{name} differs from what PyTorch computes by {largest:.2g}")
    return largest


def described(tensors: dict[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Types and shapes of tensors, as plain values."""
    return {
        name: {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": [BATCH, *tensor.shape[1:]]}
        for name, tensor in tensors.items()
    }


def without_unused(file: onnx.ModelProto) -> onnx.ModelProto:
    """The file without weights that no operation reads: those of the other function."""
    read = {name for node in file.graph.node for name in node.input} | {each.name for each in file.graph.output}
    kept = [weight for weight in file.graph.initializer if weight.name in read]
    del file.graph.initializer[:]
    file.graph.initializer.extend(kept)
    return onnx.load_model_from_string(file.SerializeToString())  # a message frees what it held only as a whole


def described_in(network: Network, facts: dict[str, str], text: str) -> bytes:
    """The bytes of a network's file with facts about it in its metadata."""
    onnx.helper.set_model_props(network.file, facts)
    network.file.producer_name, network.file.doc_string = "muzero", text
    onnx.checker.check_model(network.file)
    return network.file.SerializeToString()


__all__ = ["INITIAL", "OPSET", "RECURRENT", "TOLERANCE", "Network", "described_in", "networks"]

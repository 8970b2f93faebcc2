"""Functions of a model as graphs of onnxruntime, whose weights can be replaced."""

from __future__ import annotations

import ctypes
import io
import os
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from muzero.interfaces import WorldModel

BATCH, ROWS = "batch", "rows"  # sizes that a graph leaves open
OPSET = 17  # version of ONNX's operators
Kinds = dict[str, tuple[torch.dtype, tuple[int, ...]]]


class NotExportable(Exception):
    """A model cannot be written as ONNX; the message says why."""

    verb = "exported"


class Session(onnxruntime.InferenceSession):
    """A session that runs without overhead, and that a forked process can drop.

    Its threads exist in its own process alone, and its destructor would wait for them.  So another process never runs
    the destructor: the memory stays until that process ends.  This class alone uses private names of onnxruntime.
    """

    def __init__(self, graph: bytes, options: onnxruntime.SessionOptions) -> None:
        self.process = os.getpid()
        super().__init__(graph, options, providers=["CPUExecutionProvider"])
        self.needs = {found.name for found in self.get_inputs()}

    # Defaults, because names of a module can be gone when an interpreter ends.
    def __del__(self, process_now: Callable[[], int] = os.getpid, keep: Any = ctypes.pythonapi.Py_IncRef) -> None:
        if process_now() != self.process:
            keep(ctypes.py_object(self._sess))

    def bound(
        self, inputs: dict[str, Tensor], outputs: dict[str, Tensor], options: onnxruntime.RunOptions
    ) -> Callable[[], None]:
        """A function that runs the session on fixed tensors.  Inputs that the session does not have are left out.

        The public `run_with_iobinding` looks for a provider option before it makes this very call; that takes 40 us
        each time, as long as a small network.
        """
        result = self.io_binding()
        for tensors, bind in ((inputs, result.bind_input), (outputs, result.bind_output)):
            for name, tensor in tensors.items():
                if name in self.needs or tensors is outputs:
                    element = getattr(np, str(tensor.dtype).removeprefix("torch."))
                    bind(name, "cpu", 0, element, tuple(tensor.shape), tensor.data_ptr())
        return partial(self._sess.run_with_iobinding, result._iobinding, options)  # type: ignore[union-attr]


class Function(nn.Module):
    """What a graph computes: a function of tensors in a fixed order, as an export needs it."""

    inputs: dict[str, str | None]  # name -> what its first size is called, where the graph leaves that open
    outputs: list[str]

    def __init__(self, model: WorldModel, names: list[str]) -> None:
        super().__init__()
        self.model, self.names = model, names


class Graph:
    """A network as ONNX, whose weights can be replaced."""

    def __init__(self, network: Function, example: dict[str, Tensor], other: dict[str, Tensor]) -> None:
        """Trace a network and check the result.  The network's weights are changed.

        Args:
            network: of a copy of the model for this purpose.
            example: inputs to trace the network with, and perhaps others.
            other: inputs of another batch size to check the result with.

        Raises:
            NotExportable: if the network cannot be written, or if with other weights and inputs the result differs from
                what PyTorch computes: a trace may be right for its example alone.
        """
        make_distinct(network)
        self.file = without_weights(exported(network, [example[name] for name in network.inputs]), network)
        make_distinct(network)
        with torch.inference_mode():
            outputs = dict(zip(network.outputs, network(*(other[name] for name in network.inputs)), strict=True))
        self.kinds: Kinds = {name: (output.dtype, tuple(output.shape[1:])) for name, output in outputs.items()}
        session = self.session(network)
        computed = session.run(network.outputs, {name: other[name].numpy() for name in session.needs})
        for name, array in zip(network.outputs, computed, strict=True):
            if not np.allclose(np.asarray(array), outputs[name].numpy(), rtol=1e-3, atol=1e-3):
                raise NotExportable(f"{name} differs from what PyTorch computes")

    def session(self, network: Function) -> Session:
        """A session of the graph with the weights of a network, on as many threads as PyTorch uses."""
        file, weights = onnx.ModelProto(), network.state_dict()
        file.CopyFrom(self.file)  # a message frees what was written to it only as a whole
        for place in file.graph.initializer:
            if place.name in weights:
                place.raw_data = weights[place.name].contiguous().numpy().tobytes()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # no warnings about weights that this graph does not need
        return Session(file.SerializeToString(), options)


@torch.no_grad()
def make_distinct(network: nn.Module) -> None:
    """Change all weights a little, at random: the exporter merges weights that are equal."""
    generator = torch.Generator().manual_seed(0)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            factor, term = torch.rand(2, *tensor.shape, generator=generator)
            tensor.mul_(0.9 + 0.2 * factor).add_(0.01 * term)


def without_weights(file: onnx.ModelProto, network: nn.Module) -> onnx.ModelProto:
    """A copy of a file without the numbers of the weights of a network."""
    weights = network.state_dict()
    for place in file.graph.initializer:
        if place.name in weights:
            place.raw_data = b""
    return onnx.load_model_from_string(file.SerializeToString())


def exported(network: Function, example: list[Tensor]) -> onnx.ModelProto:
    """A network as ONNX, with the names of its weights.

    Raises:
        NotExportable: if the network cannot be traced.
    """
    content = io.BytesIO()
    axes = {name: {0: size} for name, size in network.inputs.items() if size}
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # about a deprecated exporter, and sizes that are fixed on purpose
            torch.onnx.export(
                network,
                tuple(example),
                content,  # type: ignore[arg-type]  # the stub wants a path
                dynamo=False,
                do_constant_folding=False,
                opset_version=OPSET,
                input_names=list(network.inputs),
                output_names=network.outputs,
                dynamic_axes=axes | {name: {0: BATCH} for name in network.outputs},
            )
    except Exception as error:  # a trace runs the code of any model
        raise NotExportable(f"{type(error).__name__}: {error}") from error
    return onnx.load_model_from_string(content.getvalue())

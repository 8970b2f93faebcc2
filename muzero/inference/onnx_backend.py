"""Simulations in onnxruntime, on the CPU."""

from __future__ import annotations

import copy
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

from muzero.inference.step import NUMBERS, evaluate
from muzero.inference.weights import WeightWatcher, folded
from muzero.interfaces import Latent, WorldModel
from muzero.search import Evaluation

EXAMPLE = 3  # rows of the batch that a network is traced with
BATCH, ROWS = "batch", "rows"  # sizes that a graph leaves open
LATENT, NEXT = "latent.", "next."  # prefixes of a latent's name in a graph: before a step and after it
Kinds = dict[str, tuple[torch.dtype, tuple[int, ...]]]


class NotExportable(Exception):
    """A model cannot be written as ONNX; the message says why."""


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


class OnnxModel:
    """A model's step and root as sessions of onnxruntime with its present weights, for searches of any size."""

    def __init__(self, model: WorldModel, root: Latent, noise: int) -> None:
        """Export a model.

        Args:
            model: whose weights are watched.
            root: latents, as an example of their names, shapes and types.
            noise: numbers that a step is given for each row; 0: none, see `WorldModel`.

        Raises:
            NotExportable: if the model cannot be exported to ONNX.
        """
        self.kinds: Kinds = {name: (rows.dtype, tuple(rows.shape[1:])) for name, rows in root.items()}
        self.edges, self.noise = model.edges, noise
        network, names = copy.deepcopy(folded(model)).eval(), list(self.kinds)
        examples = [self._example(batch) for batch in (EXAMPLE, EXAMPLE + 2)]
        self.root_graph = Graph(RootOf(network, names), *examples)
        self.step_graph = Graph(StepFrom(network, names, noise), *examples)
        self._check()
        self.watcher = WeightWatcher(model)
        self.version = 0

    def _example(self, batch: int) -> dict[str, Tensor]:
        """Random inputs of both graphs; no two rows of a latent are equal."""
        random = partial(torch.rand, generator=torch.Generator().manual_seed(batch))
        found = {LATENT + name: random(batch, *shape).to(dtype) for name, (dtype, shape) in self.kinds.items()}
        found["source"] = torch.arange(batch, dtype=torch.int32).flip(0)
        found["edge"] = torch.from_numpy(self.edges.draw_any((batch,), np.random.default_rng(batch)))
        return found | {"noise": 1 - random(batch, self.noise), "kappa": random(1)}

    def _check(self) -> None:
        """Check that new latents have the types and shapes of the old ones, and that all else is float32."""
        expected = {NEXT + name: kind for name, kind in self.kinds.items()}
        for name, (dtype, shape) in self.step_graph.kinds.items():
            wanted = expected.get(name, (torch.float32, shape))
            if (dtype, shape) != wanted:
                raise NotExportable(f"{name} is {dtype} {shape}, expected {wanted[0]} {wanted[1]}")

    def follow(self, model: WorldModel) -> None:
        """Make new sessions if the model's weights have changed: onnxruntime repacks the weights of a session."""
        if self.watcher.changed():
            network, names = folded(model), list(self.kinds)
            self.step = self.step_graph.session(StepFrom(network, names, self.noise))
            self.root = self.root_graph.session(RootOf(network, names))
            self.version += 1


class Function(nn.Module):
    """What a graph computes: a function of tensors in a fixed order, as an export needs it."""

    inputs: dict[str, str | None]  # name -> what its first size is called, where the graph leaves that open
    outputs: list[str]

    def __init__(self, model: WorldModel, names: list[str]) -> None:
        super().__init__()
        self.model, self.names = model, names


class StepFrom(Function):
    """`expand` that gathers its latents from tables."""

    def __init__(self, model: WorldModel, names: list[str], noise: int) -> None:
        super().__init__(model, names)
        self.inputs = {"source": BATCH, "edge": BATCH, "kappa": None} | ({"noise": BATCH} if noise else {})
        self.inputs |= {LATENT + name: ROWS for name in names}
        self.outputs = [*NUMBERS, *(NEXT + name for name in names)]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Edges [B, ...] from rows source [B] of tables [rows, ...] -> `NUMBERS` and new latents."""
        given = dict(zip(self.inputs, inputs, strict=True))
        latent = {name: given[LATENT + name].index_select(0, given["source"]) for name in self.names}
        following, *numbers = self.model.expand(latent, given["edge"], given.get("noise"), given["kappa"])
        return *numbers, *(following[name] for name in self.names)


class RootOf(Function):
    """`evaluate` of latents."""

    def __init__(self, model: WorldModel, names: list[str]) -> None:
        super().__init__(model, names)
        self.inputs = {"kappa": None} | {LATENT + name: BATCH for name in names}
        self.outputs = ["parameters", "value"]

    def forward(self, kappa: Tensor, *latents: Tensor) -> tuple[Tensor, ...]:
        """Latents [B, ...] -> parameters [B, P] and value [B]."""
        return evaluate(self.model, dict(zip(self.names, latents, strict=True)), kappa)


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
        self.file = exported(network, [example[name] for name in network.inputs])
        self.places = {tensor.name: tensor for tensor in self.file.graph.initializer}
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
        for name, tensor in network.state_dict().items():
            if name in self.places:
                self.places[name].raw_data = tensor.contiguous().numpy().tobytes()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # no warnings about weights that this graph does not need
        return Session(self.file.SerializeToString(), options)


@torch.no_grad()
def make_distinct(network: nn.Module) -> None:
    """Change all weights a little, at random: the exporter merges weights that are equal."""
    generator = torch.Generator().manual_seed(0)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            factor, term = torch.rand(2, *tensor.shape, generator=generator)
            tensor.mul_(0.9 + 0.2 * factor).add_(0.01 * term)


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
                opset_version=17,
                input_names=list(network.inputs),
                output_names=network.outputs,
                dynamic_axes=axes | {name: {0: BATCH} for name in network.outputs},
            )
    except Exception as error:  # a trace runs the code of any model
        raise NotExportable(f"{type(error).__name__}: {error}") from error
    return onnx.load_model_from_string(content.getvalue())


class OnnxSimulator:
    """The buffers of one search at a time, and one call of onnxruntime for each of its simulations.

    Latents of all nodes lie in one table per name, [N * B, ...], row ``node * B + b``.  Simulation s writes its results
    into the rows of node s + 1.  At max_depth, where a node is evaluated again, it has its latent already and those
    rows are never read.
    """

    def __init__(self, model: OnnxModel, batch: int, simulations: int) -> None:
        self.model, self.batch, self.simulations = model, batch, simulations
        self.version = -1
        rows = (simulations + 1) * batch
        self.table = {name: torch.empty(rows, *shape, dtype=dtype) for name, (dtype, shape) in model.kinds.items()}
        # Rows are int32, as a search numbers its nodes; actions int64, as PyTorch needs them for indexing.
        indices = {"source": torch.zeros(batch, dtype=torch.int32), "edge": torch.from_numpy(model.edges.none(batch))}
        self.inputs = indices | {LATENT + name: rows for name, rows in self.table.items()}
        self.inputs["kappa"], self.draws = torch.zeros(1), torch.zeros(simulations, batch, model.noise)
        self.source, self.edge, self.kappa, self.noise = (
            tensor.numpy() for tensor in (*indices.values(), self.inputs["kappa"], self.draws)
        )
        self.columns, self.rows = np.arange(batch, dtype=np.int32), np.array(batch, np.int32)
        self.numbers, self.root_numbers = (
            {name: torch.zeros(batch, *graph.kinds[name][1]) for name in names}
            for graph, names in ((model.step_graph, NUMBERS), (model.root_graph, ("parameters", "value")))
        )
        reward, discount, value, parameters = (number.numpy() for number in self.numbers.values())
        self.evaluation = reward, discount, value, parameters
        self.at_roots = self.root_numbers["parameters"].numpy(), self.root_numbers["value"].numpy()
        self.options = onnxruntime.RunOptions()  # made once: onnxruntime would make them in each call

    def begin(
        self, model: WorldModel, root: Latent, kappa: float, noise: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start a search, as `muzero.inference.simulation.Simulator` describes."""
        self.model.follow(model)
        for name, rows in root.items():
            self.table[name][: self.batch] = rows
        if noise is not None:
            self.noise[:] = noise
        self.kappa[0] = kappa
        if self.version != self.model.version:
            self._bind()
        self.simulation = 0
        self.run_root()
        return self.at_roots

    def _bind(self) -> None:
        """Bind new sessions to the buffers."""
        latents = {LATENT + name: rows[: self.batch] for name, rows in self.table.items()}
        self.run_root = self.model.root.bound(
            latents | {"kappa": self.inputs["kappa"]}, self.root_numbers, self.options
        )
        self.runs: list[Callable[[], None] | None] = [None] * self.simulations
        self.version = self.model.version

    def _bind_step(self, simulation: int) -> Callable[[], None]:
        node = slice((simulation + 1) * self.batch, (simulation + 2) * self.batch)
        latents = {NEXT + name: rows[node] for name, rows in self.table.items()}
        inputs = self.inputs | {"noise": self.draws[simulation]}
        made = self.model.step.bound(inputs, latents | self.numbers, self.options)
        self.runs[simulation] = made
        return made

    def expand(self, parent: np.ndarray, edge: np.ndarray, node: np.ndarray) -> Evaluation:
        """Evaluate edge [B, ...] from the states under parent [B].  The next call overwrites what is returned."""
        np.multiply(parent, self.rows, self.source)
        np.add(self.source, self.columns, self.source)
        self.edge[:] = edge
        simulation = self.simulation
        (self.runs[simulation] or self._bind_step(simulation))()
        self.simulation = simulation + 1
        return self.evaluation

    def launch(self, parent: np.ndarray, edge: np.ndarray, node: np.ndarray) -> Callable[[], Evaluation]:
        """Evaluate as `expand` does, at once.  Returns a function that returns the evaluation."""
        evaluation = self.expand(parent, edge, node)
        return lambda: evaluation

    def end(self) -> None:
        """Release nothing: a simulator keeps no reference to the model between calls."""

"""Simulations in onnxruntime, on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from muzero.inference.onnx_graph import BATCH, ROWS, Function, Graph, Kinds, NotExportable
from muzero.inference.step import NUMBERS, evaluate
from muzero.inference.weights import FoldedCopy, WeightWatcher
from muzero.interfaces import Latent, WorldModel
from muzero.search import Evaluation

EXAMPLE = 3  # rows of the batch that a network is traced with
LATENT, NEXT = "latent.", "next."  # prefixes of a latent's name in a graph: before a step and after it


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
        self.copy, names = FoldedCopy(model), list(self.kinds)
        network = self.copy.network
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
            self.copy.follow()
            network, names = self.copy.network, list(self.kinds)
            self.step = self.step_graph.session(StepFrom(network, names, self.noise))
            self.root = self.root_graph.session(RootOf(network, names))
            self.version += 1


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
        """Start a search, as `muzero.inference.simulators.Simulator` describes."""
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

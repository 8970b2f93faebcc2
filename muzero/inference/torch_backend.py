"""Simulations in PyTorch: operation by operation, or recorded as a CUDA graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from muzero.inference.step import evaluate, to_numpy
from muzero.inference.weights import WeightWatcher, folded
from muzero.interfaces import Latent, WorldModel
from muzero.search import Evaluation

WARM_UP = 3  # runs before a graph is recorded, in which libraries choose their algorithms


class TorchModel:
    """A model as it is called: on the CPU a copy with its batch norms folded.

    On a GPU it is the model itself: a recorded graph reads the weights in place, so it sees them change.
    """

    def __init__(self, model: WorldModel, root: Latent, noise: int, record: bool) -> None:
        """Prepare to call a model.

        Args:
            model: whose weights are watched.
            root: latents, as an example of their device.
            noise: numbers that a step is given for each row; 0: none, see `WorldModel`.
            record: replay simulations as a CUDA graph.
        """
        self.device = next(iter(root.values())).device
        self.edges, self.noise, self.record = model.edges, noise, record
        self.watcher = WeightWatcher(model)
        self.version = 0
        self.copy: WorldModel | None = None  # with folded batch norms, if it has any

    def follow(self, model: WorldModel) -> WorldModel:
        """The model to call in place of this one, with its present weights."""
        if self.watcher.changed():
            self.version += 1
            network = folded(model) if self.device.type == "cpu" else model
            self.copy = None if network is model else network
        return self.copy or model


def packed(
    batch: int, kinds: dict[str, tuple[str, tuple[int, ...]]], **placed: Any
) -> tuple[Tensor, dict[str, Tensor]]:
    """Tensors [batch, *shape] of zeros that lie one after the other in a buffer of bytes, so that they travel as one.

    Args:
        batch: rows of each.
        kinds: type and shape of each; the wider types first.
        placed: where the buffer lies, as for `torch.zeros`.
    """
    types = [getattr(torch, dtype) for dtype, _ in kinds.values()]
    shapes = [(batch, *shape) for _, shape in kinds.values()]
    sizes = [math.prod(shape) * dtype.itemsize for dtype, shape in zip(types, shapes, strict=True)]
    buffer = torch.zeros(sum(sizes), dtype=torch.uint8, **placed)
    pieces = zip(kinds, buffer.split(sizes), types, shapes, strict=True)
    return buffer, {name: piece.view(dtype).view(shape) for name, piece, dtype, shape in pieces}


class TorchSimulator:
    """The buffers of one search at a time: latents of all nodes, what a simulation is given, numbers as output.

    The latents lie in one table per name, [N * B, ...], on the model's device: row ``node * B + b``.  A simulation is
    one transfer of what it is given, one run of the step and one transfer of all numbers.
    """

    def __init__(self, model: TorchModel, batch: int, simulations: int) -> None:
        self.model, self.batch, self.simulations = model, batch, simulations
        device, self.on_gpu = model.device, model.device.type == "cuda"
        # A separate stream, so that the simulations of another part of the batch need not wait for these.
        self.stream = torch.cuda.Stream(device) if self.on_gpu else None
        index, edge = ("int64", ()), (model.edges.dtype, model.edges.shape)
        kinds = {"parent": index, "node": index, "edge": edge, "noise": ("float32", (model.noise,))}
        # Transfers between a GPU and memory that cannot be paged out need not wait for each other.
        self.chosen, chosen = packed(batch, kinds, pin_memory=self.on_gpu)
        self.parent, self.node, self.edge, self.drawn = (tensor.numpy() for tensor in chosen.values())
        self.index, self.given = packed(batch, kinds, device=device) if self.on_gpu else (self.chosen, chosen)
        self.kappa = torch.zeros(1, device=device)
        self.columns = torch.arange(batch, device=device)
        width = model.edges.parameters
        self.packed = torch.zeros(batch * (3 + width), device=device)
        self.found = torch.zeros(self.packed.shape, pin_memory=True) if self.on_gpu else self.packed
        reward, discount, value, parameters = np.split(self.found.numpy(), np.arange(1, 4) * batch)
        self.evaluation = reward, discount, value, parameters.reshape(batch, width)
        self.table: Latent = {}
        self.network: WorldModel | None = None  # only during a search: a simulator must not keep its model alive
        self.recorded: torch.cuda.CUDAGraph | None = None
        self.version = -1

    def begin(
        self, model: WorldModel, root: Latent, kappa: float, noise: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start a search, as `muzero.inference.simulation.Simulator` describes."""
        self.network = self.model.follow(model)
        self.noise, self.simulation = noise, 0
        if self.stream is not None:
            self.stream.wait_stream(torch.cuda.current_stream(self.model.device))
        with torch.cuda.stream(self.stream):
            self.kappa.fill_(kappa)
            parameters, value = evaluate(self.network, root, self.kappa)
            if not self.table:
                nodes = (self.simulations + 1) * self.batch
                self.table = {name: rows.new_zeros((nodes, *rows.shape[1:])) for name, rows in root.items()}
            for name, rows in root.items():
                self.table[name][: self.batch] = rows
            if self.version != self.model.version:  # a recorded graph would read weights at their old addresses
                self.recorded, self.version = None, self.model.version
            return to_numpy(parameters), to_numpy(value)

    def launch(self, parent: np.ndarray, edge: np.ndarray, node: np.ndarray) -> Callable[[], Evaluation]:
        """Begin to evaluate edge [B, ...] from the states under parent [B]; keep the new states under node [B].

        Returns:
            A function that waits for the evaluation.  The arrays that it returns are overwritten by the next call.
        """
        self.parent[:], self.node[:], self.edge[:] = parent, node, edge
        if self.noise is not None:
            self.drawn[:] = self.noise[self.simulation]
            self.simulation += 1
        with torch.cuda.stream(self.stream):
            if self.on_gpu:
                self.index.copy_(self.chosen, non_blocking=True)
            if self.model.record:
                self._recorded().replay()
            else:
                self._step()
            if self.on_gpu:
                self.found.copy_(self.packed, non_blocking=True)
        return self._collect

    def _collect(self) -> Evaluation:
        if self.stream is not None:
            self.stream.synchronize()
        return self.evaluation

    def expand(self, parent: np.ndarray, edge: np.ndarray, node: np.ndarray) -> Evaluation:
        """Evaluate edge [B, ...] from the states under parent [B]; see `launch`."""
        return self.launch(parent, edge, node)()

    def _step(self) -> None:
        """Gather, expand, store: from `given` and `table` to `table` and `packed`."""
        assert self.network is not None
        given = self.given
        source = given["parent"] * self.batch + self.columns
        latent = {name: rows[source] for name, rows in self.table.items()}
        noise = given["noise"] if self.model.noise else None
        following, *numbers = self.network.expand(latent, given["edge"], noise, self.kappa)
        target = given["node"] * self.batch + self.columns
        for name, rows in self.table.items():
            rows.index_copy_(0, target, following[name])
        torch.cat([number.float().flatten() for number in numbers], out=self.packed)

    def _recorded(self) -> torch.cuda.CUDAGraph:
        if self.recorded is None:
            for _ in range(WARM_UP):
                self._step()
            self.recorded = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.recorded, stream=self.stream):
                self._step()
        return self.recorded

    def end(self) -> None:
        """Release the model, so that a simulator kept for later does not keep it alive."""
        self.network = None

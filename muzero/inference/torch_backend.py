"""Simulations in PyTorch: operation by operation, or recorded as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from muzero.inference.step import LATENT, NEXT, NUMBERS, Root, Step, to_numpy
from muzero.inference.weights import WeightWatcher, folded
from muzero.interfaces import Latent, WorldModel
from muzero.search import Evaluation

WARM_UP = 3  # runs before a graph is recorded, in which libraries choose their algorithms


class TorchModel:
    """A model as it is called: on the CPU a copy with its batch norms folded.

    On a GPU it is the model itself: a recorded graph reads the weights in place, so it sees them change.
    """

    def __init__(self, model: WorldModel, root: Latent, record: bool) -> None:
        """Prepare to call a model.

        Args:
            model: whose weights are watched.
            root: latents, as an example of their names and device.
            record: replay simulations as a CUDA graph.
        """
        self.names = list(root)
        self.device = next(iter(root.values())).device
        self.record = record
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


class TorchSimulator:
    """The buffers of one search at a time: latents of all nodes, indices as input, numbers as output.

    The latents lie in one table per name, [N * B, ...], on the model's device: row ``node * B + b``.  A simulation is
    one transfer of indices, one run of the step and one transfer of all numbers.
    """

    def __init__(self, model: TorchModel, batch: int, simulations: int) -> None:
        self.model, self.batch, self.simulations = model, batch, simulations
        device, self.on_gpu = model.device, model.device.type == "cuda"
        # A separate stream, so that the simulations of another part of the batch need not wait for these.
        self.stream = torch.cuda.Stream(device) if self.on_gpu else None
        # Transfers between a GPU and memory that cannot be paged out need not wait for each other.
        self.chosen = torch.zeros(3, batch, dtype=torch.int64, pin_memory=self.on_gpu)  # parent, action, node
        self.index = torch.zeros(3, batch, dtype=torch.int64, device=device)
        self.columns = torch.arange(batch, device=device)
        self.table: Latent = {}
        self.network: WorldModel | None = None  # only during a search: a simulator must not keep its model alive
        self.recorded: torch.cuda.CUDAGraph | None = None
        self.version = -1

    def begin(self, model: WorldModel, root: Latent) -> tuple[np.ndarray, np.ndarray]:
        """Start a search.  Returns prior logits [B, A] and value [B] of the roots."""
        self.network = self.model.follow(model)
        if self.stream is not None:
            self.stream.wait_stream(torch.cuda.current_stream(self.model.device))
        with torch.cuda.stream(self.stream):
            judged = Root(self.network, self.model.names)({LATENT + name: rows for name, rows in root.items()})
            if not self.table:
                self._allocate(root, judged["logits"].shape[1])
            for name, rows in root.items():
                self.table[name][: self.batch] = rows
            if self.version != self.model.version:  # a recorded graph would read weights at their old addresses
                self.recorded, self.version = None, self.model.version
            return to_numpy(judged["logits"]), to_numpy(judged["value"])

    def _allocate(self, root: Latent, actions: int) -> None:
        nodes = (self.simulations + 1) * self.batch
        self.table = {name: rows.new_zeros((nodes, *rows.shape[1:])) for name, rows in root.items()}
        size = self.batch * (3 + actions)
        self.packed = torch.zeros(size, device=self.model.device)
        self.found = torch.zeros(size, pin_memory=self.on_gpu) if self.on_gpu else self.packed
        reward, discount, value, logits = np.split(self.found.numpy(), np.arange(1, 4) * self.batch)
        self.evaluation = reward, discount, value, logits.reshape(self.batch, actions)

    def launch(self, parent: np.ndarray, action: np.ndarray, node: np.ndarray) -> Callable[[], Evaluation]:
        """Begin to evaluate action [B] from the states under parent [B]; keep the new states under node [B].

        Returns:
            A function that waits for the evaluation.  The arrays that it returns are overwritten by the next call.
        """
        for row, given in zip(self.chosen.numpy(), (parent, action, node), strict=True):
            row[:] = given
        with torch.cuda.stream(self.stream):
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

    def expand(self, parent: np.ndarray, action: np.ndarray, node: np.ndarray) -> Evaluation:
        """Evaluate action [B] from the states under parent [B]; see `launch`."""
        return self.launch(parent, action, node)()

    def _step(self) -> None:
        """Gather, imagine, predict, store: from `index` and `table` to `table` and `packed`."""
        assert self.network is not None
        source = self.index[0] * self.batch + self.columns
        latent = {LATENT + name: rows[source] for name, rows in self.table.items()}
        found = Step(self.network, self.model.names)(latent, self.index[1])
        target = self.index[2] * self.batch + self.columns
        for name, rows in self.table.items():
            rows.index_copy_(0, target, found[NEXT + name])
        torch.cat([found[name].float().flatten() for name in NUMBERS], out=self.packed)

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

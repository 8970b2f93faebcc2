"""Simulations in PyTorch: operation by operation, in bfloat16, or recorded as a CUDA graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, fx

from muzero.inference.acting import ActingCopy, NotInBfloat16
from muzero.inference.bfloat16 import in_bfloat16, repack
from muzero.inference.fallback import record
from muzero.inference.step import Root, Step
from muzero.inference.weights import FoldedCopy, WeightWatcher, folding
from muzero.interfaces import Expansion, Latent, WorldModel
from muzero.search import Evaluation
from muzero.util.packing import packed
from muzero.util.recorded import Recorded
from muzero.util.tensors import copies, copy_into


class Calls(NamedTuple):
    """What a simulator calls: as `Root` and `Step` describe."""

    root: Callable[[Latent, Tensor], tuple[Tensor, Tensor]]
    step: Callable[[Latent, Tensor, Tensor, Tensor], Expansion]


class TorchModel:
    """A model as it is called: on the CPU a copy with its batch norms folded, if it has any.

    On a GPU it is an `ActingCopy` of models with convolutions, and others themselves: a recorded graph reads weights
    where they are, so it sees them change.
    """

    def __init__(
        self,
        model: WorldModel,
        root: Latent,
        noise: int,
        record: bool = False,
        bfloat16: bool = False,
        acting: ActingCopy | None = None,
    ) -> None:
        """Prepare to call a model.

        Args:
            model: whose weights are watched.
            root: latents, as an example of their device.
            noise: numbers that a step is given for each row; 0: none, see `WorldModel`.
            record: replay simulations as a CUDA graph.
            bfloat16: compute convolutions in bfloat16, on the CPU.
            acting: what is called in place of the model.

        Raises:
            NotTraceable: if the model's convolutions cannot be replaced.
            NotInBfloat16: if what acts in bfloat16 does not compute.
        """
        self.device = next(iter(root.values())).device
        self.edges, self.noise, self.record, self.bfloat16 = model.edges, noise, record, bfloat16
        self.names, self.acting = list(root), acting
        self.watcher = WeightWatcher(model)
        self.version = 0
        if acting is not None:
            self._try(acting, root)
            self.bfloat16 = acting.bfloat16
        copied = acting is None and self.device.type == "cpu" and (bfloat16 or bool(folding(model)))
        self.copy = FoldedCopy(model) if copied else None
        self.narrow = self._in_bfloat16(self.copy.network, root) if bfloat16 and self.copy is not None else None

    def _in_bfloat16(self, network: WorldModel, root: Latent) -> tuple[fx.GraphModule, fx.GraphModule]:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        batch, kappa = len(next(iter(root.values()))), torch.zeros(1)
        edge, noise = torch.from_numpy(self.edges.none(batch)), torch.ones(batch, self.noise)
        step = in_bfloat16(Step(network, self.names, self.noise), root, edge, noise, kappa)
        return in_bfloat16(Root(network, self.names), root, kappa), step

    def _try(self, acting: ActingCopy, root: Latent) -> None:
        """Compute once what a search asks for."""
        acting.follow()
        batch, calls = len(next(iter(root.values()))), self._calls(acting.network)
        edge = torch.from_numpy(self.edges.none(batch)).to(self.device)
        noise, kappa = torch.ones(batch, self.noise, device=self.device), torch.zeros(1, device=self.device)
        try:
            calls.root(acting.kept(root), kappa)
            calls.step(acting.kept(root), edge, noise, kappa)
        except Exception as error:  # this runs the code of any model
            if not acting.bfloat16:
                raise
            raise NotInBfloat16(f"{type(error).__name__}: {error}") from error

    def _calls(self, network: WorldModel) -> Calls:
        return Calls(Root(network, self.names), Step(network, self.names, self.noise))

    @property
    def planes_last(self) -> bool:
        """Whether convolutions read planes [C, H, W] as [H, W, C]."""
        return self.bfloat16 or self.acting is not None

    def kept(self, latent: Latent) -> Latent:
        """A latent in the type in which it is kept during a search."""
        return latent if self.acting is None else self.acting.kept(latent)

    def follow(self, model: WorldModel) -> Calls:
        """What to call in place of this model, with its present weights."""
        if self.acting is not None:
            self.acting.follow()
            return self._calls(self.acting.network)
        if self.watcher.changed():
            self.version += 1
            if self.copy is not None:
                self.copy.follow()
            for graph in self.narrow or ():
                repack(graph)
        if self.narrow is not None:
            return Calls(*self.narrow)
        return self._calls(model if self.copy is None else self.copy.network)


class Rows:
    """How latents [B, ...] lie in a table as rows of numbers, which are gathered five times as fast."""

    def __init__(self, shape: torch.Size, planes_last: bool) -> None:
        """Choose an order.

        Args:
            shape: of a row.
            planes_last: keep planes [C, H, W] as [H, W, C], as convolutions in bfloat16 read them.
        """
        self.planes_last = planes_last and len(shape) == 3
        self.stored = (*shape[1:], shape[0]) if self.planes_last else tuple(shape)
        self.numbers = math.prod(shape)

    def flat(self, latent: Tensor) -> Tensor:
        """[B, ...] -> [B, numbers]."""
        return (latent.movedim(1, -1) if self.planes_last else latent).reshape(-1, self.numbers)

    def shaped(self, rows: Tensor) -> Tensor:
        """[B, numbers] -> [B, ...], in memory as it lies in the table."""
        latent = rows.view(-1, *self.stored)
        return latent.movedim(-1, 1) if self.planes_last else latent


class TorchSimulator:
    """The buffers of one search at a time: latents of all nodes, what a simulation is given, numbers as output.

    The latents lie in one table per name, [N * B, numbers], on the model's device: row ``node * B + b``.  The roots are
    one copy of their latents, one run of their evaluation and one transfer of all numbers; a simulation is one transfer
    of what it is given, one run of the step and one transfer of all numbers.
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
        self.root: Latent = {}  # where a recording reads the latents of the roots
        self.at_roots = torch.empty(0)  # parameters and values of the roots, one after the other
        self.table: Latent = {}
        self.rows: dict[str, Rows] = {}
        self.calls: Calls | None = None  # only during a search: a simulator must not keep its model alive
        self.recorded = Recorded(self._step, device, self.stream)
        self.recorded_roots = Recorded(self._evaluate_roots, device, self.stream)
        # An event, since it waits for what was asked for and nothing else.
        self.done = torch.cuda.Event() if self.on_gpu else None
        self.version = -1

    def begin(
        self, model: WorldModel, root: Latent, kappa: float, noise: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start a search, as `muzero.inference.simulators.Simulator` describes."""
        self.calls = self.model.follow(model)
        self.noise, self.simulation = noise, 0
        if self.version != self.model.version:  # a recorded graph would read weights at their old addresses
            self.recorded.forget()
            self.recorded_roots.forget()
            self.version = self.model.version
        if self.stream is not None:
            self.stream.wait_stream(torch.cuda.current_stream(self.model.device))
        with torch.cuda.stream(self.stream):
            self.kappa.fill_(kappa)
            self._take(root)
            if self.model.record:
                record(self.recorded_roots, "a search")
            self.recorded_roots()
            found = self.at_roots.to("cpu", non_blocking=True)  # into memory that cannot be paged out
            self._wait()
        parameters, value = np.split(found.numpy(), [len(found) - self.batch])
        return parameters.reshape(self.batch, -1), value

    def _take(self, root: Latent) -> None:
        """Put the latents of roots where their evaluation reads them."""
        if not self.model.record:
            self.root = self.model.kept(root)
        elif self.root:
            copy_into(self.root, root)
        else:
            self.root = copies(self.model.kept(root))
        if not self.table:
            nodes = (self.simulations + 1) * self.batch
            self.rows = {name: Rows(rows.shape[1:], self.model.planes_last) for name, rows in self.root.items()}
            self.table = {name: rows.new_zeros((nodes, self.rows[name].numbers)) for name, rows in self.root.items()}

    def _evaluate_roots(self) -> None:
        """Predict, and keep under node 0: from `root` to `table` and `at_roots`."""
        assert self.calls is not None
        parameters, value = self.calls.root(self.root, self.kappa)
        for name, rows in self.root.items():
            self.table[name][: self.batch] = self.rows[name].flat(rows)
        self.at_roots = torch.cat([parameters.float().flatten(), value.float().flatten()])

    def _wait(self) -> None:
        """Wait for what was launched, where there is something to wait for."""
        if self.done is not None:
            self.done.record(self.stream)
            self.done.synchronize()

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
                record(self.recorded, "a search")
            self.recorded()
            if self.on_gpu:
                self.found.copy_(self.packed, non_blocking=True)
        return self._collect

    def _collect(self) -> Evaluation:
        self._wait()
        return self.evaluation

    def expand(self, parent: np.ndarray, edge: np.ndarray, node: np.ndarray) -> Evaluation:
        """Evaluate edge [B, ...] from the states under parent [B]; see `launch`."""
        return self.launch(parent, edge, node)()

    def _step(self) -> None:
        """Gather, expand, store: from `given` and `table` to `table` and `packed`."""
        assert self.calls is not None
        given = self.given
        source = given["parent"] * self.batch + self.columns
        latent = {name: self.rows[name].shaped(rows.index_select(0, source)) for name, rows in self.table.items()}
        following, *numbers = self.calls.step(latent, given["edge"], given["noise"], self.kappa)
        following = self.model.kept(following)
        for name, rows in self.table.items():
            self._keep(rows, self.rows[name].flat(following[name]))
        torch.cat([number.float().flatten() for number in numbers], out=self.packed)

    def _keep(self, table: Tensor, rows: Tensor) -> None:
        """Write rows [B, numbers] of the nodes that this simulation makes.

        On the CPU these are the rows of node s + 1 for simulation s, which is faster.  At max_depth, where a node is
        evaluated again, it has its latent already and those rows are never read.
        """
        if self.on_gpu:  # a recorded graph reads where it writes
            table.index_copy_(0, self.given["node"] * self.batch + self.columns, rows)
        else:
            table[self.simulation * self.batch : (self.simulation + 1) * self.batch] = rows

    def end(self) -> None:
        """Release the model, so that a simulator kept for later does not keep it alive."""
        self.calls = None
        if not self.model.record:
            self.root = {}

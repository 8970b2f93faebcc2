"""What a GPU replays without the host: a function of tensors that stay where they are, and a batch that does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from muzero.interfaces import Window
from muzero.util.packing import packed

WARM_UP = 3  # runs before a recording, in which libraries choose their algorithms


class Recorded:
    """A function without arguments that reads and writes tensors which stay where they are.

    On a GPU it is recorded once as a CUDA graph and then replayed: the host launches one operation instead of a
    thousand.  On the CPU it is called.
    """

    def __init__(self, function: Callable[[], None], device: torch.device) -> None:
        """Record nothing yet."""
        self.function, self.device = function, device
        self.graph: torch.cuda.CUDAGraph | None = None
        self.prepared = False

    def prepare(self, *generators: torch.Generator) -> None:
        """Run the function some times and record it; these runs should leave no trace.

        generators: what the function draws from, on the device.

        Raises:
            RuntimeError: if the function does what a GPU cannot replay, such as reading a tensor's numbers on the host.
        """
        if self.device.type == "cuda":
            self._record(generators)
        self.prepared = True

    def _record(self, generators: tuple[torch.Generator, ...]) -> None:
        # On a stream of its own, as libraries keep handles and memory by stream.
        stream, here = torch.cuda.Stream(self.device), torch.cuda.current_stream(self.device)
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.function()
        here.wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            self.function()
        self.graph = graph  # last: a recording that failed is not replayed

    def __call__(self) -> None:
        """Run the function once, or replay it."""
        if self.graph is None:
            self.function()
        else:
            self.graph.replay()

    def forget(self) -> None:
        """Drop the recording, because tensors that the function uses are replaced."""
        self.graph, self.prepared = None, False


class FixedWindow:
    """A window whose tensors stay where they are on a device, and take over the numbers of others.

    What lies on the host travels in one transfer, from memory that cannot be paged out: the host does not wait for it.
    """

    def __init__(self, example: Window, device: torch.device) -> None:
        """Make tensors of the shapes and types of a window's.  device: where they lie."""
        tensors = example.tensors()
        host = sorted((name for name, tensor in tensors.items() if tensor.device.type == "cpu"), key=width(tensors))
        kinds = {
            name: (str(tensors[name].dtype).removeprefix("torch."), tuple(tensors[name].shape[1:])) for name in host
        }
        batch = len(example.weight)
        on_gpu = device.type == "cuda"
        self.buffer, fields = packed(batch, kinds, device=device)
        # Two, so that one can be filled while the transfer of the other is still to come.
        self.staged = [packed(batch, kinds, pin_memory=on_gpu) for _ in range(2 if on_gpu else 1)]
        self.sent = [torch.cuda.Event() for _ in self.staged] if on_gpu else []
        self.turn = 0
        fields |= {name: torch.empty_like(tensor) for name, tensor in tensors.items() if name not in kinds}
        self.window = replace(example, **fields)

    def fits(self, window: Window) -> bool:
        """Whether a window has the shapes, types and places of the example."""
        mine, other = self.window.tensors(), window.tensors()
        return mine.keys() == other.keys() and all(
            tensor.shape == other[name].shape and tensor.dtype == other[name].dtype for name, tensor in mine.items()
        )

    def put(self, window: Window) -> None:
        """Take over the numbers of a window that fits."""
        buffer, staged = self.staged[self.turn]
        if self.sent:
            self.sent[self.turn].synchronize()
        for name, tensor in staged.items():
            tensor.copy_(getattr(window, name))
        self.buffer.copy_(buffer, non_blocking=True)
        if self.sent:
            self.sent[self.turn].record()
        self.turn = (self.turn + 1) % len(self.staged)
        for name, tensor in self.window.tensors().items():
            if name not in staged:
                tensor.copy_(getattr(window, name))


def width(tensors: dict[str, Tensor]) -> Callable[[str], int]:
    """A key that sorts names of tensors by the bytes of their numbers, wide ones first."""
    return lambda name: -tensors[name].element_size()

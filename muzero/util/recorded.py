"""What a GPU replays without the host."""

from __future__ import annotations

from collections.abc import Callable

import torch

WARM_UP = 3  # runs before a recording, in which libraries choose their algorithms


class Recorded:
    """A function without arguments that reads and writes tensors which stay where they are.

    On a GPU it is recorded once as a CUDA graph and then replayed: the host launches one operation instead of a
    thousand.  On the CPU it is called.
    """

    def __init__(
        self, function: Callable[[], None], device: torch.device, stream: torch.cuda.Stream | None = None
    ) -> None:
        """Record nothing yet.  stream: on which it is recorded; None: one of its own."""
        self.function, self.device, self.stream = function, device, stream
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
        # Not on the default stream; and all on one, as libraries keep handles and memory by stream.
        stream, here = self.stream or torch.cuda.Stream(self.device), torch.cuda.current_stream(self.device)
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.function()
        here.wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        # Other threads may allocate memory meanwhile.
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

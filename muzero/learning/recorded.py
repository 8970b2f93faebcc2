"""A batch whose tensors stay where they are, as what a GPU replays needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from muzero.interfaces import Window
from muzero.util.packing import packed


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
        """Whether a window has the shapes and types of the example."""
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

"""Tensors that stay where they are, as what a GPU replays needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from muzero.util.packing import packed


class FixedTensors:
    """Tensors by name that stay where they are on a device, and take over the numbers of others.

    What lies on the host travels in one transfer, from memory that cannot be paged out: the host does not wait for it.
    """

    def __init__(self, example: Mapping[str, Tensor], device: torch.device) -> None:
        """Make tensors of the shapes and types of others, which have as many rows [B, ...].

        Args:
            example: the others; what lies on the host now does so in every call of `put`.
            device: where the new ones lie.
        """
        host = sorted((name for name, tensor in example.items() if tensor.device.type == "cpu"), key=width(example))
        kinds = {
            name: (str(example[name].dtype).removeprefix("torch."), tuple(example[name].shape[1:])) for name in host
        }
        batch, on_gpu = len(next(iter(example.values()))), device.type == "cuda"
        self.buffer, sent = packed(batch, kinds, device=device)
        # Two, so that one can be filled while the transfer of the other is still to come.
        self.staged = [packed(batch, kinds, pin_memory=on_gpu) for _ in range(2 if on_gpu else 1)]
        self.sent = [torch.cuda.Event() for _ in self.staged] if on_gpu else []
        self.turn = 0
        self.tensors = {name: sent[name] if name in kinds else torch.empty_like(example[name]) for name in example}

    def fits(self, others: Mapping[str, Tensor]) -> bool:
        """Whether others have the names, shapes and types of the example."""
        return self.tensors.keys() == others.keys() and all(
            tensor.shape == others[name].shape and tensor.dtype == others[name].dtype
            for name, tensor in self.tensors.items()
        )

    def put(self, others: Mapping[str, Tensor]) -> None:
        """Take over the numbers of others that fit."""
        buffer, staged = self.staged[self.turn]
        if self.sent:
            self.sent[self.turn].synchronize()
        for name, tensor in staged.items():
            tensor.copy_(others[name])
        self.buffer.copy_(buffer, non_blocking=True)
        if self.sent:
            self.sent[self.turn].record()
        self.turn = (self.turn + 1) % len(self.staged)
        for name, tensor in self.tensors.items():
            if name not in staged:
                tensor.copy_(others[name])


def width(tensors: Mapping[str, Tensor]) -> Callable[[str], int]:
    """A key that sorts names of tensors by the bytes of their numbers, wide ones first."""
    return lambda name: -tensors[name].element_size()

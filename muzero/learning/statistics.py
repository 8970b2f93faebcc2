"""What a forward pass writes into a model: kept as it was where the batch turns out to be bad."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn


class Statistics:
    """The buffers that a forward pass may write, such as running means and variances of batch norms.

    They are those of a checkpoint: what is not stored, such as the atoms of a distribution, is constant.  They are
    copied side by side and taken back as one, so that the operations are as few as the types of numbers.
    """

    def __init__(self, *modules: nn.Module) -> None:
        """Find those of modules, whose tensors stay where they are."""
        self.tensors = [buffer for module in modules for buffer in stored(module)]
        groups: dict[torch.dtype, list[Tensor]] = defaultdict(list)
        for tensor in self.tensors:
            groups[tensor.dtype].append(tensor)
        self.groups = list(groups.values())

    def copies(self) -> list[Tensor]:
        """Copies of the numbers as they are now, for `take_back`."""
        return [side_by_side(tensors) for tensors in self.groups]

    @torch.no_grad()
    def take_back(self, before: list[Tensor], good: Tensor) -> None:
        """Put back earlier numbers unless the batch was good, which the host need not know.

        Args:
            before: as `copies` gave them.
            good: bool, scalar.
        """
        for tensors, earlier in zip(self.groups, before, strict=True):
            kept = torch.where(good, side_by_side(tensors), earlier).split([tensor.numel() for tensor in tensors])
            pieces = [piece.view(tensor.shape) for piece, tensor in zip(kept, tensors, strict=True)]
            torch._foreach_copy_(tensors, pieces)  # type: ignore[attr-defined]


def stored(module: nn.Module) -> list[Tensor]:
    """The buffers of a module that a checkpoint holds, each once."""
    names = module.state_dict().keys()
    return [buffer for name, buffer in module.named_buffers() if name in names and buffer.numel()]


def side_by_side(tensors: list[Tensor]) -> Tensor:
    """[N] a copy of all numbers."""
    return torch.cat([tensor.flatten() for tensor in tensors])

"""A slow copy of a model."""

from __future__ import annotations

import torch
from torch import Tensor

from muzero.interfaces import WorldModel


class Follower:
    """Moves the weights and statistics of a slow copy towards those of a model, whose tensors stay the same ones."""

    def __init__(self, slow: WorldModel, model: WorldModel) -> None:
        pairs = [*zip(slow.state_dict().values(), model.state_dict().values(), strict=True)]
        self.numbers = [pair for pair in pairs if pair[0].is_floating_point()]
        self.counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def copy(self) -> None:
        """Take over the model's numbers."""
        slow, model = zip(*self.numbers, strict=True)
        torch._foreach_copy_(slow, model)  # type: ignore[attr-defined]
        self._count()

    @torch.no_grad()
    def move(self, share: float | Tensor, finite: Tensor) -> None:
        """Move by a share of the way; counts are copied.

        finite: bool, scalar; where false, the model has not changed, and the copy does not move.
        """
        slow, model = zip(*self.numbers, strict=True)
        torch._foreach_lerp_(slow, model, [share * finite.float()] * len(slow))  # type: ignore[attr-defined]
        self._count()

    def _count(self) -> None:
        for mine, other in self.counts:
            mine.copy_(other)

"""What an update gives."""

from __future__ import annotations

import torch
from torch import Tensor

from muzero.interfaces import Loss


class Update:
    """The results of an update: tensors on the learner's device, ready when the device has computed them."""

    def __init__(self, numbers: Tensor, metrics: tuple[str, ...], terms: tuple[str, ...]) -> None:
        """Name the numbers.

        Args:
            numbers: [B + M + 1] float32: priorities, metrics, and 1 where the gradient was finite.
            metrics: names of the M metrics: the objective's terms and metrics, and "gradient", the gradient's norm.
            terms: names of the metrics whose sum was minimised.
        """
        self.numbers, self.names, self.terms = numbers, metrics, terms

    @property
    def priority(self) -> Tensor:
        """[B] new priorities of the rows; meaningless where the update was skipped."""
        return self.numbers[: -1 - len(self.names)]

    @property
    def metrics(self) -> dict[str, Tensor]:
        """Scalars by name."""
        return dict(zip(self.names, self.numbers[-1 - len(self.names) : -1].unbind(), strict=True))

    @property
    def finite(self) -> Tensor:
        """Bool, scalar; false: the gradient was not finite, and the update was skipped."""
        return self.numbers[-1] != 0


@torch.no_grad()
def joined(terms: dict[str, Tensor], loss: Loss, norm: Tensor, finite: Tensor) -> tuple[Tensor, tuple[str, ...]]:
    """The numbers of an `Update`, and the names of its metrics.

    Args:
        terms: means of the loss terms.
        loss: what the objective returned.
        norm: of the gradient.
        finite: whether that is finite, bool.

    Raises:
        ValueError: naming the figure that there is twice.
    """
    found = {name: term.detach() for name, term in terms.items()}
    for name, figure in [*loss.metrics.items(), ("gradient", norm)]:
        if name in found:
            raise ValueError(
                f"the objective gives two figures the name {name!r}; terms and metrics need different names"
            )
        found[name] = figure.detach().float().mean()
    figures = torch.stack([*(figure.float() for figure in found.values()), finite.float()])
    return torch.cat([loss.priority.detach().float(), figures]), tuple(found)

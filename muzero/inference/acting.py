"""A copy of a model that acts on a GPU: folded, laid out for its convolutions, perhaps in bfloat16."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from muzero.inference.weights import FoldedCopy, WeightWatcher
from muzero.interfaces import Latent, WorldModel
from muzero.util.recorded import Recorded

PRODUCTS = (nn.Conv2d, nn.Linear)
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


class NotInBfloat16(Exception):
    """A model does not compute with convolutions in bfloat16; the message says why."""

    verb = "computed in bfloat16"


class ActingCopy:
    """A copy of a model that takes over its weights before each search, whether or not they have changed.

    To find out on a GPU whether they have, the host would have to wait.  Taking them over is one replay of a recording
    instead, a small part of a search.  The copy's tensors stay where they are, so recorded simulations follow, too.
    """

    def __init__(self, model: WorldModel, device: torch.device, bfloat16: bool) -> None:
        """Copy a model.

        Args:
            model: is followed; it must lie on the device.
            device: of the model.
            bfloat16: compute convolutions and matrix products in bfloat16; all other layers stay float32.
        """
        self.bfloat16 = bfloat16
        self.copy = FoldedCopy(model)
        self.network = self.copy.network
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if bfloat16:
            narrow(self.network)
        self.watcher = WeightWatcher(model)
        self.recorded = Recorded(self.copy.follow, device)

    def follow(self) -> None:
        """Take over the present weights of the model."""
        if self.watcher.changed():  # on a GPU: other tensors have taken the place of those that were recorded
            self.recorded.forget()
            self.recorded.prepare()
        self.recorded()

    def kept(self, latent: Latent) -> Latent:
        """A latent in the type in which the copy keeps those of a search."""
        if not self.bfloat16:
            return latent
        return {name: rows.bfloat16() if rows.is_floating_point() else rows for name, rows in latent.items()}


def narrow(network: nn.Module) -> None:
    """Have convolutions and matrix products compute in bfloat16, from inputs of any type; norms stay float32.

    Only weights of these layers are converted, not buffers: numbers such as the atoms of a distribution stay exact.
    """
    for module in network.modules():
        if isinstance(module, PRODUCTS):
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.to(torch.bfloat16)
        if isinstance(module, (*PRODUCTS, *NORMS)):
            module.register_forward_pre_hook(as_its_weights)


def as_its_weights(module: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a layer is given, in the type of its weights."""
    weight = module.weight
    if not isinstance(weight, Tensor) or not given or not isinstance(given[0], Tensor):
        return given
    return given[0].to(weight.dtype), *given[1:]

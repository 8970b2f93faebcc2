"""A model's weights for acting: batch norms folded, changes detected."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from muzero.interfaces import WorldModel


def folded(model: WorldModel) -> WorldModel:
    """A copy for acting with its batch norms folded into convolutions; the model itself if it has no batch norm.

    A batch norm is folded where it follows a convolution directly in an `nn.Sequential`.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in model.modules()):
        return model
    result = copy.deepcopy(model).eval().requires_grad_(False)
    for layers in result.modules():
        if not isinstance(layers, nn.Sequential):
            continue
        for (left, layer), (right, norm) in pairwise(list(layers.named_children())):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(layers, left, fuse_conv_bn_eval(layer, norm))
                setattr(layers, right, nn.Identity())
    return result


class WeightWatcher:
    """Detects every change of a model's weights, by comparing them with a copy.

    PyTorch's version counters do not suffice: fused optimisers, batch norms and `tensor.data` write past them.
    Comparing costs at most 0.1 ms per megabyte, once per search.  Of weights on a GPU the addresses are compared, not
    the contents.
    """

    def __init__(self, model: nn.Module) -> None:
        # The dicts, not the modules: a watcher must not keep its model alive.
        self.groups = [group for module in model.modules() for group in (module._parameters, module._buffers)]
        self.seen: list[tuple[Tensor, int, np.ndarray, bytearray]] = []

    def changed(self) -> bool:
        """Whether the weights differ from those of the last call; true at first."""
        tensors = [tensor for group in self.groups for tensor in group.values() if tensor is not None]
        if len(tensors) == len(self.seen) and all(
            tensor is known and tensor.data_ptr() == place and copied == live
            for tensor, (known, place, live, copied) in zip(tensors, self.seen, strict=True)
        ):
            return False
        self.seen = [(tensor, tensor.data_ptr(), *_content(tensor)) for tensor in tensors]
        return True


def _content(tensor: Tensor) -> tuple[np.ndarray, bytearray]:
    """The bytes of a tensor on the host, as a view that follows changes and as a copy; empty on a GPU."""
    if tensor.device.type != "cpu":
        return np.empty(0, np.uint8), bytearray()
    live = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage()).numpy()
    return live, bytearray(live)

"""A model's weights for acting: batch norms folded, changes detected."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights

from muzero.interfaces import WorldModel


class FoldedCopy:
    """A copy of a model for acting, with its batch norms folded into convolutions, which follows the model's weights.

    A batch norm is folded where it follows a convolution directly in an `nn.Sequential`.
    """

    def __init__(self, model: WorldModel) -> None:
        self.network = network = copy.deepcopy(model).eval().requires_grad_(False)
        # What is read are the dicts of modules, not the modules: a copy must not keep its model alive.
        originals: dict[str, Any] = dict(model.named_modules())
        modules: dict[str, Any] = dict(network.named_modules())
        self.folded: list[tuple[Any, ...]] = []  # what is folded, and what acts
        names = folding(network)
        for name, norm in names:
            layer = fuse_conv_bn_eval(modules[name], modules[norm])
            network.set_submodule(name, layer)
            network.set_submodule(norm, nn.Identity())
            found = originals[norm]
            self.folded.append((originals[name]._parameters, found._parameters, found._buffers, found.eps, layer))
        apart = tuple(f"{name}." for name, _ in names)
        self.others: list[tuple[dict[str, Any], dict[str, Any], str]] = []  # where a tensor is found, and what acts
        modules = dict(network.named_modules())
        for name, _ in (*network.named_parameters(), *network.named_buffers()):
            if not name.startswith(apart):
                owner, _, last = name.rpartition(".")
                group = "_parameters" if last in originals[owner]._parameters else "_buffers"
                self.others.append((getattr(originals[owner], group), getattr(modules[owner], group), last))

    @torch.inference_mode()
    def follow(self) -> None:
        """Take over the present weights of the model."""
        for weights, scale, statistics, epsilon, layer in self.folded:
            mean, variance = statistics["running_mean"], statistics["running_var"]
            weight, bias = weights["weight"], weights["bias"]
            fused = fuse_conv_bn_weights(weight, bias, mean, variance, epsilon, scale["weight"], scale["bias"])
            layer.weight.copy_(fused[0])
            layer.bias.copy_(fused[1])
        for place, mine, name in self.others:
            mine[name].copy_(place[name])


def folding(model: nn.Module) -> list[tuple[str, str]]:
    """The names of each convolution with a batch norm behind it, and of that norm."""
    found = []
    for path, layers in model.named_modules():
        if isinstance(layers, nn.Sequential):
            for (left, layer), (right, norm) in pairwise(layers.named_children()):
                if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    found.append((f"{path}.{left}".lstrip("."), f"{path}.{right}".lstrip(".")))
    return found


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

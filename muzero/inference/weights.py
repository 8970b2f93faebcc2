"""A model's weights for acting: batch norms folded, changes detected."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from muzero.interfaces import WorldModel
from muzero.util.tensors import copy_all


class FoldedCopy:
    """A copy of a model for acting, with its batch norms folded into convolutions, which follows the model's weights.

    A batch norm is folded where it follows a convolution directly in an `nn.Sequential`.
    """

    def __init__(self, model: WorldModel) -> None:
        self.network = network = copy.deepcopy(model).eval().requires_grad_(False)
        # What is read are the dicts of modules, not the modules: a copy must not keep its model alive.
        originals: dict[str, Any] = dict(model.named_modules())
        modules: dict[str, Any] = dict(network.named_modules())
        self.folded: list[Folded] = []
        names = folding(network)
        for name, norm in names:
            layer = fuse_conv_bn_eval(modules[name], modules[norm])
            network.set_submodule(name, layer)
            network.set_submodule(norm, nn.Identity())
            self.folded.append(Folded(originals[name], originals[norm], layer))
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
        """Take over the present weights of the model: of all layers at once, which are few operations on a GPU."""
        targets = [mine[name] for _, mine, name in self.others]
        sources = [place[name] for place, _, name in self.others]
        if self.folded:
            weights, biases = fold([each.tensors() for each in self.folded], [each.epsilon for each in self.folded])
            targets += [each.layer.weight for each in self.folded] + [each.layer.bias for each in self.folded]
            sources += weights + biases
        copy_all(targets, sources)


class Folded:
    """Where the weights of a convolution and of the batch norm behind it are found, and the layer that acts."""

    def __init__(self, convolution: Any, norm: Any, layer: Any) -> None:
        self.weights, self.scale, self.statistics = convolution._parameters, norm._parameters, norm._buffers
        self.epsilon, self.layer = norm.eps, layer
        self.zeros, self.ones = torch.zeros_like(layer.bias), torch.ones_like(layer.bias)  # where there are no weights

    def tensors(self) -> tuple[Tensor, ...]:
        """As `fold` takes them, as they are now."""
        bias, scale, shift = self.weights["bias"], self.scale["weight"], self.scale["bias"]
        return (
            self.weights["weight"],
            self.zeros if bias is None else bias,
            self.statistics["running_mean"],
            self.statistics["running_var"],
            self.ones if scale is None else scale,
            self.zeros if shift is None else shift,
        )


def fold(layers: Sequence[tuple[Tensor, ...]], epsilons: list[float]) -> tuple[list[Tensor], list[Tensor]]:
    """The weights and biases of convolutions that do what these do with the batch norms behind them.

    It computes what torch.nn.utils.fusion.fuse_conv_bn_weights does, bit for bit, of all layers at once.

    Args:
        layers: weight and bias of each convolution; mean, variance, scale and shift of its norm.
        epsilons: of the norms.
    """
    weight, bias, mean, variance, scale, shift = (list(tensors) for tensors in zip(*layers, strict=True))
    inverse = torch._foreach_rsqrt(torch._foreach_add(variance, epsilons))  # type: ignore[attr-defined]
    factor = torch._foreach_mul(scale, inverse)  # type: ignore[attr-defined]
    moved = torch._foreach_mul(torch._foreach_sub(bias, mean), inverse)  # type: ignore[attr-defined]
    biases = torch._foreach_add(torch._foreach_mul(moved, scale), shift)  # type: ignore[attr-defined]
    return [each * of.view(-1, 1, 1, 1) for each, of in zip(weight, factor, strict=True)], list(biases)


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

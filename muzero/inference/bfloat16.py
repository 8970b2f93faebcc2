"""Functions of a model whose convolutions compute in bfloat16, as graphs of torch.fx."""

from __future__ import annotations

import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

SUMS = (operator.add, torch.add)
ROWS = 64  # that weights are packed for
RECTIFIERS = (F.relu, torch.relu, "relu")


class NotTraceable(Exception):
    """A model is not a fixed sequence of operations; the message says why."""

    verb = "traced"


class Convolution(nn.Module):
    """A convolution in bfloat16, with the sum and the rectifier that follow it, as one call of oneDNN.

    The operators are those that torch.compile makes of such layers.  Weights are packed at the first call, for one
    number of rows always, so that results do not depend on which search came first.
    """

    def __init__(self, layer: nn.Conv2d, rectified: bool) -> None:
        super().__init__()
        self.layer, self.after = layer, "relu" if rectified else "none"
        self.settings = list(layer.padding), list(layer.stride), list(layer.dilation), layer.groups
        self.packed: tuple[Tensor, Tensor | None] | None = None

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        """Planes, and what is added to the result, both bfloat16 -> the same."""
        weight, bias = self.packed = self.packed or self._pack([ROWS, *x.shape[1:]])
        ending = weight, bias, *self.settings
        if other is None:
            return torch.ops.mkldnn._convolution_pointwise(x, *ending, self.after, [], "")
        return torch.ops.mkldnn._convolution_pointwise.binary(x, other, *ending, "add", 1.0, self.after, [], "")

    def _pack(self, shape: list[int]) -> tuple[Tensor, Tensor | None]:
        weight = self.layer.weight.to(torch.bfloat16)
        bias = None if self.layer.bias is None else self.layer.bias.to(torch.bfloat16)
        return torch.ops.mkldnn._reorder_convolution_weight(weight, *self.settings, shape), bias


def narrowed(x: Tensor) -> Tensor:
    """Planes in bfloat16, laid out as convolutions read them."""
    return x.to(torch.bfloat16, memory_format=torch.channels_last)


def in_bfloat16(function: nn.Module, *example: Any) -> fx.GraphModule:
    """The same function with its convolutions in bfloat16; all else stays float32.

    Args:
        function: without batch norms.  The graph has its layers, whose weights can be replaced: see `repack`.
        example: arguments.

    Raises:
        NotTraceable: if the function is not a fixed sequence of operations, as where it depends on values of tensors.
    """
    try:
        module = fx.GraphModule(function, ActingTracer().trace(function))
        ShapeProp(module).propagate(*example)
        Narrowing(module).run()
        module(*example)
    except Exception as error:  # this runs the code of any model
        raise NotTraceable(f"{type(error).__name__}: {error}") from error
    return module


class Acting(fx.Proxy):
    """What stands for a tensor in a trace, with what is known of all: a model that acts computes no gradients."""

    requires_grad = False


class ActingTracer(fx.Tracer):
    """A tracer of models that act."""

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return Acting(node, self)


def repack(module: fx.GraphModule) -> None:
    """Have the convolutions read the weights of their layers again."""
    for layer in module.modules():
        if isinstance(layer, Convolution):
            layer.packed = None


class Narrowing:
    """Replaces the convolutions of a traced function."""

    def __init__(self, module: fx.GraphModule) -> None:
        self.module, self.graph = module, module.graph
        self.layers: dict[Any, Any] = dict(module.named_modules())
        self.wide: dict[fx.Node, fx.Node] = {}  # what a convolution's result is as float32 -> the result
        self.narrow: dict[fx.Node, fx.Node] = {}  # float32 -> bfloat16

    def run(self) -> None:
        """Replace them all, and leave out what follows from none of them."""
        for node in list(self.graph.nodes):
            if self._is(node, nn.Identity):  # was a batch norm
                node.replace_all_uses_with(node.args[0])
                self.graph.erase_node(node)
        for node in list(self.graph.nodes):
            if self._is(node, nn.Conv2d) and replaceable(self.layers[node.target]) and len(node.args) == 1:
                self._replace(node)
        self.graph.eliminate_dead_code()
        self.module.recompile()

    def _is(self, node: fx.Node, kind: type[nn.Module]) -> bool:
        return node.op == "call_module" and isinstance(self.layers[node.target], kind)

    def _replace(self, node: fx.Node) -> None:
        """Replace a convolution, with the sum and the rectifier behind it where nothing else reads between them."""
        last, planes = node, list(node.args)
        added = only_user(node)
        if added is not None and added.target in SUMS and not added.kwargs and alike(added, *added.args):
            others = [term for term in added.args if term is not node]
            if len(others) == 1 and self.layers[node.target].groups == 1:
                last, planes = added, planes + others
        rectifier = only_user(last)
        if rectifier is not None and (rectifier.target in RECTIFIERS or self._is(rectifier, nn.ReLU)):
            last = rectifier
        name = f"narrow_{len(self.wide)}"
        self.module.add_submodule(name, Convolution(self.layers[node.target], rectified=last is rectifier))
        with self.graph.inserting_before(last):
            result = self.graph.call_module(name, tuple(map(self._narrowed, planes)))
            wide = self.graph.call_method("float", (result,))
        wide.meta.update(last.meta)
        self.wide[wide] = result
        last.replace_all_uses_with(wide)

    def _narrowed(self, node: Any) -> fx.Node:
        """The node in bfloat16: of planes side by side, each on its own, since one may be needed elsewhere."""
        if node in self.wide:
            return self.wide[node]
        if node not in self.narrow:
            made: tuple[Any, ...] = narrowed, (node,)
            if node.target is torch.cat and node.args and isinstance(node.args[0], list | tuple):
                made = torch.cat, ([self._narrowed(part) for part in node.args[0]], *node.args[1:]), node.kwargs
            with self.graph.inserting_after(node):
                self.narrow[node] = self.graph.call_function(*made)
        return self.narrow[node]


def replaceable(layer: nn.Conv2d) -> bool:
    """Whether `Convolution` computes what the layer does."""
    return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def only_user(node: fx.Node) -> fx.Node | None:
    """The only node that reads this one."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def alike(*nodes: Any) -> bool:
    """Whether these are tensors of one shape and type."""
    metas = [node.meta.get("tensor_meta") if isinstance(node, fx.Node) else None for node in nodes]
    kinds = {meta and (meta.shape, meta.dtype) for meta in metas}
    return None not in kinds and len(kinds) == 1

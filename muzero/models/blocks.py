"""Blocks that networks are built from."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALLEST = 1e-5  # of a range that is scaled to [0, 1]
GROUP = 8  # numbers that share 1 in a latent of simplices, as in TD-MPC2


def scale_to_unit(x: Tensor, dims: int | tuple[int, ...]) -> Tensor:
    """Shift and scale each latent to [0, 1] over dims (Schrittwieser et al. 2020, Appendix G); not over no dims."""
    if dims == ():
        return x
    if dims == (-3, -2, -1) and torch.is_grad_enabled():
        rows = ScaledRows.apply(x.permute(0, 2, 3, 1).flatten(1))  # as planes lie in memory while a model learns
        return rows.unflatten(1, (*x.shape[2:], x.shape[1])).permute(0, 3, 1, 2)  # type: ignore[union-attr]
    if dims == -1 and torch.is_grad_enabled():
        return ScaledRows.apply(x)  # type: ignore[return-value]
    low, high = x.amin(dims, keepdim=True), x.amax(dims, keepdim=True)
    return (x - low) / (high - low).clamp(min=SMALLEST)


def simplices(x: Tensor, dim: int) -> Tensor:
    """Each group of 8 numbers along dim as shares of 1: y_i = exp(x_i) / sum_j exp(x_j), j over the group.

    Simplicial normalisation (Lavoie et al. 2023): it bounds a latent, and draws it to few large shares, without making
    it discrete.  TD-MPC2 keeps its dynamics stable by it (Hansen et al. 2024).
    """
    inside = dim if dim < 0 else dim + 1
    return x.unflatten(dim, (-1, GROUP)).softmax(inside).flatten(inside - 1, inside)


class ScaledRows(torch.autograd.Function):
    """Rows [B, N] scaled to [0, 1], whose gradient takes half the time of that of the single operations.

    Where several numbers of a row are the least or the largest, the first has their gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        low, at_low = x.min(1, keepdim=True)
        high, at_high = x.max(1, keepdim=True)
        span = (high - low).clamp(min=SMALLEST)
        scaled = (x - low) / span
        ctx.save_for_backward(scaled, span, at_low, at_high, (high - low) >= SMALLEST)
        return scaled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        scaled, span, at_low, at_high, varies = ctx.saved_tensors
        found = gradients[0] / span
        # scaled = (x - low) / (high - low): both ends have a share in the gradient of every number.
        of_span, of_all = (found * scaled).sum(1, keepdim=True) * varies, found.sum(1, keepdim=True)
        # Sums are wider where this is compiled under autocast.
        found.scatter_add_(1, at_low, (of_span - of_all).to(found.dtype))
        return found.scatter_add_(1, at_high, -of_span.to(found.dtype))


def zero(layer: nn.Linear) -> nn.Linear:
    """Set weights and biases to 0, so that an untrained head is uniform and does not mislead the first searches."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class Standardised(nn.Module):
    """Shifts and scales each number to mean 0 and variance 1 over what was learned from, both estimated while learning.

    The estimates weigh all batches alike at first, and about the last thousand later.
    """

    LEAST = 1e-2  # standard deviation: what hardly ever varies is not blown up
    SLOWEST = 1e-3  # share of a new batch in the estimates

    mean: Tensor
    square: Tensor
    batches: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("square", torch.ones(features))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                self.batches += 1
                share = (1 / self.batches).clamp(min=self.SLOWEST)
                self.mean.lerp_(x.mean(0), share)
                self.square.lerp_(x.square().mean(0), share)
        return self.scaled(x)

    def scaled(self, x: Tensor) -> Tensor:
        """The same by the estimates as they are, which do not learn from it."""
        deviation = (self.square - self.mean.square()).clamp(min=self.LEAST**2).sqrt()
        return (x - self.mean) / deviation


def mlp(inputs: int, hidden: int, layers: int) -> nn.Sequential:
    """A network of `layers` times Linear, LayerNorm and ReLU."""
    blocks: list[nn.Module] = []
    for i in range(layers):
        blocks += [nn.Linear(inputs if i == 0 else hidden, hidden), nn.LayerNorm(hidden), nn.ReLU()]
    return nn.Sequential(*blocks)


class ResidualLinear(nn.Module):
    """A pre-normalised residual block over vectors."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, width)
        self.narrow = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(F.relu(self.widen(self.norm(x))))


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A convolution with batch norm, which can be folded into the convolution for acting."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs))


class FewPlanes(nn.BatchNorm2d):
    """Batch norm of so few planes that are flattened next that it is faster where each plane lies in one piece."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.contiguous() if self.training else input)


def squeezing(inputs: int, outputs: int) -> nn.Sequential:
    """A convolution of single squares to fewer planes, with batch norm and ReLU."""
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), FewPlanes(outputs)),
        nn.ReLU(),
    )


class ResidualConvolution(nn.Module):
    """The residual block of AlphaZero and MuZero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


def encoder_layers(planes: int, channels: int, halvings: int, blocks: int) -> list[nn.Module]:
    """Layers from observation planes to latent channels: a residual block after each halving, `blocks` at the end."""
    layers: list[nn.Module] = []
    for halving in range(halvings):
        # Most time goes into the full-size image, so it gets half the channels.
        width = channels // 2 if halving == 0 and halvings > 1 else channels
        layers += [convolution(planes, width, stride=2), nn.ReLU(), ResidualConvolution(width)]
        planes = width
    if halvings == 0:
        layers += [convolution(planes, channels), nn.ReLU()]
    return [*layers, *residuals(channels, blocks)]


def residuals(channels: int, blocks: int) -> nn.Sequential:
    """Residual blocks, one after the other."""
    return nn.Sequential(*(ResidualConvolution(channels) for _ in range(blocks)))

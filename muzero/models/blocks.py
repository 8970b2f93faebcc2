"""Blocks that networks are built from."""

import torch.nn.functional as F
from torch import Tensor, nn


def scale_to_unit(x: Tensor, dims: int | tuple[int, ...]) -> Tensor:
    """Shift and scale each latent to [0, 1] over dims (Schrittwieser et al. 2020, Appendix G); not over no dims."""
    if dims == ():
        return x
    low, high = x.amin(dims, keepdim=True), x.amax(dims, keepdim=True)
    return (x - low) / (high - low).clamp(min=1e-5)


def zero(layer: nn.Linear) -> nn.Linear:
    """Set weights and biases to 0, so that an untrained head is uniform and does not mislead the first searches."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


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


def convolution(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """A convolution with batch norm, which can be folded into the convolution for acting."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs)
    )


class ResidualConvolution(nn.Module):
    """The residual block of AlphaZero and MuZero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))

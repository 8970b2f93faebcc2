"""Network blocks and output heads."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

TRANSFORM_SLOPE = 0.001  # epsilon of the value transform


def value_transform(x: NDArray | np.float64) -> NDArray | np.float64:
    """h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x (Pohlen et al. 2018; Schrittwieser et al. 2020, Appendix F)."""
    return np.sign(x) * (np.sqrt(np.abs(x) + 1) - 1) + TRANSFORM_SLOPE * x


def inverse_value_transform(y: NDArray | np.float64) -> NDArray | np.float64:
    """The x for which ``value_transform(x) == y``."""
    root = np.sqrt(1 + 4 * TRANSFORM_SLOPE * (np.abs(y) + 1 + TRANSFORM_SLOPE))
    return np.sign(y) * (((root - 1) / (2 * TRANSFORM_SLOPE)) ** 2 - 1)


def support(low: float, high: float, atoms: int) -> Tensor:
    """Numbers from low to high, ascending, evenly spaced after the value transform: fine near 0, coarse far away."""
    grid = np.linspace(value_transform(np.float64(low)), value_transform(np.float64(high)), atoms)
    return torch.tensor(inverse_value_transform(grid), dtype=torch.float32)


# --- heads -----------------------------------------------------------------------------------------------------


class Discrete:
    """A categorical distribution over ascending numbers; a number between two atoms counts as a mixture of them.

    The mixture is linear in reward units ("two-hot", Hafner et al. 2023, eq. 9), so the mean of a
    distribution that fits its targets is their mean; averaging in transformed units, as MuZero does, is biased.
    """

    def __init__(self, logits: Tensor, atoms: Tensor) -> None:
        self.logits = logits  # [B, number of atoms]
        self.atoms = atoms

    @property
    def mean(self) -> Tensor:
        """[B]."""
        return self.logits.softmax(-1) @ self.atoms

    def loss(self, target: Tensor) -> Tensor:
        """[B] cross entropy from the two-hot encoding of target [B]; targets beyond the atoms are clamped."""
        target = target.clamp(self.atoms[0], self.atoms[-1])
        above = torch.searchsorted(self.atoms, target).clamp(1, len(self.atoms) - 1)  # NaN stays a NaN loss
        low, high = self.atoms[above - 1], self.atoms[above]
        share = (target - low) / (high - low)
        log_probability = self.logits.log_softmax(-1)
        at_low = log_probability.gather(-1, (above - 1).unsqueeze(-1)).squeeze(-1)
        at_high = log_probability.gather(-1, above.unsqueeze(-1)).squeeze(-1)
        return -((1 - share) * at_low + share * at_high)


class Policy:
    """A categorical distribution over actions."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits  # [B, A]

    def loss(self, target: Tensor) -> Tensor:
        """[B] cross entropy from the probabilities target [B, A]."""
        return -(target * self.logits.log_softmax(-1)).sum(-1)


# --- blocks ----------------------------------------------------------------------------------------------------


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """The same numbers; gradients are multiplied by factor on their way back."""
    return x * factor + x.detach() * (1 - factor)


def scale_to_unit(x: Tensor, dims: int | tuple[int, ...]) -> Tensor:
    """Shift and scale each latent to [0, 1] over dims (Schrittwieser et al. 2020, Appendix G)."""
    low, high = x.amin(dims, keepdim=True), x.amax(dims, keepdim=True)
    return (x - low) / (high - low).clamp(min=1e-5)


def zero(layer: nn.Linear) -> nn.Linear:
    """Zero-initialise: an untrained head then says nothing, so the first searches follow no noise."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def mlp(inputs: int, hidden: int, layers: int) -> nn.Sequential:
    """layers times Linear, LayerNorm, ReLU."""
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
    """Convolution and batch norm; the norm can be folded into the convolution when acting."""
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

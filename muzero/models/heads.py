"""Output heads: distributions over numbers and over actions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TRANSFORM_SLOPE = 0.001  # epsilon of the value transform


def value_transform(x: NDArray | np.float64) -> NDArray | np.float64:
    """h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x (Pohlen et al. 2018; Schrittwieser et al. 2020, Appendix F)."""
    return np.sign(x) * (np.sqrt(np.abs(x) + 1) - 1) + TRANSFORM_SLOPE * x


def inverse_value_transform(y: NDArray | np.float64) -> NDArray | np.float64:
    """The x for which ``value_transform(x) == y``."""
    root = np.sqrt(1 + 4 * TRANSFORM_SLOPE * (np.abs(y) + 1 + TRANSFORM_SLOPE))
    return np.sign(y) * (((root - 1) / (2 * TRANSFORM_SLOPE)) ** 2 - 1)


def support(low: float, high: float, atoms: int) -> Tensor:
    """Ascending numbers from low to high, evenly spaced after the value transform: dense near 0, sparse far away."""
    grid = np.linspace(value_transform(np.float64(low)), value_transform(np.float64(high)), atoms)
    return torch.tensor(inverse_value_transform(grid), dtype=torch.float32)


class Categorical:
    """A categorical distribution over ascending numbers; a number between two atoms is a mixture of the two.

    The mixture is linear in reward units ("two-hot", Hafner et al. 2023, eq. 9), so a distribution that fits its
    targets has their mean.  Averaging in transformed units, as MuZero does, is biased.
    """

    def __init__(self, logits: Tensor, atoms: Tensor) -> None:
        self.logits = logits  # [B, number of atoms]
        self.atoms = atoms

    @property
    def mean(self) -> Tensor:
        """[B] the mean of the distribution: the number expected."""
        return self.logits.softmax(-1) @ self.atoms

    def loss(self, target: Tensor) -> Tensor:
        """[B] cross entropy from the two-hot encoding of target [B]; targets beyond the atoms are clamped."""
        target = target.clamp(self.atoms[0], self.atoms[-1])
        above = torch.searchsorted(self.atoms, target).clamp(1, len(self.atoms) - 1)  # a NaN target gives a NaN loss
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

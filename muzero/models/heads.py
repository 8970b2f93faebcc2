"""Output heads: distributions over numbers and over actions."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from muzero.actions import Box, Discrete, Space

MOST_MEAN = 5.0  # of a real-valued action before tanh
NEAR_BOUND = 0.999  # actions are clamped to this, since atanh is infinite at -1 and 1
TRANSFORM_SLOPE = 0.001  # epsilon of the value transform
AUTOCAST = ("cpu", "cuda")  # devices for which layers may be cast while a model learns


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


class TwoHot:
    """A categorical distribution over ascending numbers; a number between two atoms is a mixture of the two.

    The mixture is linear in reward units ("two-hot", Hafner et al. 2023, eq. 9), so a distribution that fits its
    targets has their mean.  Averaging in transformed units, as MuZero does, is biased.
    """

    members = None
    epistemic = None

    def __init__(self, logits: Tensor, atoms: Tensor) -> None:
        self.logits = logits  # [B, number of atoms]
        self.atoms = atoms

    @property
    def mean(self) -> Tensor:
        """[B] the mean of the distribution: the number expected."""
        probabilities = self.logits.softmax(-1)
        if any(map(torch.is_autocast_enabled, AUTOCAST)):  # which would multiply matrices in bfloat16
            return (probabilities * self.atoms).sum(-1)
        return probabilities @ self.atoms  # the same numbers for every row, whatever the rows around it

    @property
    def aleatoric(self) -> Tensor:
        """[B] standard deviation of the distribution."""
        distance = self.atoms - self.mean.unsqueeze(-1)
        return (self.logits.softmax(-1) * distance.square()).sum(-1).sqrt()

    def loss(self, target: Tensor, learns: Tensor | None = None) -> Tensor:
        """[B] cross entropy from the two-hot encoding of target [B]; targets beyond the atoms are clamped."""
        return two_hot_loss(self.logits, self.atoms, target)

    def cumulative(self, target: Tensor, tie: Tensor | None = None) -> Tensor:
        """[B] probability of the atoms up to target [B]; see `two_hot_cumulative`."""
        return two_hot_cumulative(self.logits, self.atoms, target, tie)


def two_hot_loss(logits: Tensor, atoms: Tensor, target: Tensor) -> Tensor:
    """[...] cross entropy of distributions [..., number of atoms] from the two-hot encoding of targets [...]."""
    target = target.clamp(atoms[0], atoms[-1])
    above = torch.searchsorted(atoms, target).clamp(1, len(atoms) - 1)  # a NaN target gives a NaN loss
    around = torch.stack([above - 1, above], -1)
    low, high = atoms[around].unbind(-1)
    at_low, at_high = logits.log_softmax(-1).gather(-1, around).unbind(-1)
    return -torch.lerp(at_low, at_high, (target - low) / (high - low))


def two_hot_cumulative(logits: Tensor, atoms: Tensor, target: Tensor, tie: Tensor | None = None) -> Tensor:
    """[...] probability that distributions [..., number of atoms] give to the atoms up to targets [...].

    With a tie [...], uniform numbers in (0, 1), a target between two atoms is at one of them, by the chances of its
    two-hot encoding, and the tie says how much of that atom's probability counts.  So the results are uniform where the
    distribution is what its loss teaches, however coarse the atoms are: low ties choose the lower atom.
    """
    chances = logits.softmax(-1)
    if tie is None:
        return (chances * (atoms <= target.unsqueeze(-1))).sum(-1)
    target, tie = target.expand(chances.shape[:-1]), tie.expand(chances.shape[:-1])
    inside = target.clamp(atoms[0], atoms[-1]).contiguous()
    above = torch.searchsorted(atoms, inside).clamp(1, len(atoms) - 1)
    at_high = (inside - atoms[above - 1]) / (atoms[above] - atoms[above - 1])
    low = tie <= 1 - at_high
    place = torch.where(low, above - 1, above).unsqueeze(-1)
    share = torch.where(low, tie / (1 - at_high), (tie - 1 + at_high) / at_high)
    below = (chances.cumsum(-1) - chances).gather(-1, place).squeeze(-1)
    found = below + share * chances.gather(-1, place).squeeze(-1)
    return torch.where(target < inside, 0.0, torch.where(target > inside, 1.0, found))


class Certain:
    """One number without doubt, as an exact model of a game gives it."""

    members = None
    epistemic = None

    def __init__(self, mean: Tensor) -> None:
        self.mean = mean  # [B]

    @property
    def aleatoric(self) -> Tensor:
        """[B] zeros."""
        return torch.zeros_like(self.mean)

    def loss(self, target: Tensor, learns: Tensor | None = None) -> Tensor:
        """[B] squared error: the negative log likelihood of a normal distribution, up to constants."""
        return 0.5 * (target - self.mean).square()

    def cumulative(self, target: Tensor, tie: Tensor | None = None) -> Tensor:
        """[B] one where the number is below target [B], zero where it is above it, the tie where it is the target."""
        at = torch.ones_like(self.mean) if tie is None else tie
        return torch.where(self.mean == target, at, (self.mean < target).to(self.mean.dtype))


class Categorical:
    """A policy over actions that can be listed."""

    noise = 1

    def __init__(self, parameters: Tensor) -> None:
        self.parameters = parameters  # [B, A] logits

    def loss(self, weights: Tensor, candidates: Tensor | None = None) -> Tensor:
        """[B] cross entropy from weights [B, K] of candidates [B, K]; None: candidate k is action k."""
        logs = self.parameters.log_softmax(-1)
        return -(weights * (logs if candidates is None else logs.gather(-1, candidates))).sum(-1)

    def weights(self) -> Tensor:
        """[B, A] probabilities."""
        return self.parameters.softmax(-1)

    def masked(self, legal: Tensor) -> Categorical:
        """The policy over the legal actions [B, A] alone."""
        # Not minus infinity: a weight of 0 times its logarithm would be NaN.
        return Categorical(self.parameters.masked_fill(~legal, torch.finfo(self.parameters.dtype).min))

    def sample(self, noise: Tensor) -> Tensor:
        """[B] actions: where the uniform noise [B, 1] falls among the cumulated probabilities."""
        below = self.weights().cumsum(-1)
        # Up to the last sum, which rounding may leave below 1: what has no probability is never drawn.
        return (below < noise * below[..., -1:]).sum(-1)

    def mode(self) -> Tensor:
        """[B] the most probable actions."""
        return self.parameters.argmax(-1)

    def log_prob(self, action: Tensor) -> Tensor:
        """[B] logarithm of the probability of actions [B]."""
        return self.parameters.log_softmax(-1).gather(-1, action.unsqueeze(-1)).squeeze(-1)

    def entropy(self, noise: Tensor) -> Tensor:
        """[B] entropy, by its formula."""
        return torch.special.entr(self.weights()).sum(-1)


class SquashedGaussian:
    """A policy over rows of numbers from -1 to 1: the tanh of independent normal variables (Haarnoja et al. 2018).

    The mean before tanh is bounded by 5, where tanh is flat, and the deviation is at least 0.1 (as in EfficientZero V2,
    Wang et al. 2024): a policy that is certain too early would explore no more.
    """

    def __init__(self, parameters: Tensor) -> None:
        self.parameters = parameters  # [B, 2 D]: means, then deviations, both as a network puts them out
        mean, deviation = parameters.chunk(2, -1)
        self.mean, self.deviation = MOST_MEAN * torch.tanh(mean / MOST_MEAN), F.softplus(deviation + 1) + 0.1

    @property
    def noise(self) -> int:
        """Numbers that `sample` takes for each row: two for each normal variable."""
        return self.parameters.shape[-1]

    def loss(self, weights: Tensor, candidates: Tensor | None = None) -> Tensor:
        """[B] minus the weighted sum of log densities.

        Its minimum over parameters has the mean and the variance of the candidates before tanh.

        Args:
            weights: [B, K].
            candidates: [B, K, D]; None: K is 0.
        """
        if candidates is None:
            return weights.sum(-1) + 0 * self.parameters.sum(-1)
        logs = self._log_density(candidates, self.mean.unsqueeze(-2), self.deviation.unsqueeze(-2))
        return -(weights * logs).sum(-1)

    def weights(self) -> Tensor:
        """[B, 0]: real-valued actions cannot be listed."""
        return self.parameters[..., :0]

    def masked(self, legal: Tensor) -> SquashedGaussian:
        """The policy itself: all actions are legal."""
        return self

    def sample(self, noise: Tensor) -> Tensor:
        """[B, D] actions from uniform noise [B, 2 D] (Box and Muller 1958); differentiable."""
        radius, angle = noise.chunk(2, -1)
        normal = (-2 * radius.log()).sqrt() * torch.cos(2 * math.pi * angle)
        return torch.tanh(self.mean + self.deviation * normal)

    def mode(self) -> Tensor:
        """[B, D] the median of each number."""
        return torch.tanh(self.mean)

    def log_prob(self, action: Tensor) -> Tensor:
        """[B] logarithm of the density at actions [B, D]."""
        return self._log_density(action, self.mean, self.deviation)

    def entropy(self, noise: Tensor) -> Tensor:
        """[B] entropy, estimated at one sample."""
        return -self.log_prob(self.sample(noise))

    @staticmethod
    def _log_density(action: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        before = torch.atanh(action.clamp(-NEAR_BOUND, NEAR_BOUND))
        normal = -0.5 * ((before - mean) / deviation).square() - deviation.log() - 0.5 * math.log(2 * math.pi)
        # log(1 - tanh(x)^2), without the cancellation far from 0.
        slope = 2 * (math.log(2) - before - F.softplus(-2 * before))
        return (normal - slope).sum(-1)


POLICIES: dict[type[Space], type[Categorical] | type[SquashedGaussian]] = {
    Discrete: Categorical,
    Box: SquashedGaussian,
}


def policy_of(space: Space, parameters: Tensor) -> Categorical | SquashedGaussian:
    """The policy over a space that a network's output [B, space.parameters] stands for."""
    return POLICIES[type(space)](parameters)

"""The distributions that a model's heads return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class Head(Protocol):
    """A distribution over a number, as a network's head returns it."""

    @property
    def mean(self) -> Tensor:
        """[B] expected value."""
        ...

    def loss(self, target: Tensor, learns: Tensor | None = None) -> Tensor:
        """[B] negative log likelihood of a target (or a loss that orders parameters as it does).

        Args:
            target: [B]; an ensemble also takes [M, B], a target of each member.
            learns: [M, B] bool, the members of an ensemble that learn from a row; None: all.  Without effect on others.
        """
        ...

    def cumulative(self, target: Tensor, tie: Tensor | None = None) -> Tensor:
        """[B] probability of numbers up to target [B]; of an ensemble, the mean over its members: of their mixture.

        Args:
            target: [B].
            tie: [B] uniform numbers in (0, 1), the share that counts of what lies at the target itself.  The results
                are uniform then if targets are drawn from the distribution: the randomised probability integral
                transform (Czado, Gneiting and Held 2009, eq. 1).  None: all of it counts.
        """
        ...

    @property
    def aleatoric(self) -> Tensor:
        """[B] standard deviation that the distribution itself has: chance, which more experience does not remove."""
        ...

    @property
    def members(self) -> Tensor | None:
        """[M, B] means of the members of an ensemble; None: there is one member."""
        ...

    @property
    def epistemic(self) -> Tensor | None:
        """[B] standard deviation between the members: ignorance, which more experience removes; None: one member."""
        ...


class Joined:
    """Distributions over the rows of one batch after the other, as one."""

    def __init__(self, heads: Sequence[Head]) -> None:
        self.heads = heads

    @property
    def mean(self) -> Tensor:
        return torch.cat([head.mean for head in self.heads])

    def loss(self, target: Tensor, learns: Tensor | None = None) -> Tensor:
        count = len(self.heads)
        masks = [None] * count if learns is None else learns.chunk(count, -1)
        parts = zip(self.heads, target.chunk(count, -1), masks, strict=True)
        return torch.cat([head.loss(part, mask) for head, part, mask in parts])

    def cumulative(self, target: Tensor, tie: Tensor | None = None) -> Tensor:
        count = len(self.heads)
        ties = [None] * count if tie is None else tie.chunk(count)
        parts = zip(self.heads, target.chunk(count), ties, strict=True)
        return torch.cat([head.cumulative(part, share) for head, part, share in parts])

    @property
    def aleatoric(self) -> Tensor:
        return torch.cat([head.aleatoric for head in self.heads])

    @property
    def members(self) -> Tensor | None:
        found = [head.members for head in self.heads]
        return None if found[0] is None else torch.cat(found, 1)  # type: ignore[arg-type]

    @property
    def epistemic(self) -> Tensor | None:
        found = [head.epistemic for head in self.heads]
        return None if found[0] is None else torch.cat(found)  # type: ignore[arg-type]


class PolicyHead(Protocol):
    """A distribution over actions."""

    @property
    def parameters(self) -> Tensor:
        """[B, parameters of the space], what a network put out: logits, or means and spreads."""
        ...

    def loss(self, weights: Tensor, candidates: Tensor | None = None) -> Tensor:
        """[B] cross entropy from weighted candidates: minus the sum of weights times log probabilities.

        Args:
            weights: [B, K]; a row of zeros has the loss 0.
            candidates: [B, K, *shape of an action]; None: candidate k is action k.
        """
        ...

    def weights(self) -> Tensor:
        """[B, A] the probabilities of the actions that can be listed; [B, 0] where they cannot be."""
        ...

    def masked(self, legal: Tensor) -> PolicyHead:
        """The policy over the legal actions [B, A] alone."""
        ...

    @property
    def noise(self) -> int:
        """Numbers that `sample` takes for each row."""
        ...

    def sample(self, noise: Tensor) -> Tensor:
        """[B, *shape of an action] drawn by noise [B, noise], uniform numbers in (0, 1]."""
        ...

    def mode(self) -> Tensor:
        """[B, *shape of an action] the most probable action, or the one in the middle of real-valued ones."""
        ...

    def log_prob(self, action: Tensor) -> Tensor:
        """[B] logarithm of the probability, or of its density, of an action of each row."""
        ...

    def entropy(self, noise: Tensor) -> Tensor:
        """[B] entropy; by a formula where one is known, else estimated at the sample that the noise gives."""
        ...


def confidence_bound(head: Head, kappa: Tensor | float) -> Tensor:
    """[B] the mean plus kappa deviations between the members; the mean alone where there is one member."""
    return head.mean if head.epistemic is None else head.mean + kappa * head.epistemic

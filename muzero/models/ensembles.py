"""Ensembles of heads, which know what they do not know: members that learn from other rows, each with a prior.

Networks that start differently agree where they were not taught as well, and an ensemble of them doubts too little.  So
each member adds a random function that is never trained, its prior (Osband et al. 2018): where there are data, it
learns to cancel it; elsewhere the priors differ.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muzero.models.blocks import Standardised
from muzero.models.heads import two_hot_cumulative, two_hot_loss

PRIOR_WIDTH = 32  # of both hidden layers of a prior


class EnsembleLinear(nn.Module):
    """M linear layers side by side: [B, inputs] or [M, B, inputs] -> [M, B, outputs]."""

    weight: Tensor
    bias: Tensor

    def __init__(self, members: int, inputs: int, outputs: int, trained: bool = True, zero: bool = False) -> None:
        """Draw the weights, of variance 1 / inputs.

        Args:
            members: M.
            inputs, outputs: of each layer.
            trained: whether they are parameters; otherwise they are stored with the model and stay as they are.
            zero: begin with zeros in place of random weights.
        """
        super().__init__()
        weight = torch.randn(members, inputs, outputs) / math.sqrt(inputs) * (not zero)
        for name, tensor in (("weight", weight), ("bias", torch.zeros(members, 1, outputs))):
            if trained:
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 2:
            x = x.expand(len(self.weight), *x.shape)
        return torch.baddbmm(self.bias, x, self.weight)


class EnsembleTwoHot:
    """The distributions of M members over a number, as one: their mixture.  Each is that of `TwoHot`, shifted."""

    def __init__(self, logits: Tensor, atoms: Tensor, shift: Tensor) -> None:
        """Take what networks put out.

        Args:
            logits: [M, B, number of atoms].
            atoms: ascending numbers.
            shift: [M, B] added to the atoms of each member: its prior.
        """
        self.logits, self.atoms, self.shift = logits, atoms, shift

    @property
    def members(self) -> Tensor:
        """[M, B] the mean of each member."""
        return (self.logits.softmax(-1) * self.atoms).sum(-1) + self.shift

    @property
    def mean(self) -> Tensor:
        """[B] the mean of the mixture."""
        return self.members.mean(0)

    @property
    def epistemic(self) -> Tensor:
        """[B] standard deviation between the means of the members, all of them: variances add up to the mixture's."""
        return self.members.var(0, correction=0).clamp(min=0).sqrt()

    @property
    def aleatoric(self) -> Tensor:
        """[B] root of the mean variance of the members."""
        chances = self.logits.softmax(-1)
        distance = self.atoms - (chances * self.atoms).sum(-1, keepdim=True)
        return (chances * distance.square()).sum(-1).mean(0).sqrt()

    def loss(self, target: Tensor, learns: Tensor | None = None) -> Tensor:
        """[B] the mean cross entropy of the members that learn from a row; 0 where none does.

        Args:
            target: [B], or [M, B] where members have targets of their own.
            learns: [M, B] bool; None: all of them.
        """
        losses = two_hot_loss(self.logits, self.atoms, target - self.shift)
        if learns is None:
            return losses.mean(0)
        return (losses * learns).sum(0) / learns.sum(0).clamp(min=1)

    def cumulative(self, target: Tensor, tie: Tensor | None = None) -> Tensor:
        """[B] probability that the mixture gives to numbers up to target [B]; tie as of `two_hot_cumulative`."""
        shares = None if tie is None else tie.expand(self.shift.shape)
        return two_hot_cumulative(self.logits, self.atoms, target - self.shift, shares).mean(0)


class EnsembleHead(nn.Module):
    """Networks of one hidden layer from features to distributions over a number, and their priors."""

    def __init__(self, members: int, features: int, hidden: int, atoms: int, prior: float) -> None:
        """Make the networks.

        Args:
            members: how many.
            features: numbers that each sees.
            hidden: width of its hidden layer.
            atoms: numbers over which its distribution lies.
            prior: standard deviation of the prior, in the unit of the atoms, over features that are like those that
                were seen; 0: there is none.
        """
        super().__init__()
        self.scale = prior
        self.body = EnsembleLinear(members, features, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.head = EnsembleLinear(members, hidden, atoms, zero=True)
        self.seen = Standardised(features)
        self.prior = nn.ModuleList(
            EnsembleLinear(members, *sizes, trained=False)
            for sizes in ((features, PRIOR_WIDTH), (PRIOR_WIDTH, PRIOR_WIDTH), (PRIOR_WIDTH, 1))
        )

    def forward(self, features: Tensor, atoms: Tensor) -> EnsembleTwoHot:
        """Features [B, features] and the ascending atoms -> the distribution of each row."""
        logits = self.head(F.relu(self.norm(self.body(features)))).float()
        return EnsembleTwoHot(logits, atoms, self.shift(features.detach().float()))

    def shift(self, features: Tensor) -> Tensor:
        """[M, B] the priors of features [B, features]."""
        if not self.scale:
            return features.new_zeros(len(self.head.weight), len(features))
        x = self.seen(features)
        for layer in self.prior[:-1]:
            x = math.sqrt(2) * F.relu(layer(x))  # the variance stays that of the features, about 1
        return self.scale * self.prior[-1](x).squeeze(-1)

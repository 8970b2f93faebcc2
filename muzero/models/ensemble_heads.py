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

from muzero.models.blocks import Standardised, mlp, zero
from muzero.models.heads import two_hot_cumulative, two_hot_loss

PRIOR_WIDTH = 64  # random functions of which priors are sums
WAVES = 64  # of a random function


class EnsembleLinear(nn.Module):
    """M linear layers side by side: [B, inputs] or [M, B, inputs] -> [M, B, outputs]."""

    def __init__(self, members: int, inputs: int, outputs: int, zero: bool = False) -> None:
        """Draw the weights, of variance 1 / inputs.

        Args:
            members: M.
            inputs, outputs: of each layer.
            zero: begin with zeros in place of random weights.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.randn(members, inputs, outputs) / math.sqrt(inputs) * (not zero))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 2:
            x = x.expand(len(self.weight), *x.shape)
        return torch.baddbmm(self.bias, x, self.weight)


class Waves(nn.Module):
    """M functions that are never trained: draws of a Gaussian process of deviation 1.

    Its kernel is exp(-distance² / (2 length²)), and a draw is a sum of random waves (Rahimi and Recht 2007).  The
    distance is that of states, and of actions, whose numbers count as much as a length.
    """

    of_state: Tensor
    of_action: Tensor
    phase: Tensor
    height: Tensor

    def __init__(self, members: int, features: int, length: float, action: int = 0, outputs: int = 1) -> None:
        """Draw the functions.

        Args:
            members: M.
            features: numbers of a state.
            length: distance of states over which a function changes.
            action: numbers of an action that each function takes beside a state; 0: none.
            outputs: functions of each member.
        """
        super().__init__()
        self.register_buffer("of_state", torch.randn(members, features, WAVES) / length)
        self.register_buffer("of_action", 2 * torch.randn(members, action, WAVES))
        self.register_buffer("phase", 2 * math.pi * torch.rand(members, 1, WAVES))
        self.register_buffer("height", torch.randn(members, WAVES, outputs) * math.sqrt(2 / WAVES))

    def forward(self, state: Tensor, action: Tensor | None = None) -> Tensor:
        """[M, B, outputs] of states [B, features] and actions [B, action]."""
        turns = state.detach().float() @ self.of_state + self.phase
        if action is not None:
            turns = turns + action @ self.of_action
        return turns.cos() @ self.height


class EnsembleTwoHot:
    """The distributions of M members over a number, as one: their mixture.  Each is that of `TwoHot`, shifted."""

    def __init__(self, logits: Tensor, atoms: Tensor, shift: Tensor, doubt: Tensor | None = None) -> None:
        """Take what networks put out.

        Args:
            logits: [M, B, number of atoms].
            atoms: ascending numbers.
            shift: [M, B] added to the atoms of each member: its prior.
            doubt: [B] ignorance beside that between the members, as a standard deviation; None: there is none.
        """
        self.logits, self.atoms, self.shift, self.doubt = logits, atoms, shift, doubt

    @property
    def members(self) -> Tensor:
        """[M, B] the mean of each member."""
        return (self.chances() * self.atoms).sum(-1).t() + self.shift

    @property
    def mean(self) -> Tensor:
        """[B] the mean of the mixture."""
        return self.members.mean(0)

    @property
    def epistemic(self) -> Tensor:
        """[B] standard deviation between the means of the members, all of them, and of what is doubted beside.

        Without the latter, the variances add up to the mixture's.
        """
        members = self.members
        between = (members - members.mean(0)).square().mean(0)
        return between.sqrt() if self.doubt is None else (between + self.doubt.square()).sqrt()

    @property
    def aleatoric(self) -> Tensor:
        """[B] root of the mean variance of the members."""
        chances = self.chances()
        distance = self.atoms - (chances * self.atoms).sum(-1, keepdim=True)
        return (chances * distance.square()).sum(-1).mean(1).sqrt()

    def chances(self) -> Tensor:
        """[B, M, number of atoms] probabilities: rows first, as the layer that makes them has them in memory."""
        return self.logits.transpose(0, 1).softmax(-1)

    def loss(self, target: Tensor, learns: Tensor | None = None) -> Tensor:
        """[B] the mean cross entropy of the members that learn from a row; 0 where none does.

        Args:
            target: [B], or [M, B] where members have targets of their own.
            learns: [M, B] bool; None: all of them.
        """
        aims = (target - self.shift).t().contiguous()
        losses = two_hot_loss(self.logits.transpose(0, 1), self.atoms, aims)  # rows first, as they lie in memory
        if learns is None:
            return losses.mean(1)
        return (losses * learns.t()).sum(1) / learns.sum(0).clamp(min=1)

    def cumulative(self, target: Tensor, tie: Tensor | None = None) -> Tensor:
        """[B] probability that the mixture gives to numbers up to target [B]; tie as of `two_hot_cumulative`."""
        shares = None if tie is None else tie.expand(self.shift.shape)
        return two_hot_cumulative(self.logits, self.atoms, target - self.shift, shares).mean(0)


class EnsembleHead(nn.Module):
    """Distributions over a number by M members, which share a hidden layer, and their priors.

    The members are the last layers: as many networks would cost M times as much and doubt as much, since it is the
    priors, and the rows that each learns from, that set them apart (Osband et al. 2016, 2018).
    """

    random: Tensor
    prior: Tensor

    def __init__(self, members: int, features: int, hidden: int, atoms: int, prior: float) -> None:
        """Make the networks.

        Args:
            members: how many.
            features: numbers that each sees.
            hidden: width of the hidden layer.
            atoms: numbers over which the distributions lie.
            prior: standard deviation of the prior, in the unit of the atoms, over features that are like those that
                were seen; 0: there is none.
        """
        super().__init__()
        self.scale, self.shape = prior, (-1, members, atoms)
        self.body = mlp(features, hidden, 1)
        self.head = zero(nn.Linear(hidden, members * atoms))
        self.seen = Standardised(features)
        self.register_buffer("random", torch.randn(PRIOR_WIDTH, features) / math.sqrt(features))
        self.register_buffer("prior", torch.randn(members, PRIOR_WIDTH) * math.sqrt(2 / PRIOR_WIDTH))

    def forward(self, features: Tensor, atoms: Tensor) -> EnsembleTwoHot:
        """Features [B, features] and the ascending atoms -> the distribution of each row."""
        logits = self.head(self.body(features)).float().reshape(self.shape)
        return EnsembleTwoHot(logits.transpose(0, 1), atoms, self.shift(features.detach().float()))

    def shift(self, features: Tensor) -> Tensor:
        """[M, B] the priors of features [B, features]."""
        if not self.scale:
            return features.new_zeros(len(self.prior), len(features))
        return self.scale * F.linear(F.relu(F.linear(self.seen(features), self.random)), self.prior).t()

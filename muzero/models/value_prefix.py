"""Rewards as differences of predicted sums: the value prefix (Ye et al. 2021, section 4.2).

That a reward comes soon is easier to say than in which step.  So a recurrent network predicts the sum of the rewards
since a position, and the reward of a step is what that step adds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from muzero.interfaces.heads import Joined
from muzero.models.blocks import mlp
from muzero.models.heads import TwoHot


class StepOfPrefix:
    """The reward of one step."""

    members = None
    epistemic = None

    def __init__(self, prefix: TwoHot, before: Tensor) -> None:
        """Take a difference.

        Args:
            prefix: sum of the rewards up to this step and with it.
            before: [B] expected sum before this step; 0 where the sum begins with this step.
        """
        self.prefix, self.before = prefix, before

    @property
    def mean(self) -> Tensor:
        """[B] what the step is expected to add."""
        return self.prefix.mean - self.before

    @property
    def aleatoric(self) -> Tensor:
        """[B] standard deviation of the sum."""
        return self.prefix.aleatoric

    def loss(self, target: Tensor, learns: Tensor | None = None) -> Tensor:
        """[B] cross entropy of the sum, if the rewards before were as expected."""
        return self.prefix.loss(self.before + target)

    def cumulative(self, target: Tensor, tie: Tensor | None = None) -> Tensor:
        """[B] probability that the step adds up to target [B], if the rewards before were as expected."""
        return self.prefix.cumulative(self.before + target, tie)


class StepsOfPrefix(Joined):
    """The rewards of consecutive steps, which are taught the sums of what was really received."""

    def __init__(self, steps: Sequence[StepOfPrefix], fresh: Sequence[Tensor]) -> None:
        """Join them.  fresh: of each step, [B] bool, the sum begins with it."""
        super().__init__(steps)
        self.steps, self.fresh = steps, fresh

    def loss(self, target: Tensor, learns: Tensor | None = None) -> Tensor:
        """[K * B] cross entropies of the sums of targets, all rows of the first step, then of the second, and so on."""
        total, found = self.steps[0].before, []
        for step, fresh, reward in zip(self.steps, self.fresh, target.chunk(len(self.steps)), strict=True):
            total = torch.where(fresh, reward, total + reward)
            found.append(step.prefix.loss(total))
        return torch.cat(found)


class ValuePrefix(nn.Module):
    """The recurrent network (an LSTM: Hochreiter and Schmidhuber 1997), whose state is a part of the latent."""

    def __init__(self, features: int, width: int, horizon: int) -> None:
        """Make the layers.

        Args:
            features: of the latent that a step leads to.
            width: of the network's state.
            horizon: steps after which the sum and the state begin again.
        """
        super().__init__()
        self.width, self.horizon = width, horizon
        self.gates = nn.Linear(features + width, 4 * width)
        self.body = mlp(width, width, 1)

    def start(self, like: Tensor) -> Tensor:
        """[B, 2 * width + 2] zeros: what is carried before the first step.  like: [B, ...] of the same device."""
        return torch.zeros((like.shape[0], 2 * self.width + 2), device=like.device)

    def forward(
        self, carried: Tensor, features: Tensor, head: Callable[[Tensor], TwoHot]
    ) -> tuple[Tensor, StepOfPrefix]:
        """A step.

        Args:
            carried: output and cell of the network, the expected sum, and the number of its steps.
            features: [B, features] of the latent that the step leads to.
            head: makes the distribution of the sum of [B, width].

        Returns:
            what is carried on, and the reward of the step.
        """
        carried = torch.where(carried[:, -1:] >= self.horizon, 0.0, carried.float())
        output, cell, total, count = carried.split((self.width, self.width, 1, 1), -1)
        gates = self.gates(torch.cat([features.float(), output], -1)).float()
        enter, keep, leave, new = gates.chunk(4, -1)
        cell = torch.sigmoid(keep + 1) * cell + torch.sigmoid(enter) * torch.tanh(new)  # at first it keeps most
        output = torch.sigmoid(leave) * torch.tanh(cell)
        prefix = head(self.body(output))
        following = torch.cat([output, cell, prefix.mean.detach().unsqueeze(-1), count + 1], -1)
        return following, StepOfPrefix(prefix, total.squeeze(-1))

    @staticmethod
    def fresh(carried: Tensor) -> Tensor:
        """[B] bool, the sum began with the step after which this is carried."""
        return carried[:, -1] == 1

"""A world model for observations without spatial structure."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muzero.interfaces import GameSpec
from muzero.models.blocks import ResidualLinear, Standardised, mlp, scale_to_unit, simplices
from muzero.models.latent import Atoms, Blocks, LatentModel, Limit, Members, Prior, Size, require_groups


class VectorModel(LatentModel):
    """A model for observations without spatial structure, and for small boards."""

    def __init__(
        self,
        spec: GameSpec,
        *,
        width: Size = 128,
        blocks: Blocks = 1,
        hidden: Size = 64,
        standardise: bool = False,
        scale: Literal["whole", "simplex"] = "whole",
        atoms: Atoms = 51,
        value_limit: Limit = 300.0,
        reward_limit: Limit = 300.0,
        members: Members = 1,
        prior: Prior = 1.0,
    ) -> None:
        """Make the networks.

        Args:
            spec: of the game.
            width: numbers in a latent, and the width of the layers that make it.  More for games with many facts to
                remember; the cost grows with its square.
            blocks: residual blocks of the encoder and of the dynamics, each.  More for games whose rules are intricate.
            hidden: width of the one hidden layer of each head.
            standardise: shift and scale each number of an observation to mean 0 and variance 1 over what was learned
                from.  It helps where some numbers are much smaller than others, as angles beside positions.
            scale: "whole" shifts and scales a latent to [0, 1] (Schrittwieser et al. 2020, Appendix G); "simplex" makes
                shares that add up to 1 of each 8 numbers, by softmax (Hansen et al. 2024), which bounds what many
                imagined steps can do.  Then `width` is a multiple of 8.
            atoms: numbers over which value and reward are distributions; more are finer and slower.
            value_limit: the largest value in reward units that can be predicted; beyond it targets are clamped.  Set it
                to the largest discounted return that the game can give.  Without effect where the game's range of
                returns is known, as for board games.
            reward_limit: the largest reward of one step that can be predicted; otherwise as value_limit.
            members: heads of value, and of reward, side by side: an ensemble.  Each learns from a part of the rows
                (objective.member_share) and has a prior of its own, so the model knows where it guesses
                (docs/uncertainty.md); 5 are enough.  1: single heads, which do not.
            prior: standard deviation of the random functions that the members add to what they learn, in reward units.
                Set it to about a quarter of the spread of the rewards, or to what a find is worth.
        """
        super().__init__(spec, width, hidden, atoms, value_limit, reward_limit, members=members, prior=prior)
        require_groups(scale, "width", width)
        self.scale = scale
        inputs = int(torch.Size(spec.observation).numel())
        self.encoder = nn.Sequential(
            nn.Flatten(),
            *([Standardised(inputs)] if standardise else []),
            mlp(inputs, width, 1),
            nn.Linear(width, width),
            *(ResidualLinear(width) for _ in range(blocks)),
        )
        self.action = nn.Embedding(spec.actions.width, width)
        self.enter = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, width)
        self.dynamics = nn.Sequential(*(ResidualLinear(width) for _ in range(blocks)))

    def represent(self, observation: Tensor) -> Tensor:
        return self.scaled(self.encoder(observation))

    def advance(self, state: Tensor, action: Tensor) -> Tensor:
        step = self.leave(F.relu(self.norm(self.enter(state) + self.space.mix(self.action.weight, action))))
        return self.scaled(self.dynamics(state + step))

    def scaled(self, state: Tensor) -> Tensor:
        """A latent with bounded numbers."""
        return simplices(state, -1) if self.scale == "simplex" else scale_to_unit(state, -1)

"""A world model for boards and images."""

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muzero.actions import Space
from muzero.config import Range
from muzero.interfaces import GameSpec
from muzero.models.blocks import convolution, encoder_layers, residuals, scale_to_unit, simplices, squeezing
from muzero.models.latent import Atoms, Blocks, LatentModel, Limit, Members, Prior, Scale, Size, require_groups


class SpatialModel(LatentModel):
    """A model for boards and images: residual convolutions over planes."""

    def __init__(
        self,
        spec: GameSpec,
        *,
        channels: Size = 64,
        blocks: Blocks = 1,
        hidden: Size = 64,
        head_channels: Size = 8,
        action_planes: Size = 2,
        smallest_side: Annotated[int, Range(1, 512)] = 12,
        step_blocks: Blocks | None = None,
        head_blocks: Blocks | None = None,
        scale: Scale = "channel",
        atoms: Atoms = 51,
        value_limit: Limit = 300.0,
        reward_limit: Limit = 300.0,
        value_prefix: Annotated[int, Range(0, 64)] = 0,
        members: Members = 1,
        prior: Prior = 1.0,
    ) -> None:
        """Make the networks.

        Args:
            spec: of the game, whose observations are planes (channels, height, width).
            channels: planes of a latent, and of the convolutions that make it.  The cost grows with its square.
            blocks: residual blocks after the encoder's halvings, of the dynamics and of the prediction, each.
            hidden: width of the one hidden layer of each head.
            head_channels: planes to which a latent is reduced before the heads; more cost weights, not much time.
            action_planes: learned planes that stand for an action beside the latent.
            smallest_side: images are halved until their shorter side is at most this many squares.  Larger latents see
                finer detail and cost more; boards of at most this size are not halved.
            step_blocks: residual blocks of the dynamics; "none": as many as `blocks`.  Every simulation of a search
                computes them.
            head_blocks: residual blocks of the prediction; "none": as many as `blocks`.  0 has the heads read the
                latent, which learns as much from an update of a board game and takes less time.
            scale: what is shifted and scaled to [0, 1]: each "channel" of a latent (Schrittwieser et al. 2020, Appendix
                G), the "whole" latent, or "none".  Scaled on its own, a channel cannot say that a feature is absent
                everywhere, which boards need.  "simplex" makes shares that add up to 1 of each 8 channels at a square,
                by softmax (Hansen et al. 2024); then `channels` is a multiple of 8.
            atoms: numbers over which value and reward are distributions; more are finer and slower.
            value_limit: the largest value in reward units that can be predicted; beyond it targets are clamped.  Set it
                to the largest discounted return that the game can give.  Without effect where the game's range of
                returns is known, as for board games.
            reward_limit: the largest reward of one step that can be predicted; otherwise as value_limit.
            value_prefix: steps over which the rewards are predicted as one sum, by a recurrent network, because it is
                easier to see that a reward comes than when (Ye et al. 2021 use 5); 0: each reward alone.  Then
                `reward_limit` is that of a sum.
            members: heads of value, and of reward, side by side: an ensemble.  Each learns from a part of the rows
                (objective.member_share) and has a prior of its own, so the model knows where it guesses
                (docs/uncertainty.md); 5 are enough.  1: single heads, which do not.
            prior: standard deviation of the random functions that the members add to what they learn, in reward units.
                Set it to about a quarter of the spread of the rewards, or to what a find is worth.
        """
        planes, height, width = spec.observation
        halvings = 0
        while min(height, width) > smallest_side:
            height, width, halvings = (height + 1) // 2, (width + 1) // 2, halvings + 1
        features = head_channels * height * width
        super().__init__(spec, features, hidden, atoms, value_limit, reward_limit, value_prefix, members, prior)
        self.encoder = nn.Sequential(*encoder_layers(planes, channels, halvings, blocks))
        self.action = action_table(spec.actions, action_planes, height, width)
        self.enter = convolution(channels + action_planes, channels)
        self.dynamics = residuals(channels, blocks if step_blocks is None else step_blocks)
        self.prediction = residuals(channels, blocks if head_blocks is None else head_blocks)
        require_groups(scale, "channels", channels)
        self.scale = scale
        self.squeeze_transition = squeezing(channels, head_channels)
        self.squeeze_prediction = squeezing(channels, head_channels)

    def represent(self, observation: Tensor) -> Tensor:
        return self.scaled(self.encoder(observation))

    def advance(self, state: Tensor, action: Tensor) -> Tensor:
        planes = self.space.mix(self.action, action)
        step = self.enter(torch.cat([state, planes], 1))
        return self.scaled(self.dynamics(F.relu(state + step)))

    def scaled(self, state: Tensor) -> Tensor:
        """A latent with bounded numbers, unless they are not scaled."""
        if self.scale == "simplex":
            return simplices(state, 1)
        return scale_to_unit(state, {"channel": (-2, -1), "whole": (-3, -2, -1), "none": ()}[self.scale])

    def transition_features(self, state: Tensor) -> Tensor:
        return self.squeeze_transition(state).flatten(1)

    def prediction_features(self, state: Tensor) -> Tensor:
        return self.squeeze_prediction(self.prediction(state)).flatten(1)


def action_table(space: Space, planes: int, height: int, width: int) -> nn.Parameter:
    """Learned planes for each action, or for each number of real-valued ones: [width of the space, planes, H, W].

    Where the number of actions suggests that they are squares or columns of a board, the first plane of an action
    begins with its place marked.
    """
    table, actions = torch.randn(space.width, planes, height, width) * 0.1, space.columns
    squares = torch.arange(min(actions, height * width))
    if actions in (height * width, height * width + 1):  # a pass is the action after the squares
        table[:, 0] = 0
        table[squares, 0, squares // width, squares % width] = 1
    elif actions == width:
        table[:, 0] = 0
        table[squares, 0, :, squares] = 1
    return nn.Parameter(table)

"""MuZero's world model: representation, dynamics and prediction over one latent (Schrittwieser et al. 2020).

`LatentModel` is the model; `VectorModel` and `SpatialModel` fill it with networks for vectors and for planes.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muzero.actions import Space
from muzero.config import ConfigError, Range
from muzero.interfaces import GameSpec, Latent, Observed, Prediction, Transition, WorldModel
from muzero.models.blocks import (
    GROUP,
    ResidualLinear,
    Standardised,
    convolution,
    encoder_layers,
    mlp,
    residuals,
    scale_to_unit,
    simplices,
    squeezing,
    zero,
)
from muzero.models.heads import TwoHot, policy_of, support
from muzero.models.value_prefix import StepsOfPrefix, ValuePrefix

Size = Annotated[int, Range(1, 4096)]
Blocks = Annotated[int, Range(0, 64)]
Atoms = Annotated[int, Range(2, 2001)]
Limit = Annotated[float, Range(0.0, 1e6)]
Scale = Literal["channel", "whole", "none", "simplex"]


class LatentModel(WorldModel):
    """Representation, dynamics and prediction over one latent, without memory."""

    regions = ("represent", "advance", "transition_features", "prediction_features")
    atoms_of_value: Tensor
    atoms_of_reward: Tensor
    atoms_of_discount: Tensor

    def __init__(
        self,
        spec: GameSpec,
        features: int,
        hidden: int,
        atoms: int,
        value_limit: float,
        reward_limit: float,
        value_prefix: int = 0,
    ):
        """Make the heads.

        Args:
            spec: of the game.  Where its range of returns is known (board games), it replaces both limits.
            features: numbers that the subclass passes to the heads.
            hidden: width of the heads.
            atoms: numbers over which value and reward are distributions.
            value_limit: the largest absolute value, in reward units.
            reward_limit: the largest absolute reward of one step, or sum of rewards.
            value_prefix: steps over which rewards are predicted as a sum; 0: each alone.
        """
        super().__init__()
        self.space, self.features = spec.actions, features
        low, high = spec.returns or (-value_limit, value_limit)
        reward_low, reward_high = spec.returns or (-reward_limit, reward_limit)
        self.ranges = {"value": (low, high), "reward": (reward_low, reward_high)}
        self.register_buffer("atoms_of_value", support(low, high, atoms), persistent=False)
        self.register_buffer("atoms_of_reward", support(reward_low, reward_high, atoms), persistent=False)
        self.register_buffer("atoms_of_discount", torch.tensor(spec.discounts), persistent=False)
        self.unit = 1 / 255 if spec.dtype == "uint8" else 1.0
        self.transition_body = mlp(features, hidden, 1)
        self.policy_body = mlp(features, hidden, 1)
        self.value_body = mlp(features, hidden, 1)
        self.reward_head = zero(nn.Linear(hidden, atoms))
        self.discount_head = zero(nn.Linear(hidden, len(spec.discounts)))
        self.policy_head = zero(nn.Linear(hidden, spec.actions.parameters))
        self.value_head = zero(nn.Linear(hidden, atoms))
        self.prefix = ValuePrefix(features, hidden, value_prefix) if value_prefix else None
        with torch.no_grad():  # an untrained model should expect the game to continue
            self.discount_head.bias[self.atoms_of_discount == 0] = -4.0

    def represent(self, observation: Tensor) -> Tensor:
        """Latent of an observation [B, *observation] float32."""
        raise NotImplementedError

    def advance(self, state: Tensor, action: Tensor) -> Tensor:
        """The latent that action [B] int64 leads to."""
        raise NotImplementedError

    def transition_features(self, state: Tensor) -> Tensor:
        """[B, features] of a latent for the reward and discount heads."""
        return state

    def prediction_features(self, state: Tensor) -> Tensor:
        """[B, features] of a latent for the policy and value heads."""
        return state

    @property
    def actor(self) -> nn.Sequential:
        return nn.Sequential(self.policy_body, self.policy_head)

    @property
    def critic(self) -> nn.Sequential:
        return nn.Sequential(self.value_body, self.value_head)

    def memory(self, batch: int) -> Latent:
        return {}

    def encode(self, observation: Tensor) -> Tensor:
        return self.represent(observation.float() * self.unit)

    def update(
        self, memory: Latent, action: Tensor, encoded: Tensor, first: Tensor, noise: Tensor | None = None
    ) -> Latent:
        return self.begun(encoded)

    def observe_sequence(
        self,
        memory: Latent,
        before: Tensor,
        action: Tensor,
        observation: Tensor,
        first: Tensor,
        noise: Tensor | None = None,
    ) -> Observed:
        latent = self.begun(self.encode(observation.flatten(0, 1)))
        return Observed({name: tensor.unflatten(0, first.shape) for name, tensor in latent.items()}, {})

    def begun(self, state: Tensor) -> Latent:
        """The latent of an observed state."""
        return {"state": state} | ({} if self.prefix is None else {"prefix": self.prefix.start(state)})

    def seen(self, latent: Latent) -> Latent:
        return {"state": latent["state"]}

    def imagine(self, latent: Latent, action: Tensor, noise: Tensor | None = None) -> tuple[Latent, Transition]:
        state = self.advance(latent["state"], action)
        features = self.transition_features(state)
        if self.prefix is None:
            return {"state": state}, self.transition(features)
        carried, reward = self.prefix(latent["prefix"], features, self.reward_of)
        return {"state": state, "prefix": carried}, Transition(reward, self.discount_of(self.transition_body(features)))

    def imagine_sequence(
        self, latent: Latent, action: Tensor, passed: Callable[[Latent], Latent] = lambda latent: latent
    ) -> tuple[list[Latent], Transition]:
        if self.prefix is not None:
            latents, (reward, discount) = super().imagine_sequence(latent, action, passed)
            fresh = [self.prefix.fresh(latent["prefix"]) for latent in latents]
            return latents, Transition(StepsOfPrefix(reward.heads, fresh), discount)  # type: ignore[attr-defined]
        latents, features = [], []
        for k in range(action.shape[1]):
            latent = {"state": self.advance(passed(latent)["state"], action[:, k])}
            latents.append(latent)
            features.append(self.transition_features(latent["state"]))
        return latents, self.transition(torch.cat(features))

    def transition(self, features: Tensor) -> Transition:
        """What happens on the way to states, by their `transition_features` [B, features]."""
        hidden = self.transition_body(features)
        return Transition(self.reward_of(hidden), self.discount_of(hidden))

    # Distributions are of float32 numbers also where the layers compute in bfloat16.

    def reward_of(self, hidden: Tensor) -> TwoHot:
        """The distribution that the last layer makes of [B, hidden]: of a reward, or of a sum of rewards."""
        return TwoHot(self.reward_head(hidden).float(), self.atoms_of_reward)

    def discount_of(self, hidden: Tensor) -> TwoHot:
        """The distribution of the discount that the last layer makes of [B, hidden]."""
        return TwoHot(self.discount_head(hidden).float(), self.atoms_of_discount)

    def read(self, latent: Latent) -> Tensor:
        return self.prediction_features(latent["state"])

    def predict(self, latent: Latent) -> Prediction:
        features = self.read(latent)
        policy = policy_of(self.space, self.policy_head(self.policy_body(features)).float())
        return Prediction(policy, TwoHot(self.value_head(self.value_body(features)).float(), self.atoms_of_value))


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
        """
        super().__init__(spec, width, hidden, atoms, value_limit, reward_limit)
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
        """
        planes, height, width = spec.observation
        halvings = 0
        while min(height, width) > smallest_side:
            height, width, halvings = (height + 1) // 2, (width + 1) // 2, halvings + 1
        super().__init__(spec, head_channels * height * width, hidden, atoms, value_limit, reward_limit, value_prefix)
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


def require_groups(scale: str, key: str, count: int) -> None:
    """Refuse a number of numbers that cannot be split into groups.

    Raises:
        ConfigError: naming the key that says how many there are.
    """
    if scale == "simplex" and count % GROUP:
        nearest = GROUP * max(1, round(count / GROUP))
        raise ConfigError(
            [f'[model] {key} = {count} with scale = "simplex"; expected a multiple of {GROUP}: {nearest}']
        )


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

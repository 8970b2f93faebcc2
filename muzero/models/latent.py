"""MuZero's world model: representation, dynamics and prediction over one latent (Schrittwieser et al. 2020).

`LatentModel` is the model; `VectorModel` and `SpatialModel` fill it with networks for vectors and for planes.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from muzero.config import ConfigError, Range
from muzero.interfaces import GameSpec, Head, Latent, Observed, Prediction, Transition, WorldModel
from muzero.models.blocks import GROUP, mlp, zero
from muzero.models.ensemble_heads import EnsembleHead
from muzero.models.heads import TwoHot, policy_of, support
from muzero.models.value_prefix import StepsOfPrefix, ValuePrefix

Size = Annotated[int, Range(1, 4096)]
Blocks = Annotated[int, Range(0, 64)]
Atoms = Annotated[int, Range(2, 2001)]
Limit = Annotated[float, Range(0.0, 1e6)]
Members = Annotated[int, Range(1, 64)]
Prior = Annotated[float, Range(0.0, 1e6)]
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
        members: int = 1,
        prior: float = 1.0,
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
            members: of the ensembles of reward and value; 1: single heads.
            prior: standard deviation of their priors, in reward units.

        Raises:
            ConfigError: if there are both an ensemble and a value prefix.
        """
        super().__init__()
        if members > 1 and value_prefix:
            reason = "a prefix is a sum by one member: set value_prefix = 0, or members = 1"
            raise ConfigError([f"[model] members = {members} with value_prefix = {value_prefix}; {reason}"])
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
        if members == 1:
            self.value_body = mlp(features, hidden, 1)
            self.reward_head = zero(nn.Linear(hidden, atoms))
        self.discount_head = zero(nn.Linear(hidden, len(spec.discounts)))
        self.policy_head = zero(nn.Linear(hidden, spec.actions.parameters))
        if members == 1:
            self.value_head = zero(nn.Linear(hidden, atoms))
        else:
            self.reward_ensemble = EnsembleHead(members, features, hidden, atoms, prior)
            self.value_ensemble = EnsembleHead(members, features, hidden, atoms, prior)
        self.members = members
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
    def critic(self) -> nn.Module:
        return self.value_ensemble if self.members > 1 else nn.Sequential(self.value_body, self.value_head)

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
        ensemble = self.members > 1
        reward = self.reward_ensemble(features, self.atoms_of_reward) if ensemble else self.reward_of(hidden)
        return Transition(reward, self.discount_of(hidden))

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
        return Prediction(policy, self.value_of(features))

    def value_of(self, features: Tensor) -> Head:
        """The distribution of the value by the features [B, features] of a latent."""
        if self.members > 1:
            return self.value_ensemble(features, self.atoms_of_value)
        return TwoHot(self.value_head(self.value_body(features)).float(), self.atoms_of_value)


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

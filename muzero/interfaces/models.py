"""What a world model is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from muzero.actions import Space
from muzero.interfaces.heads import Head, Joined, PolicyHead, confidence_bound

Latent = dict[str, Tensor]
"""A model's state: tensors with the batch in front.  Others gather, stack and store it by name and never look in."""


class Transition(NamedTuple):
    """What a model says about a step that it imagined."""

    reward: Head
    discount: Head  # mean: signed, times the probability that the game continues


class Prediction(NamedTuple):
    """What a model says about a state."""

    policy: PolicyHead
    value: Head  # for the player to move


class Observed(NamedTuple):
    """What a model makes of a sequence of observations."""

    latent: Latent  # [B, T, ...]
    surprise: dict[str, Tensor]  # name -> [B, T] nats lost by having expected something else; {}: it expects nothing


class Expansion(NamedTuple):
    """What a planner is told about an edge: the state that it leads to, and numbers."""

    latent: Latent
    reward: Tensor  # [B]
    discount: Tensor  # [B]
    value: Tensor  # [B] of the new state, for the player to move there
    parameters: Tensor  # [B, parameters of the edges] of the policy in the new state


class WorldModel(nn.Module, ABC):
    """A learned model of an environment.

    MuZero's initial inference is `observe` then `predict`; its recurrent inference is `imagine` then `predict`, which
    planners call as one: `expand`.

    A model that draws at random takes `noise` [B, noise], uniform numbers in (0, 1], and is a function of them; None
    stands for the most probable draw.
    """

    space: Space
    """Of the actions."""
    noise: int = 0
    """Numbers that a step takes for each row; 0: nothing is random."""
    members: int = 1
    """Of its heads of reward and value; with one of each, a model does not know what it does not know."""
    expects: bool = False
    """Whether `observe_sequence` says how surprising observations are, from which an objective has it learn."""
    features: int
    """Numbers that `read` makes of a latent."""
    simulators: Any = None
    """What `muzero.inference` keeps for the next search of this model: buffers, compiled networks; None drops them."""
    ranges: Mapping[str, tuple[float, float]] = {}
    """Smallest and largest "reward" and "value" that the heads can express; a missing one has no limit."""
    regions: tuple[str, ...] = ()
    """Methods from tensors to tensors that a learner may compile, one by one."""

    @property
    def edges(self) -> Space:
        """What leads from one node of a tree to the next: an action, or whatever else `expand` takes."""
        return self.space

    @property
    def actor(self) -> nn.Module:
        """The layers of the policy alone, after `read`, so that an objective can freeze all others."""
        return nn.Module()

    @property
    def critic(self) -> nn.Module:
        """The layers of the value alone, after `read`."""
        return nn.Module()

    @abstractmethod
    def memory(self, batch: int) -> Latent:
        """The latent before any observation; {} in a model without memory.

        What an observation leaves under these names is passed to the next one.
        """

    @abstractmethod
    def encode(self, observation: Tensor) -> Tensor:
        """Observations [N, *observation], of the game's own dtype, each seen alone -> [N, ...]."""

    @abstractmethod
    def update(
        self, memory: Latent, action: Tensor, encoded: Tensor, first: Tensor, noise: Tensor | None = None
    ) -> Latent:
        """Take in a real observation, as `encode` returns it; otherwise as `observe`."""

    def observe(
        self, memory: Latent, action: Tensor, observation: Tensor, first: Tensor, noise: Tensor | None = None
    ) -> Latent:
        """Take in a real observation.

        Args:
            memory: the latent of the step before; a model without memory ignores it.
            action: [B, *shape of an action], the action that led here.
            observation: [B, *observation], of the game's own dtype.
            first: [B] bool; true where a new game begins, so memory and action mean nothing.
            noise: [B, noise].
        """
        return self.update(memory, action, self.encode(observation), first, noise)

    def observe_sequence(
        self,
        memory: Latent,
        before: Tensor,
        action: Tensor,
        observation: Tensor,
        first: Tensor,
        noise: Tensor | None = None,
    ) -> Observed:
        """Take in T real observations, one after the other.

        Args:
            memory: the latent before the first of them.
            before: [B, *shape of an action], the action that led to the first.
            action: [B, T, *shape of an action], the actions that were chosen then; only those that led on are read.
            observation: [B, T, *observation].
            first: [B, T] bool.
            noise: [B, T, noise].
        """
        batch, steps = first.shape
        encoded = self.encode(observation.flatten(0, 1)).unflatten(0, (batch, steps))
        latents: list[Latent] = []
        for t in range(steps):
            drawn = None if noise is None else noise[:, t]
            memory = self.update(memory, before, encoded[:, t], first[:, t], drawn)
            before = action[:, t]
            latents.append(memory)
        return Observed({name: torch.stack([latent[name] for latent in latents], 1) for name in memory}, {})

    @abstractmethod
    def imagine(self, latent: Latent, action: Tensor, noise: Tensor | None = None) -> tuple[Latent, Transition]:
        """The state that action [B, *shape of an action] leads to, and what happens on the way."""

    def imagine_sequence(
        self, latent: Latent, action: Tensor, passed: Callable[[Latent], Latent] = lambda latent: latent
    ) -> tuple[list[Latent], Transition]:
        """K steps, one after the other.

        Args:
            latent: where the first begins.
            action: [B, K, *shape of an action].
            passed: what becomes of a latent before each step, as scaling its gradient.

        Returns:
            the latents that the steps lead to, and what happens on the way: all rows of the first step, then all rows
            of the second, and so on.
        """
        latents: list[Latent] = []
        transitions: list[Transition] = []
        for k in range(action.shape[1]):
            latent, transition = self.imagine(passed(latent), action[:, k])
            latents.append(latent)
            transitions.append(transition)
        return latents, Transition(*(Joined(heads) for heads in zip(*transitions, strict=True)))

    @abstractmethod
    def predict(self, latent: Latent) -> Prediction:
        """Policy and value of a state."""

    def read(self, latent: Latent) -> Tensor:
        """[B, features] of a latent, which policy and value are made of: all its numbers, unless a model chooses."""
        return torch.cat([tensor.flatten(1) for tensor in latent.values()], 1)

    def seen(self, latent: Latent) -> Latent:
        """The part of a latent that an observation decides, as which imagined latents are compared with observed ones.

        All of it, unless a model chooses.
        """
        return latent

    def expand(
        self, latent: Latent, edge: Tensor, noise: Tensor | None = None, kappa: Tensor | float = 0.0
    ) -> Expansion:
        """What planners ask: the state that an edge leads to, and its evaluation.

        Args:
            latent: of the states where the edges begin.
            edge: [B, *shape of an edge].
            noise: [B, noise].
            kappa: [1], deviations that are added to the means of reward and value: above 0 for a planner that seeks
                what it does not know, below 0 for one that avoids it.  Without effect on heads with one member.
        """
        following, transition = self.imagine(latent, edge, noise)
        policy, value = self.predict(following)
        return Expansion(
            following,
            confidence_bound(transition.reward, kappa),
            transition.discount.mean,
            confidence_bound(value, kappa),
            policy.parameters,
        )


def observe_first(model: WorldModel, observation: Tensor) -> Latent:
    """The latent of observations [B, ...] that stand alone, as at the beginning of a game."""
    batch, device = len(observation), observation.device
    action = no_action(model.space, batch, device)
    return model.observe(model.memory(batch), action, observation, torch.ones(batch, dtype=torch.bool, device=device))


def no_action(space: Space, batch: int, device: torch.device) -> Tensor:
    """[B, *shape] what `Space.none` gives, made on the device: nothing waits for a transfer."""
    return torch.zeros((batch, *space.shape), dtype=getattr(torch, space.dtype), device=device)

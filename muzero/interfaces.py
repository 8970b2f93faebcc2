"""The contracts: what a game, a world model, a planner and an objective are, and the records that pass between them.

Read this file first; every other file implements it or uses it.  Sizes in shapes: B games or samples side by
side, A actions that can be listed (0 where they cannot be), T steps of one game, K unrolled steps of a window, W real
steps of a window.

The turn is a sign.  The discount of a step is negative where the turn passes to the opponent and 0 where the game
ends; a reward belongs to the player who just moved, a value to the player to move.  So a return is always
``reward + discount * next_value`` and nothing anywhere asks how many players there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from muzero.actions import Discrete, Space

Latent = dict[str, Tensor]
"""A model's state: tensors with the batch in front.  Others gather, stack and store it by name and never look in."""
Carry = dict[str, np.ndarray]
"""What a planner keeps from move to move: arrays with the batch in front.  Self-play saves it and passes it back."""


# --- games ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GameSpec:
    """What is fixed about a game."""

    name: str  # as the user writes it: "board/connect_four"
    observation: tuple[int, ...]  # shape of one observation
    dtype: str  # of the observation: "float32" or "uint8"
    actions: Space
    discounts: tuple[float, ...]  # ascending; all values that a step's discount can take: (-1, 0) or (0, 0.997)
    returns: tuple[float, float] | None = None  # range of a game's return, where it is known
    max_steps: int | None = None  # length of the longest game, where it is known
    notes: tuple[str, ...] = ()  # what a run says once about the game, when it begins

    @property
    def two_player(self) -> bool:
        """Whether the turn can pass to an opponent."""
        return self.discounts[0] < 0


@dataclass(frozen=True)
class Timestep:
    """What B games show after a step.

    A game that has ended shows its last position once, with ``discount == 0`` or ``truncated``; the next step ignores
    its action and shows the first position of a new game.  All actions are legal in a position that has ended.
    A game that broke off by a fault is shown as ``first`` without having ended: what was under way is dropped.
    """

    observation: np.ndarray  # [B, *observation], as seen by the player to move
    legal: np.ndarray  # [B, A] bool
    reward: np.ndarray  # [B] float32, to the player who just moved; 0 where first
    discount: np.ndarray  # [B] float32, signed; 0 where the game is over; 1 where first
    first: np.ndarray  # [B] bool, a new game begins
    truncated: np.ndarray  # [B] bool, cut short: the position still has a value

    @property
    def last(self) -> np.ndarray:
        """[B] bool, the game ends here."""
        return (self.discount == 0) | self.truncated


class Games(ABC):
    """B games side by side."""

    spec: GameSpec
    batch: int
    faults: int = 0  # games that broke off, in all
    last_fault: str | None = None  # what happened, and where

    @abstractmethod
    def reset(self, seeds: np.ndarray) -> Timestep:
        """Begin B new games.

        seeds: [B] int64; all randomness of a slot, later games included, follows from its seed.
        """

    @abstractmethod
    def step(self, actions: np.ndarray) -> Timestep:
        """Apply one action per game.  actions: [B, *shape of an action].

        Raises:
            ValueError: if an action is not legal.
            EnvironmentFault: if an environment raised or returned invalid data (NaN, a wrong shape) too often in a
                row; before that, its game breaks off, see `Timestep`.
        """

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """What `restore` needs to continue these games exactly; empty where a game cannot be continued."""

    @abstractmethod
    def restore(self, state: dict[str, np.ndarray]) -> Timestep | None:
        """Bring back the games of `state` and show them again; None where that is impossible."""

    def rules(self, slots: Sequence[int]) -> list[Rules] | None:
        """The positions of these slots, for players that look ahead and for people.

        Returns:
            one position for each slot; None if the rules of this game cannot be consulted.
        """
        return None

    def convert(self, observation: Any) -> np.ndarray:
        """Convert one observation, as the environment returns it, to an array [*spec.observation].

        Raises:
            ValueError: if it is not an observation of the environment.
        """
        return np.asarray(observation)

    def native(self, action: Any) -> Any:
        """One action of the package as the environment itself takes it: its own number, or an array."""
        return action

    def close(self) -> None:  # noqa: B027 (most games hold nothing)
        """Release what the games hold."""


@runtime_checkable
class Rules(Protocol):
    """A position of a game whose rules can be consulted.  It never changes: a move leads to another position.

    Learning and planning do not use it.  It serves players that look ahead, records of games, and people.
    """

    @property
    def game(self) -> str:
        """Name of the rules, without parameters: "connect_four"."""
        ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What can vary in these rules: {"board_size": 9, "komi": 7.5}."""
        ...

    @property
    def history(self) -> Sequence[int]:
        """The actions since the start of the game."""
        ...

    @property
    def over(self) -> bool:
        """Whether the game has ended here."""
        ...

    @property
    def to_move(self) -> int:
        """The player to move, 0 or 1.  Which of them moves first depends on the game.  Meaningless at the end."""
        ...

    @property
    def returns(self) -> Sequence[float]:
        """Sum of rewards of each player so far."""
        ...

    def legal(self) -> list[int]:
        """The legal actions, ascending; none at the end of the game."""
        ...

    def child(self, action: int) -> Rules:
        """The position that an action leads to.

        Raises:
            ValueError: if the action is not legal here.
        """
        ...

    def name(self, action: int) -> str:
        """What an action is called here: "x(0,1)"."""
        ...

    def player(self, number: int) -> str:
        """What a player, 0 or 1, is called, or its pieces look like: "x", "black"."""
        ...

    def key(self) -> str:
        """A text that two positions share if the game continues from both in the same way."""
        ...

    def draw(self) -> str:
        """The position as a text for people."""
        ...

    def view(self) -> tuple[np.ndarray, np.ndarray]:
        """The observation [*observation] of the player to move, and the legal actions [A] bool; all at the end."""
        ...


class EnvironmentFault(RuntimeError):
    """An environment raised, or returned invalid data."""


class NonFiniteError(RuntimeError):
    """The model produced NaN or infinity."""


# --- world models --------------------------------------------------------------------------------------------------


class Head(Protocol):
    """A distribution over a number, as a network's head returns it."""

    @property
    def mean(self) -> Tensor:
        """[B] expected value."""
        ...

    def loss(self, target: Tensor) -> Tensor:
        """[B] negative log likelihood of target [B] (or a loss that orders parameters as it does)."""
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
        """[B] entropy; estimated at the sample that the noise gives where there is no formula for it."""
        ...


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


def confidence_bound(head: Head, kappa: Tensor | float) -> Tensor:
    """[B] the mean plus kappa deviations between the members; the mean alone where there is one member."""
    return head.mean if head.epistemic is None else head.mean + kappa * head.epistemic


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
    features: int
    """Numbers that `read` makes of a latent."""
    simulators: Any = None
    """What `muzero.inference` keeps for the next search of this model: buffers, compiled networks; None drops them."""
    ranges: Mapping[str, tuple[float, float]] = {}
    """Smallest and largest "reward" and "value" that the heads can express; a missing one has no limit."""

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

    @abstractmethod
    def predict(self, latent: Latent) -> Prediction:
        """Policy and value of a state."""

    def read(self, latent: Latent) -> Tensor:
        """[B, features] of a latent, which policy and value are made of: all its numbers, unless a model chooses."""
        return torch.cat([tensor.flatten(1) for tensor in latent.values()], 1)

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
    action = torch.from_numpy(model.space.none(batch)).to(device)
    return model.observe(model.memory(batch), action, observation, torch.ones(batch, dtype=torch.bool, device=device))


# --- planners ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decision:
    """What a planner chose for B positions, and what it learned by planning.

    The improved policy, which is the training target, is a set of weighted candidates: where actions can be listed,
    all of them in order, else K of them.
    """

    action: np.ndarray  # [B, *shape of an action]
    weights: np.ndarray  # [B, K] float32; their sum is 1, or 0 where there is no target
    value: np.ndarray  # [B] float32, the search's value of the position, for the player to move
    candidates: np.ndarray | None = None  # [B, K, *shape of an action]; None: candidate k is action k
    epistemic: np.ndarray | None = None  # [B] float32, standard deviation of the value that more experience removes


class Planner(ABC):
    """A way to choose moves with a model.  A frozen dataclass: its fields are its configuration."""

    def start(self, batch: int, space: Space) -> Carry:
        """What the planner remembers before the first move of B games; {} if it remembers nothing."""
        return {}

    @abstractmethod
    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: np.ndarray,
        carry: Carry,
        first: np.ndarray,
        rng: np.random.Generator,
        explore: bool,
    ) -> tuple[Decision, Carry]:
        """Choose an action in each of B positions.

        Args:
            model: imagines and predicts.
            root: latent of the positions, B in front.
            legal: [B, columns of the space] bool; each row allows an action.
            carry: what the planner returned at the move before, or `start`.
            first: [B] bool, a new game begins there: what the carry holds of that row is of another game.
            rng: the only source of randomness.
            explore: whether to choose as training needs it; otherwise the best action, without randomness.
        """

    def candidates(self, space: Space) -> int:
        """K of its decisions, where they name their candidates; 0 where candidate k is action k."""
        return 0

    def refuses(self, model: WorldModel, spec: GameSpec) -> str | None:
        """Why the planner cannot serve this model or game, in words; None if it can."""
        return None


# --- experience ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """A training batch: C positions of context, and W real steps from B sampled positions.

    Every axis of positions or steps begins C positions before the sampled one, which is number C.  Past the end of a
    game a row continues in an absorbing state (``over``: value and reward 0); past a cut, where nothing is known,
    ``known`` is false.  Where a game has fewer than C positions before the sampled one, its first one is repeated.

    A reward and a discount belong to the step from position k to k + 1.
    """

    observation: Tensor  # [B, C + O, *observation]: as many positions as the objective asked for
    first: Tensor  # [B, C + O] bool, the first position of a game, or of what is left of it
    before: Tensor  # [B, *shape of an action] the action that led to position 0; nothing where that is first
    action: Tensor  # [B, C + W, *shape of an action]; random where over
    reward: Tensor  # [B, C + W]
    discount: Tensor  # [B, C + W]
    value: Tensor  # [B, C + W + 1] the search's values
    policy: Tensor  # [B, C + O, K] the search's policies: weights of K candidates; all zeros: there is none
    planned: Tensor  # [B, C + W] bool, the planner chose the action; false where it was drawn at random
    known: Tensor  # [B, C + W + 1] bool; a transition k is known if position k + 1 is
    over: Tensor  # [B, C + W + 1] bool
    weight: Tensor  # [B] importance weights of prioritised sampling
    number: Tensor  # [B] int64, the sampled rows' numbers in the replay, which never repeat
    candidates: Tensor | None = None  # [B, C + O, K, *shape of an action]; None: candidate k is action k
    context: int = 0  # C

    def to(self, device: torch.device) -> Window:
        """The same window on another device."""
        return replace(self, **{name: field.to(device, non_blocking=True) for name, field in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """The fields that are tensors, by name."""
        return {name: field for name, field in vars(self).items() if isinstance(field, Tensor)}


# --- objectives ----------------------------------------------------------------------------------------------------


class WindowSize(NamedTuple):
    """How much of a game an objective looks at."""

    steps: int  # W: real steps
    observations: int  # O: positions of which the observation and the policy are needed
    context: int = 0  # C: positions before the sampled one


class Loss(NamedTuple):
    """What an objective makes of a window."""

    terms: dict[str, Tensor]  # name -> [B], weighted; their sum is minimised
    priority: Tensor  # [B] how wrong the model was, for prioritised replay; no gradient
    metrics: Mapping[str, Tensor] = MappingProxyType({})  # name -> scalar or [B]; shown, not minimised


class Objective(nn.Module, ABC):
    """What is learned.  Its parameters are those that only training needs."""

    window: WindowSize

    @abstractmethod
    def forward(self, model: WorldModel, target_model: WorldModel, window: Window, generator: torch.Generator) -> Loss:
        """Losses of a model on a window.

        Args:
            model: learns.
            target_model: the slow copy of the model.
            window: the batch, on the device of the models.
            generator: the only source of randomness, on the same device.
        """


# --- players -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Positions:
    """What a player sees of B positions in which it is to move, each of another game of a table."""

    observation: np.ndarray  # [B, *observation]
    legal: np.ndarray  # [B, columns of the space] bool
    seed: np.ndarray  # [B] int64, of all random choices of the player there
    rules: Sequence[Rules] | None  # the same positions, of games whose rules can be consulted
    actions: Space
    first: np.ndarray  # [B] bool, the first position of its game that the player sees
    action: np.ndarray  # [B, *shape of an action] the last one in the game; nothing where first
    slots: np.ndarray  # [B] int64, places of the games at the table; each once

    @classmethod
    def alone(
        cls,
        actions: Space,
        observation: np.ndarray,
        legal: np.ndarray,
        seed: np.ndarray | None = None,
        rules: Sequence[Rules] | None = None,
    ) -> Positions:
        """Positions without what came before them, in slots 0 to B - 1.  seed: [B] int64; None: zeros."""
        batch = len(legal)
        seed = np.zeros(batch, np.int64) if seed is None else seed
        first, slots = np.ones(batch, bool), np.arange(batch)
        return cls(observation, legal, seed, rules, actions, first, actions.none(batch), slots)

    @classmethod
    def of(cls, rules: Sequence[Rules], seed: np.ndarray) -> Positions:
        """Positions by their rules.  seed: [B] int64."""
        views = [position.view() for position in rules]
        legal = np.stack([allowed for _, allowed in views])
        return cls.alone(Discrete(legal.shape[1]), np.stack([seen for seen, _ in views]), legal, seed, rules)


class Moves(NamedTuple):
    """What a player chose in B positions."""

    action: np.ndarray  # [B, *shape of an action]; where actions can be listed, RESIGN gives the game up
    value: np.ndarray  # [B] float32, the return that the player expects for itself; NaN where it has no opinion


RESIGN = -1


class Player(ABC):
    """A player.  What it does in a game depends on that game and its seeds, and not on the games beside it."""

    title: str
    """What it calls itself: an engine's name and version."""

    def start(self, batch: int) -> Any:
        """What the player remembers before the first move of the games of a table of B slots."""
        return None

    @abstractmethod
    def act(self, positions: Positions, memory: Any) -> tuple[Moves, Any]:
        """Choose in each position.

        Args:
            positions: some slots of the table.
            memory: what the player returned at the call before, or `start`; of all slots of the table.

        Returns:
            the moves, and the memory for the next call; the one that was given stays as it is.

        Raises:
            PlayerError: if it cannot play there.
        """

    def close(self) -> None:  # noqa: B027 (most players hold nothing)
        """Release what the player holds."""


class MemorylessPlayer(Player):
    """A player whose moves depend on nothing but the position and its seed."""

    @abstractmethod
    def choose(self, positions: Positions) -> Moves:
        """Choose in each position.

        Raises:
            PlayerError: if it cannot play there.
        """

    def act(self, positions: Positions, memory: Any) -> tuple[Moves, Any]:
        return self.choose(positions), memory


class PlayerError(RuntimeError):
    """A player cannot play this game, is missing, or does not keep to the rules."""

"""The contracts: what a game, a world model, a planner and an objective are, and the records that pass between them.

Read this file first; every other file implements it or uses it.  Sizes in shapes: B games or samples side by
side, A actions, T steps of one game, K unrolled steps of a window, W real steps of a window.

The turn is a sign.  The discount of a step is negative where the turn passes to the opponent and 0 where the game
ends; a reward belongs to the player who just moved, a value to the player to move.  So a return is always
``reward + discount * next_value`` and nothing anywhere asks how many players there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

Latent = dict[str, Tensor]
"""A model's state: tensors with the batch in front.  Others gather, stack and store it by name and never look in."""


# --- games ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GameSpec:
    """What is fixed about a game."""

    name: str  # as the user writes it: "board/connect_four"
    observation: tuple[int, ...]  # shape of one observation
    dtype: str  # of the observation: "float32" or "uint8"
    actions: int
    discounts: tuple[float, ...]  # ascending; all values that a step's discount can take: (-1, 0) or (0, 0.997)
    returns: tuple[float, float] | None = None  # range of a game's return, where it is known
    max_steps: int | None = None  # length of the longest game, where it is known
    first_action: int = 0  # the environment's own number of action 0
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
        """Apply one action per game.  actions: [B] int64.

        Raises:
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


class PolicyHead(Protocol):
    """A distribution over actions."""

    @property
    def logits(self) -> Tensor:
        """[B, A]."""
        ...

    def loss(self, target: Tensor) -> Tensor:
        """[B] cross entropy from the probabilities target [B, A]."""
        ...


class Transition(NamedTuple):
    """What a model says about a step that it imagined."""

    reward: Head
    discount: Head  # mean: signed, times the probability that the game continues


class Prediction(NamedTuple):
    """What a model says about a state."""

    policy: PolicyHead
    value: Head  # for the player to move


class WorldModel(nn.Module, ABC):
    """A learned model of an environment.

    MuZero's initial inference is `observe` then `predict`; its recurrent inference is `imagine` then `predict`.
    """

    simulators: Any = None
    """What `muzero.inference` keeps for the next search of this model: buffers, compiled networks; None drops them."""
    ranges: Mapping[str, tuple[float, float]] = {}
    """Smallest and largest "reward" and "value" that the heads can express; a missing one has no limit."""

    @abstractmethod
    def memory(self, batch: int) -> Latent:
        """The latent before any observation."""

    @abstractmethod
    def observe(self, memory: Latent, action: Tensor, observation: Tensor, first: Tensor) -> Latent:
        """Take in a real observation.

        Args:
            memory: the latent of the step before; a model without memory ignores it.
            action: [B] int64, the action that led here.
            observation: [B, *observation], of the game's own dtype.
            first: [B] bool; true where a new game begins, so memory and action mean nothing.
        """

    @abstractmethod
    def imagine(self, latent: Latent, action: Tensor) -> tuple[Latent, Transition]:
        """The state that action [B] int64 leads to, and what happens on the way."""

    @abstractmethod
    def predict(self, latent: Latent) -> Prediction:
        """Policy and value of a state."""


def observe_first(model: WorldModel, observation: Tensor) -> Latent:
    """The latent of observations [B, ...] that stand alone, as at the beginning of a game."""
    batch = len(observation)
    action = torch.zeros(batch, dtype=torch.int64, device=observation.device)
    return model.observe(model.memory(batch), action, observation, torch.ones_like(action, dtype=torch.bool))


# --- planners ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decision:
    """What a planner chose for B positions, and what it learned by planning."""

    action: np.ndarray  # [B] int64
    policy: np.ndarray  # [B, A] float32, the improved policy: the training target
    value: np.ndarray  # [B] float32, the search's value of the position, for the player to move


class Planner(Protocol):
    """A way to choose moves with a model.  A frozen dataclass: its fields are its configuration."""

    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: np.ndarray,
        carry: Any,
        rng: np.random.Generator,
        explore: bool,
    ) -> tuple[Decision, Any]:
        """Choose an action in each of B positions.

        Args:
            model: imagines and predicts.
            root: latent of the positions, B in front.
            legal: [B, A] bool; each row allows an action.
            carry: what the planner returned at the move before, None at the first.
            rng: the only source of randomness.
            explore: whether to choose as training needs it; otherwise the best action, without randomness.
        """
        ...


# --- experience ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """A training batch: W real steps from B sampled positions.

    Position k of a row is k steps after the sampled one.  Past the end of a game a row continues in an absorbing state
    (``over``: value and reward 0); past a cut, where nothing is known, ``known`` is false.
    """

    observation: Tensor  # [B, O, *observation]: positions 0..O-1, as many as the objective asked for
    action: Tensor  # [B, W] int64; random where over
    reward: Tensor  # [B, W]
    discount: Tensor  # [B, W]
    value: Tensor  # [B, W + 1] the search's values
    policy: Tensor  # [B, O, A] the search's policies
    planned: Tensor  # [B, W] bool, the planner chose the action; false where it was drawn at random
    known: Tensor  # [B, W + 1] bool; a transition k is known if position k + 1 is
    over: Tensor  # [B, W + 1] bool
    weight: Tensor  # [B] importance weights of prioritised sampling

    def to(self, device: torch.device) -> Window:
        """The same window on another device."""
        return Window(**{name: tensor.to(device, non_blocking=True) for name, tensor in vars(self).items()})


# --- objectives ----------------------------------------------------------------------------------------------------


class WindowSize(NamedTuple):
    """How much of a game an objective looks at."""

    steps: int  # W: real steps
    observations: int  # O: positions of which the observation and the policy are needed


class Loss(NamedTuple):
    """What an objective makes of a window."""

    terms: dict[str, Tensor]  # name -> [B], weighted; their sum is minimised
    priority: Tensor  # [B] how wrong the model was, for prioritised replay


class Objective(nn.Module, ABC):
    """What is learned.  Its parameters are those that only training needs."""

    window: WindowSize

    @abstractmethod
    def forward(self, model: WorldModel, target_model: WorldModel, window: Window) -> Loss:
        """Losses of a model on a window; target_model is the slow copy."""


# --- players -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Positions:
    """What a player sees of B positions in which it is to move."""

    observation: np.ndarray  # [B, *observation]
    legal: np.ndarray  # [B, A] bool
    seed: np.ndarray  # [B] int64, of all random choices of the player there
    rules: Sequence[Rules] | None  # the same positions, of games whose rules can be consulted

    @classmethod
    def of(cls, rules: Sequence[Rules], seed: np.ndarray) -> Positions:
        """Positions by their rules.  seed: [B] int64."""
        views = [position.view() for position in rules]
        return cls(np.stack([seen for seen, _ in views]), np.stack([legal for _, legal in views]), seed, rules)


class Moves(NamedTuple):
    """What a player chose in B positions."""

    action: np.ndarray  # [B] int64; RESIGN gives the game up
    value: np.ndarray  # [B] float32, the return that the player expects for itself; NaN where it has no opinion


RESIGN = -1


class Player(Protocol):
    """A player.  What it does in a position depends on nothing but the position and its seed."""

    @property
    def title(self) -> str:
        """What it calls itself: an engine's name and version."""
        ...

    def act(self, positions: Positions) -> Moves:
        """Choose in each position.

        Raises:
            PlayerError: if it cannot play there.
        """
        ...

    def close(self) -> None:
        """Release what the player holds."""
        ...


class PlayerError(RuntimeError):
    """A player cannot play this game, is missing, or does not keep to the rules."""

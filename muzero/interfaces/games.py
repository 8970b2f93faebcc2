"""What a game is: its specification, what a batch of games shows, and the rules of a position."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from muzero.actions import Space


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
class Symmetries:
    """N ways to show a game under which its rules are the same; the first changes nothing."""

    source: np.ndarray  # [N, D] int64: number k of the image of a flat observation is number source[n, k] of it
    action: np.ndarray  # [N, A] int64, the image of each action
    known: np.ndarray  # [N, A] bool; false for actions that were never legal where the symmetry was checked

    def __len__(self) -> int:
        return len(self.source)


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

    def frame(self, slot: int) -> np.ndarray | None:
        """The picture that the environment draws of a slot's position, for people; it has no effect on the game.

        Returns:
            [H, W, 3] uint8, or None: the environment draws nothing, or the games were made without frames.
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

    def own(self, action: Any) -> Any:
        """One action of the environment, as it was recorded, as the package has it; the inverse of `native`.

        Raises:
            ValueError: if it is not an action of the environment.
        """
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

"""Action spaces: what an action is.  What differs between spaces is a method, so that the rest never asks for the kind.

Inside the package an action of `Discrete` is a number from 0 on, and an action of `Box` is a row of numbers from -1 to
1; `muzero.games.action_views` translates both to what an environment takes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class Space(ABC):
    """What the actions of a game are."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one action."""

    @property
    @abstractmethod
    def dtype(self) -> str:
        """Of an array of actions."""

    @property
    @abstractmethod
    def columns(self) -> int:
        """Columns of a legal mask [B, columns], one for each action; 0 where actions cannot be listed."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Numbers that `encode` makes of one action."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Numbers that a network puts out for a policy over the space, see `muzero.models.heads.policy_of`."""

    @property
    @abstractmethod
    def mark(self) -> int | str:
        """How stored files identify the space."""

    def none(self, *batch: int) -> np.ndarray:
        """[*batch, *shape] placeholders, as for the action before the first position of a game."""
        return np.zeros((*batch, *self.shape), self.dtype)

    @abstractmethod
    def allows(self, legal: np.ndarray) -> np.ndarray:
        """[B] bool, which rows of a mask [B, columns] allow an action."""

    @abstractmethod
    def draw(self, legal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """[B, *shape] actions drawn uniformly from the legal ones [B, columns]."""

    @abstractmethod
    def draw_any(self, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """[*size, *shape] actions drawn uniformly from all, legal or not."""

    @abstractmethod
    def pick(self, legal: np.ndarray, share: np.ndarray) -> np.ndarray:
        """[B, *shape] the legal actions that lie at these shares [B] of all legal ones, in [0, 1)."""

    @abstractmethod
    def check(self, actions: np.ndarray, legal: np.ndarray, name: str) -> None:
        """Check actions against the legal ones [B, columns].

        Raises:
            ValueError: naming the first slot whose action is not one of the space, or not legal.
        """

    @abstractmethod
    def encode(self, action: Tensor) -> Tensor:
        """Actions [..., *shape] -> [..., width] float32, as a network takes them."""

    @abstractmethod
    def mix(self, table: Tensor, action: Tensor) -> Tensor:
        """What stands for actions [B, *shape] in a network: rows of a learned table [width, ...] -> [B, ...]."""

    @abstractmethod
    def name(self, action: Any) -> str:
        """What one action is called."""

    @abstractmethod
    def describe(self) -> str:
        """What the space is, in words: "9 actions"."""

    def problem(self, batch: int, actions: np.ndarray) -> str | None:
        """What is wrong with the shape and type of actions, in words; None if nothing is."""
        kinds = "f" if np.dtype(self.dtype).kind == "f" else "iu"
        if actions.shape == (batch, *self.shape) and actions.dtype.kind in kinds:
            return None
        return f"expected {self.dtype} of shape {(batch, *self.shape)}, got {actions.dtype} {actions.shape}"


@dataclass(frozen=True)
class Discrete(Space):
    """Actions 0 to n - 1."""

    n: int
    names: tuple[str, ...] = ()  # of all actions, where they have names

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    @property
    def dtype(self) -> str:
        return "int64"

    @property
    def columns(self) -> int:
        return self.n

    @property
    def width(self) -> int:
        return self.n

    @property
    def parameters(self) -> int:
        return self.n

    @property
    def mark(self) -> int | str:
        return self.n

    def allows(self, legal: np.ndarray) -> np.ndarray:
        return np.asarray(legal.any(1))

    def draw(self, legal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.where(legal, rng.random(legal.shape), -1).argmax(1)

    def draw_any(self, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.integers(self.n, size=size)

    def pick(self, legal: np.ndarray, share: np.ndarray) -> np.ndarray:
        place = (share * legal.sum(1)).astype(np.int64)
        return (legal.cumsum(1) > place[:, None]).argmax(1)

    def check(self, actions: np.ndarray, legal: np.ndarray, name: str) -> None:
        actions, batch = np.asarray(actions), len(legal)
        if problem := self.problem(batch, actions):
            raise ValueError(f"{name}: actions: {problem}")
        inside = (actions >= 0) & (actions < self.n)
        allowed = inside & legal[np.arange(batch), np.where(inside, actions, 0)]
        if not allowed.all():
            slot = int(np.flatnonzero(~allowed)[0])
            raise ValueError(f"{name}: actions[{slot}] = {actions[slot]} is not legal")

    def encode(self, action: Tensor) -> Tensor:
        return F.one_hot(action, self.n).float()

    def mix(self, table: Tensor, action: Tensor) -> Tensor:
        return table[action]

    def name(self, action: Any) -> str:
        return self.names[int(action)] if self.names else str(int(action))

    def describe(self) -> str:
        return f"{self.n:,} actions"


@dataclass(frozen=True)
class Box(Space):
    """Rows of numbers, each from -1 to 1; only `muzero.games.action_views` knows an environment's own bounds."""

    size: int

    @property
    def dtype(self) -> str:
        return "float32"

    @property
    def columns(self) -> int:
        return 0

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size,)

    @property
    def width(self) -> int:
        return self.size

    @property
    def parameters(self) -> int:
        return 2 * self.size

    @property
    def mark(self) -> int | str:
        return f"box {self.size}"

    def allows(self, legal: np.ndarray) -> np.ndarray:
        return np.ones(len(legal), bool)

    def draw(self, legal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.draw_any((len(legal),), rng)

    def draw_any(self, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(-1, 1, (*size, self.size)).astype(np.float32)

    def pick(self, legal: np.ndarray, share: np.ndarray) -> np.ndarray:
        return np.repeat((2 * share - 1).astype(np.float32)[:, None], self.size, 1)

    def check(self, actions: np.ndarray, legal: np.ndarray, name: str) -> None:
        actions = np.asarray(actions)
        if problem := self.problem(len(legal), actions):
            raise ValueError(f"{name}: actions: {problem}")
        inside = (np.abs(actions) <= 1).all(1)  # false for NaN
        if not inside.all():
            slot = int(np.flatnonzero(~inside)[0])
            raise ValueError(f"{name}: actions[{slot}] = {self.name(actions[slot])} lies outside -1..1")

    def encode(self, action: Tensor) -> Tensor:
        return action.to(torch.float32)

    def mix(self, table: Tensor, action: Tensor) -> Tensor:
        """The sum of the rows, each times its number of the action."""
        return (action @ table.flatten(1)).unflatten(1, table.shape[1:])

    def name(self, action: Any) -> str:
        return f"[{' '.join(f'{number:.3g}' for number in action)}]"

    def describe(self) -> str:
        return f"actions of {self.size} number{'s' * (self.size > 1)}"

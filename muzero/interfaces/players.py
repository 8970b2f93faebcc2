"""What a player is, and what it sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from muzero.actions import Discrete, Space
from muzero.interfaces.games import Rules


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

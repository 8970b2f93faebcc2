"""One environment as a game of a batch: the contract between `BatchedGames` and the sources of games."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from muzero.games.faults import raise_interrupt
from muzero.interfaces import Rules


class OneGame(ABC):
    """One environment, as `BatchedGames` needs it.  An exception drops the game that is being played."""

    @abstractmethod
    def reset(self, seed: int) -> None:
        """Begin a new game; all its randomness follows from the seed."""

    @abstractmethod
    def step(self, action: Any) -> tuple[float, float, bool]:
        """Apply an action; returns the reward to the player who moved, the signed discount, and truncated."""

    @abstractmethod
    def observe(self, out: np.ndarray) -> None:
        """Write the observation of the player to move into out, an array of the observation's shape and dtype."""

    @abstractmethod
    def legal(self) -> Sequence[int] | None:
        """The legal actions, each once; None for all.  Not called where the game has ended."""

    def convert(self, observation: Any) -> np.ndarray:
        """Convert one observation, as the environment returns it; see `Games.convert`."""
        return np.asarray(observation)

    def native(self, action: Any) -> Any:
        """One action as the environment takes it; see `Games.native`."""
        return action

    def own(self, action: Any) -> Any:
        """One action of the environment as the package has it; see `Games.own`."""
        return action

    def rules(self) -> Rules | None:
        """The position, for players that look ahead; None if the rules cannot be consulted."""
        return None

    def frame(self) -> np.ndarray | None:
        """The picture of the position, [H, W, 3] uint8; None if the environment draws none."""
        return None

    def close(self) -> None:  # noqa: B027 - most games have nothing to release
        """Release processes, windows or files of the game; it is not used afterwards."""


def close(game: OneGame) -> None:
    """Close an environment; its exceptions are ignored, since it is not used again."""
    try:
        game.close()
    except BaseException as error:
        raise_interrupt(error)

"""Actors and their work as one pool: the contract."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from muzero.actors import pending
from muzero.actors.actor import searched
from muzero.actors.tasks import Result, Weights, Work
from muzero.data.segment_format import Layout
from muzero.interfaces import GameSpec


class ActorPool(ABC):
    """Actors and their work: results come in the order in which they are ready; the pool never waits for a lost one."""

    deadline: float = math.inf  # of time.monotonic(): this process does not play much longer
    version: int = -1  # of the weights published last
    apart: bool = True  # whether other processes play, while this one learns or waits
    exact: bool = False  # whether `restore` brings games back, so that a resumed run is the same run

    game: GameSpec
    layout: Layout  # of segments of the game
    unreported: list[str]  # what the user should know

    @property
    def spec(self) -> GameSpec:
        """The game that is played."""
        return self.game

    def prepare(self) -> list[str]:
        """Get ready for a new run, and say in words what it learns from.

        Raises:
            ConfigError: if that cannot be learned from.
        """
        return []

    @abstractmethod
    def due(self, version: int) -> bool:
        """Whether it is time to publish newer weights, those of this version."""

    @abstractmethod
    def publish(self, weights: Weights, version: int) -> None:
        """Use these weights for every task from now on."""

    @abstractmethod
    def next_result(self, timeout: float) -> Result | None:
        """The next result; None if none is ready in time, or after `wake`.

        Raises:
            EnvironmentFault: if all actors keep failing.
            LostCluster: if the cluster is gone.
        """

    @property
    def searched(self) -> int:
        """Positions in a search of `Reanalyse`: its positions should be a multiple of these."""
        return searched(torch.device("cpu"))

    def age(self, version: int) -> int:
        """How many newer weights were published since this version."""
        return 0

    def request(self, kind: type[Work], make: Callable[[], Work]) -> bool:
        """Give work of a kind other than `Play` to an actor; false if no actor is free for it.

        make: makes the work; called only if an actor is free.
        """
        return False

    def counts(self) -> dict[str, float]:
        """Counts of what happened so far, as metrics."""
        return {}

    def messages(self) -> list[str]:
        """What the user should know and was not reported yet."""
        reported, self.unreported = self.unreported, []
        return reported

    @property
    def lost(self) -> bool:
        """Whether the next `next_result` will raise LostCluster."""
        return False

    def wake(self) -> None:  # noqa: B027 (work in this process is not waited for)
        """Make a waiting `next_result` return None; may be called from a signal handler."""

    def drain(self) -> list[Result]:
        """Give out no more work; the results of work under way that are ready in time."""
        return []

    @abstractmethod
    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and plain values from which `restore` continues; "incarnation" is that of the newest games."""

    def check(self, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> None:
        """Refuse a state of a form that `state` does not give; nothing is changed.

        Raises:
            ValueError: naming what does not fit.
        """
        pending.unpacked(arrays, values.get("pending", []), self.layout)

    @abstractmethod
    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any], incarnation: int) -> bool:
        """Continue where `state` was taken; false, with new games, where the old ones cannot be brought back.

        Results that the state holds are kept in both cases, also from a pool of another kind.

        Args:
            arrays: as `state` gave them.
            values: as `state` gave them.
            incarnation: the least that new games may take, so that ids are never reused.
        """

    @abstractmethod
    def forget_plans(self) -> None:
        """Drop results of `Reanalyse` that `restore` has kept: the rows that they name have other numbers now."""

    def close(self) -> None:  # noqa: B027
        """Release actors, processes and games."""

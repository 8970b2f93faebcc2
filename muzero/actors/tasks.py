"""What a driver asks of actors, and what they deliver: plain records that can cross to other processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from muzero.interfaces import GameSpec, Segment
from muzero.play.selfplay import Episode

Weights = dict[str, np.ndarray]
Task = Literal["play", "reanalyse", "evaluate"]


@dataclass(frozen=True)
class Order:
    """One piece of work."""

    number: int  # never given twice in a run; an actor that begins anew takes its first as its incarnation
    version: int  # of the weights to work with
    task: Task
    payload: Any  # steps to play; positions to plan again; number of games and how to play them


@dataclass(frozen=True)
class Delivery:
    """What came of an order."""

    order: Order
    segments: Sequence[Segment | bytes] = ()  # as records where they crossed a border
    episodes: Sequence[Episode] = ()
    faults: int = 0  # games that broke off since the delivery before
    rejected: int = 0  # segments that did not hold what they must, likewise
    last_fault: str | None = None
    result: Any = None  # of other tasks than playing


class LostCluster(RuntimeError):
    """The head of a cluster is gone: no actor can be reached any more."""


class Crew(ABC):
    """Actors and their work: results come in whatever order they are ready, and missing ones are never waited for."""

    version: int = -1  # of the weights published last
    exact: bool = False  # whether `restore` brings games back, so that a resumed run is the same run

    @property
    @abstractmethod
    def spec(self) -> GameSpec:
        """The game that is played."""

    @abstractmethod
    def due(self, version: int) -> bool:
        """Whether it is time to publish newer weights, those of this version."""

    @abstractmethod
    def publish(self, weights: Weights, version: int) -> None:
        """Have every order from now on worked on with these weights."""

    @abstractmethod
    def take(self, timeout: float) -> Delivery | None:
        """The next result; None if none is ready in time, or after `wake`.

        Raises:
            EnvironmentFault: if no actor works any more.
            LostCluster: if the cluster is gone.
        """

    def age(self, version: int) -> int:
        """How many newer weights were published since this version."""
        return 0

    def request(self, task: Task, payload: Callable[[], Any]) -> bool:
        """Have something done beside playing; false, without the payload, where nobody is free for it."""
        return False

    def counts(self) -> dict[str, float]:
        """What happened so far, as metrics."""
        return {}

    def news(self) -> list[str]:
        """What a person should know and was not told yet."""
        return []

    @property
    def lost(self) -> bool:
        """Whether the next `take` will raise LostCluster."""
        return False

    def wake(self) -> None:  # noqa: B027 (who works in this process is not waited for)
        """Have `take` return; may be called from a signal's handler."""

    def drain(self) -> list[Delivery]:
        """Ask for nothing more; what was under way and is ready in time."""
        return []

    @abstractmethod
    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and plain values from which `restore` goes on; "incarnation" names the newest games."""

    @abstractmethod
    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any], incarnation: int) -> bool:
        """Go on where `state` was taken; false, with new games, where the old ones cannot be brought back.

        incarnation: of new games at least, so that their ids are none that were used since.
        """

    def close(self) -> None:  # noqa: B027
        """Let go of everything."""

"""What a driver asks of actors, and what they deliver: plain records that can cross to other processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from muzero.interfaces import Segment
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

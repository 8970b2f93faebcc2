"""What a driver asks of actors, and what comes back: plain records that can cross to other processes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from muzero.data.plans import StoredPositions
from muzero.data.schema import Segment
from muzero.data.segment_format import Layout
from muzero.evaluation.in_training import Evaluated
from muzero.play.selfplay import Episode

Weights = dict[str, np.ndarray] | dict[str, Tensor]
"""A model's parameters and buffers by name: tensors on the learner's device, or arrays for other processes."""


@dataclass(frozen=True)
class Play:
    """Continue self-play in every game of the actor."""

    steps: int  # of each game
    seconds: float = math.inf  # after which fewer steps are enough; one step is always played


@dataclass(frozen=True)
class Reanalyse:
    """Plan stored positions again with newer weights (Schrittwieser et al. 2021)."""

    positions: StoredPositions


@dataclass(frozen=True)
class Evaluate:
    """Play this number of whole games without exploration, to measure the weights."""

    games: int


Work = Play | Reanalyse | Evaluate


@dataclass(frozen=True)
class Task:
    """One piece of work for one actor."""

    number: int  # unique within a run; an actor without games starts new ones with this number as their incarnation
    version: int  # of the weights to use
    work: Work


@dataclass(frozen=True)
class Played:
    """What `Play` gives: new experience, finished games, and what went wrong."""

    segments: Sequence[Segment | bytes]  # bytes: records in the format of the log, as other processes send them
    episodes: Sequence[Episode]  # games that ended
    faults: int = 0  # games that broke off since the actor's previous result
    rejected: int = 0  # segments that failed validation since the actor's previous result
    last_fault: str | None = None  # description of the latest fault or rejection

    def packed(self, layout: Layout) -> Played:
        """The same with all segments as records, to be sent or saved."""
        records = [layout.pack(part) if isinstance(part, Segment) else part for part in self.segments]
        return replace(self, segments=records)


@dataclass(frozen=True)
class Reanalysed:
    """What `Reanalyse` gives: the new search results of N stored positions."""

    numbers: np.ndarray  # [N] int64, rows of the replay
    policy: np.ndarray  # [N, K] float32
    value: np.ndarray  # [N] float32
    candidates: np.ndarray | None = None  # [N, K, *shape of an action]; None: candidate k is action k


@dataclass(frozen=True)
class Result:
    """A finished task; `found` is of the kind that belongs to the task's work."""

    number: int  # of the task
    version: int  # of the weights that were used
    found: Played | Reanalysed | Evaluated


class LostCluster(RuntimeError):
    """The head of a cluster is gone: no actor can be reached any more."""


class NoCluster(RuntimeError):
    """A Ray session on this machine did not start; the message says why."""

"""What a run is doing at one moment: a plain record that the loop makes and `progress` draws."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from muzero.runs.evaluations import Evaluation


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where a run stands.

    Counts belong to the whole run, earlier sessions included; `phases` and `counters` to this session.
    """

    clock: float  # seconds of a monotonic clock, for rates
    steps: int  # environment steps so far; updates, where nothing is played
    goal: int  # of the whole run
    unit: str = "steps"  # what these two are: "steps" or "updates"
    start: int  # environment steps before learning begins
    limit: float | None = None  # seconds of training of the whole run; None: not limited
    updates: int
    seconds: float  # of training
    cpu_seconds: float | None = None  # of training; None: not known
    done: float  # share of the run, 0 to 1
    losses: Mapping[str, Tensor]  # the figures of the last update, scalars on its device; empty before the first
    terms: Collection[str] = ()  # names of those figures that are minimised
    score: float | None  # mean of the latest games of self-play, which explores
    length: float | None  # mean steps of these games
    greedy: Evaluation | None  # the last evaluation during the run, without exploration
    comparison: str = ""  # with healthy runs of the game, in a few words; empty: not known
    phases: Mapping[str, float]  # seconds by what they were spent on
    apart: bool = False  # games are played beside learning, so that "play" is waiting for them
    counters: Mapping[str, float]  # everything else that the files of metrics show
    spreads: Mapping[str, np.ndarray] = field(default_factory=dict)  # numbers of which TensorBoard shows histograms
    warnings: Sequence[str]  # everything that the user should know so far, the oldest first

    def rates(self, before: Status) -> dict[str, float]:
        """Steps and updates per second since an earlier moment of the same session."""
        seconds = max(self.clock - before.clock, 1e-9)
        return {
            "steps_per_second": (self.steps - before.steps) / seconds,
            "updates_per_second": (self.updates - before.updates) / seconds,
        }

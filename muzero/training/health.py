"""The health of a run: measured now and then while it learns, judged, and compared with healthy runs of the game."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from muzero.diagnostics import measures
from muzero.diagnostics.curve import HEALTH, SCORE, Curve, Track
from muzero.diagnostics.verdicts import Verdicts
from muzero.interfaces import WindowSize
from muzero.training.scores import Scores
from muzero.training.updates import Updates

PERIOD = 5.0  # seconds between two measurements, at least
SHARE = 0.005  # of the time that measuring may take


class Health:
    """Reads a learner and a replay, and changes neither: a run is the same, bit for bit, without it."""

    def __init__(
        self,
        updates: Updates,
        scores: Scores,
        curve: Curve | None,
        waited: Callable[[], float],
        recorded: bool = False,
    ) -> None:
        """Measure nothing yet.

        Args:
            updates: of the run.
            scores: of its self-play.
            curve: of healthy runs of the game; None if there is none.
            waited: returns the seconds in which the learner has waited for games so far; NaN where it plays itself.
            recorded: experience was there before the run, so its age says nothing.
        """
        self.recorded = recorded
        self.waited, self.before = waited, (time.monotonic(), waited())
        self.updates, self.learner, self.replay, self.scores = updates, updates.learner, updates.replay, scores
        objective = self.learner.objective
        self.unroll = objective.unroll
        self.size = WindowSize(max(objective.window.steps, self.unroll + 1), self.unroll + 1)
        self.verdicts, self.track = Verdicts(), None if curve is None else Track(curve)
        self.metrics: dict[str, float] = {}  # the newest
        self.others: dict[str, float] = {}  # measured with them
        self.spreads: dict[str, np.ndarray] = {}  # of which histograms are drawn
        self.found: list[str] = []
        self.spent = 0.0  # seconds
        self.next = 0.0  # on the monotonic clock

    def look(self, done: float, steps: int) -> None:
        """Measure and judge, if it is time.

        Args:
            done: share of the run that is done, 0 to 1.
            steps: environment steps so far.
        """
        begun = time.monotonic()
        if begun < self.next:
            return
        numbers = self._measure()
        self.metrics = {f"{HEALTH}{name}": number for name, number in numbers.items()}
        self.others = {f"gradient/{name}": norm for name, norm in self._gradients().items()} | self._waits(begun)
        self.found += self.verdicts.judge(numbers | self.others, self.learner.updates, done)
        if self.track is not None:
            behind = self.track.add(steps, self.metrics | self._score())
            self.found += [behind] if behind else []
        spent = time.monotonic() - begun
        self.spent += spent
        self.next = begun + max(PERIOD, spent / SHARE)

    def _measure(self) -> dict[str, float]:
        seen, legal = measures.newest(self.replay, self.size)
        if len(seen.weight) < measures.LEAST:
            return {}
        seen = seen.to(self.learner.device)
        found = measures.measure(self.learner.acting, seen, legal, self.unroll)
        self.spreads = measures.spreads(self.learner.acting, seen, legal)
        if self.replay.spec.returns is not None:  # games such as chess end at the edge: they are won or lost
            found.pop("value_edge", None)
        if (last := self.updates.pending) is not None:
            if not self.recorded:
                found |= measures.age(self.replay, last.rows, seen.number.cpu().numpy(), self.learner.updates)
            self.spreads["priority"] = self.replay.priority[last.rows % self.replay.capacity]
        return found

    def _gradients(self) -> dict[str, float]:
        return measures.gradients(self.learner.model, self.learner.objective)

    def _waits(self, now: float) -> dict[str, float]:
        """The share of the time since the measurement before in which the learner waited for games."""
        (since, before), self.before = self.before, (now, self.waited())
        share = (self.before[1] - before) / max(now - since, 1e-9)
        return {} if math.isnan(share) else {"learner_waits": min(share, 1.0)}

    def _score(self) -> dict[str, float]:
        """The score of self-play, where it says how well a run plays: a better player beats itself no more often."""
        score = self.scores.score
        return {} if score is None or self.replay.spec.two_player else {SCORE: score}

    def counts(self) -> dict[str, float]:
        """The newest numbers, and the seconds that measuring took, which belong to learning."""
        return {**self.metrics, **self.others, "time/health": round(self.spent, 3)}

    def messages(self) -> list[str]:
        """What is wrong with the run, in words."""
        return self.found

    @property
    def comparison(self) -> str:
        """How the run compares with healthy ones, in a few words; empty where that is not known."""
        return "" if self.track is None else self.track.text

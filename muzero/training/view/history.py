"""What a dashboard remembers of a run: the curves of its scores and figures."""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path

from muzero.runs import evaluations, json_lines
from muzero.runs.folder import RunFolder
from muzero.training.status import Status

MOST = 600  # points of the curve of exploring play; every second one is left out where there are more
RECENT = 60  # values of a figure


class History:
    """Scores of the whole run, from its files where it was resumed, and figures of this session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exploring: list[tuple[float, float]] = []  # steps, score
        self.greedy: list[tuple[float, float]] = []
        self.figures: dict[str, deque[float]] = {}  # by name, the oldest first
        self.apart = 0.0  # steps between two points of a curve, at least
        for row in json_lines.read(RunFolder(folder).metrics):
            steps, score = row.get("steps"), row.get("self_play_score")
            if isinstance(steps, int | float) and isinstance(score, int | float):
                self._explored(steps, score)
        for evaluation in evaluations.read(folder):
            self.greedy.append((evaluation.step, evaluation.mean))

    def add(self, status: Status) -> None:
        """Take in where the run stands."""
        if status.score is not None:
            self._explored(status.steps, status.score)
        greedy = status.greedy
        if greedy is not None and (not self.greedy or greedy.step > self.greedy[-1][0]):
            self.greedy.append((greedy.step, greedy.mean))
        health = {name: value for name, value in status.counters.items() if name.startswith("health/")}
        for name, figure in {**status.losses, **health}.items():
            self.figures.setdefault(name, deque(maxlen=RECENT)).append(float(figure))

    def _explored(self, steps: float, score: float) -> None:
        if not math.isfinite(steps) or not math.isfinite(score):
            return
        while self.exploring and self.exploring[-1][0] > steps:  # a resumed run plays these steps again
            self.exploring.pop()
        if self.exploring and steps - self.exploring[-1][0] < max(self.apart, 1):
            return
        self.exploring.append((steps, score))
        if len(self.exploring) > MOST:
            self.exploring = self.exploring[::2]
            self.apart = (self.exploring[-1][0] - self.exploring[0][0]) / len(self.exploring)

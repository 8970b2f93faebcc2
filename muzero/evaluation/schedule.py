"""When a run's checkpoints are evaluated, and which of them is the best."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from muzero.evaluation.automatic import AutomaticEvaluations
from muzero.evaluation.in_training import Evaluated
from muzero.evaluation.intervals import Summary
from muzero.runs import checkpoint, evaluations
from muzero.runs.evaluations import Evaluation
from muzero.runs.folder import RunFolder
from muzero.runs.value_checks import LARGEST, whole


class EvaluationSchedule:
    """Schedules the evaluations of a run: each is of a saved checkpoint, and the best checkpoint is kept."""

    def __init__(self, folder: Path, every: int | Literal["auto"]) -> None:
        """every: environment steps between two evaluations; 0 for none, "auto" for about ten over the run."""
        self.folder = folder
        self.automatic = AutomaticEvaluations() if every == "auto" else None
        self.every = 0 if every == "auto" else every
        self.at = 0  # environment steps of the last evaluation
        self.pending: tuple[int, int, float] | None = None  # step, updates and seconds of the checkpoint under way
        self.missed: OSError | None = None  # why the last result is not in the file

    def state(self) -> int:
        """What `restore` needs: environment steps of the last evaluation."""
        return self.at

    def check(self, value: Any) -> None:
        """Refuse what is not a state of a schedule.

        Raises:
            ValueError: saying what was expected.
        """
        whole("evaluated_at", value, -LARGEST)  # below 0 in runs of earlier versions

    def restore(self, at: int) -> None:
        """Continue where the last evaluation began at these steps; one that never finished is done again."""
        done = at == 0 or any(evaluation.step == at for evaluation in evaluations.read(self.folder))
        self.at, self.pending = at if done else max(at - self.every, 0), None

    def due(self, steps: int, done: float, seconds: float) -> bool:
        """Whether an evaluation is due.

        Args:
            steps: environment steps so far.
            done: share of the run, 0 to 1.
            seconds: of this session.
        """
        if self.automatic is not None:
            return self.automatic.due(done, seconds)
        return bool(self.every) and steps - self.at >= self.every

    def begin(self, steps: int, updates: int, seconds: float) -> None:
        """Record that the checkpoint of these steps is about to be saved and evaluated."""
        self.at, self.pending = steps, (steps, updates, round(seconds, 2))

    def abandon(self) -> None:
        """Forget the checkpoint under way: nothing will be known about it."""
        self.pending = None

    def finish(self, results: Evaluated, updates: int) -> Evaluation | None:
        """Append the results to the run's evaluations.

        Args:
            results: the finished games.
            updates: number of updates of the weights that were evaluated.

        Returns:
            None if the results are not of the checkpoint under way: an actor died, or the run was resumed.
        """
        if self.pending is None or self.pending[1] != updates:
            return None
        pending, self.pending = self.pending, None
        name, outcomes = next(iter(results.games.items()))
        summary = Summary(outcomes)
        figures = (len(outcomes), summary.mean, *summary.interval, round(results.seconds, 2))
        evaluation = Evaluation(*pending, name, *figures)
        try:
            evaluations.append(self.folder, evaluation)
            self.missed = None
        except OSError as error:
            self.missed = error
        return evaluation

    def wanted(self) -> list[int]:
        """Steps of the checkpoints that must be kept: the best one, and the one that is being evaluated."""
        steps = [checkpoint.step_of(path) for path in checkpoint.listed(RunFolder(self.folder).checkpoints)]
        best = evaluations.best(evaluations.read(self.folder), steps)
        return [step for step in (best, self.pending and self.pending[0]) if step is not None]

"""What a run shows while it learns: a live line on the screen, metrics in files.

None of it can end a run: a terminal that is gone is silence, a full disk is rows that are missing.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from muzero.runs.evaluations import Evaluation
from muzero.training.metrics import Metrics
from muzero.util.text import printable

if TYPE_CHECKING:
    from muzero.training.loop import Training

SCREEN_SECONDS = 0.5  # between two refreshes of the live line
PLAIN_SECONDS = 10.0  # between two lines where the output is no terminal
FILE_SECONDS = 5.0  # between two rows of metrics
LONGEST = 500  # characters of a warning, or of a line of a traceback
LINES = 30


class Progress:
    """A live line, `metrics.jsonl` and TensorBoard events."""

    def __init__(self, folder: Path, console: Console) -> None:
        self.console = console
        self.silent = False  # once the console could not be written to
        self.metrics = Metrics(folder)
        self.screen_every = SCREEN_SECONDS if console.is_terminal else PLAIN_SECONDS
        self.shown = self.written = float("-inf")
        self.warned: set[str] = set()
        self.before: tuple[float, int, int] | None = None  # time, steps, updates of the last row

    def show(self, training: Training) -> None:
        """Refresh the line and the files, where it is time."""
        now = time.monotonic()
        if self.before is None:
            self.before = (now, training.replay.steps, training.learner.updates)
        if now - self.shown >= self.screen_every:
            self.shown = now
            text = self._line(training)
            if self.console.is_terminal:
                self._say(text[: self.console.width - 1].ljust(self.console.width - 1), end="\r")
            else:
                self._say(text, soft_wrap=True)
        if now - self.written >= FILE_SECONDS:
            self.written = now
            self.write(training, self._metrics(training, now))
            self.before = (now, training.replay.steps, training.learner.updates)

    def _line(self, training: Training) -> str:
        """What matters most comes first: a narrow terminal cuts off the end."""
        steps, done = training.replay.steps, training.done()
        rates = self._rates(training, time.monotonic())
        parts = [f"{steps:,}/{training.settings.steps:,} steps"]
        if 0 < done < 1:
            parts.append(f"{clock(training.seconds() * (1 / done - 1))} left")
        if training.episodes:
            parts.append(f"score {sum(training.episodes) / len(training.episodes):.2f}")
        parts.append(f"{training.learner.updates:,} updates")
        parts.append(f"{rates['steps_per_second']:,.0f} steps/s {rates['updates_per_second']:,.0f} updates/s")
        if training.metrics:
            names = ("policy", "value", "reward")
            parts.append("loss " + " ".join(f"{name} {float(training.metrics[name]):.2f}" for name in names))
        else:
            parts.append(f"learning begins at {training.settings.start:,} steps")
        return "  ".join(parts)

    def _rates(self, training: Training, now: float) -> dict[str, float]:
        assert self.before is not None
        seconds = max(now - self.before[0], 1e-9)
        return {
            "steps_per_second": (training.replay.steps - self.before[1]) / seconds,
            "updates_per_second": (training.learner.updates - self.before[2]) / seconds,
        }

    def _metrics(self, training: Training, now: float) -> dict[str, Any]:
        row: dict[str, Any] = {f"loss/{name}": float(tensor) for name, tensor in training.metrics.items()}
        row |= self._rates(training, now)
        row |= {f"time/{name}": round(seconds, 2) for name, seconds in training.seconds_by_phase.items()}
        row |= {"replay_rows": len(training.replay), "skipped_updates": training.learner.skipped}
        row |= {"recoveries": training.recoveries, "checkpoint_failures": training.writer.failures}
        row |= {"environment_faults": training.faults, "rejected_segments": training.rejected}
        row |= {"updates_error": (training.learner.updates - training.owed) / max(training.owed, 1)}
        row |= training.experience.counts() | training.pool.counts()
        if training.episodes:
            row["self_play_score"] = sum(training.episodes) / len(training.episodes)
        return row

    def evaluated(self, training: Training, evaluation: Evaluation) -> None:
        """Record an evaluation during the run."""
        name, mean = evaluation.name, evaluation.mean
        ends = {f"evaluation/{name}/{end}": getattr(evaluation, end) for end in ("low", "high")}
        self.write(training, {f"evaluation/{name}": mean, **ends})
        margin, cost = (evaluation.high - evaluation.low) / 2, f"{evaluation.games:,} games, {evaluation.cost:.1f} s"
        self._say(
            f"after {evaluation.step:,} steps, {name}: {mean:.2f} ± {margin:.2f} ({cost})".ljust(self.console.width - 1)
        )

    def warn(self, message: str) -> None:
        """Say something once."""
        if message not in self.warned:
            self.warned.add(message)
            self._say(f"warning: {printable(message, LONGEST)}", style="yellow", soft_wrap=True)

    def trouble(self, message: str) -> None:
        """Say what happened to an actor, with its traceback where it has one."""
        for line in message.rstrip().split("\n")[-LINES:]:
            self._say(printable(line, LONGEST), style="yellow", soft_wrap=True)

    def write(self, training: Training, values: dict[str, Any]) -> None:
        """One row of metrics."""
        steps = training.replay.steps
        head = {"steps": steps, "updates": training.learner.updates, "seconds": round(training.seconds(), 2)}
        self.metrics.add(head, values)

    def close(self, training: Training) -> None:
        """The last row, and an end to the live line."""
        if self.before is not None:
            self.write(training, self._metrics(training, time.monotonic()))
            self._say(self._line(training), soft_wrap=True)
        if self.metrics.dropped:
            self._say(f"warning: {self.metrics.dropped:,} rows of metrics could not be written")
        self.metrics.close()

    def _say(self, text: str, **how: Any) -> None:
        """Print, as long as there is somebody to read it."""
        if self.silent:
            return
        try:
            self.console.print(text, highlight=False, **how)
        except (OSError, ValueError, SystemExit):  # rich asks to exit where a pipe is closed
            self.silent = True


def clock(seconds: float) -> str:
    """80 -> "1m20s"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"

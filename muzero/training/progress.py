"""What a run shows while it learns: a live line on the screen, metrics in files.

None of it can end a run: a terminal that is gone is silence, a full disk costs rows.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from muzero.runs.evaluations import Evaluation
from muzero.training.metrics import Metrics
from muzero.training.pace import Pace
from muzero.training.status import Status
from muzero.util.text import printable

SCREEN_SECONDS = 0.5  # between two refreshes of the live line
PLAIN_SECONDS = 10.0  # between two lines where the output is not a terminal
FILE_SECONDS = 5.0  # between two rows of metrics
RATE_SECONDS = 30.0  # over which the rates of a line are measured
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
        self.warned = 0  # warnings that were shown
        self.before: Status | None = None  # of the last row
        self.recent: deque[Status] = deque()  # of the last lines, for rates
        self.pace = Pace()
        self.spreads: Mapping[str, Any] = {}  # written last
        self.evaluation, self.evaluation_steps = ("", 0), 0  # title and finished games of the one under way; its steps

    @property
    def due(self) -> bool:
        """Whether `show` has something to do, unless there are new warnings."""
        now = time.monotonic()
        return now - self.shown >= self.screen_every or now - self.written >= FILE_SECONDS

    def show(self, status: Status) -> None:
        """Show new warnings, and refresh the line and the files where it is time."""
        self.before = self.before or status
        self.pace.add(status)
        for message in status.warnings[self.warned :]:
            self._say(f"warning: {printable(message, LONGEST)}", style="yellow", soft_wrap=True)
        self.warned = len(status.warnings)
        if status.clock - self.shown >= self.screen_every:
            self.shown = status.clock
            self._draw(status)
        if status.clock - self.written >= FILE_SECONDS:
            self.written = status.clock
            self._write(status, self._metrics(status))
            self.before = status

    def _draw(self, status: Status) -> None:
        self._live(self._line(status))

    def _line(self, status: Status) -> str:
        """What matters most comes first: a narrow terminal cuts off the end."""
        parts = [f"{status.steps:,}/{status.goal:,} {status.unit}"]
        left = self.pace.left(status)
        if left is not None:
            parts.append(f"{clock(left)} left")
        if status.score is not None:
            parts.append(f"exploring score {status.score:.2f}")
        if status.greedy is not None:
            parts.append(f"greedy score {status.greedy.mean:.2f}")
        parts += filter(None, [status.comparison])
        parts += [f"{status.updates:,} updates"] if status.unit == "steps" else []
        parts += filter(None, [self._speed(status)])
        if status.losses:
            parts += figures(status)
        else:
            parts += [f"learning begins at {status.start:,} steps"] if status.start else []
        return "  ".join(parts)

    def _speed(self, status: Status) -> str:
        """Rates over the last while: play and learning alternate, so those of an instant would often be 0."""
        self.recently(status)
        rates = status.rates(self.recent[0])
        shown = {"updates/s": rates["updates_per_second"]}
        shown = ({"steps/s": rates["steps_per_second"]} if status.unit == "steps" else {}) | shown
        return " ".join(f"{rate:,.0f} {unit}" for unit, rate in shown.items() if rate >= 0.5)

    def recently(self, status: Status) -> None:
        """Keep the moments of the last while."""
        self.recent.append(status)
        while len(self.recent) > 2 and status.clock - self.recent[1].clock >= RATE_SECONDS:
            self.recent.popleft()

    def _metrics(self, status: Status) -> dict[str, Any]:
        row: dict[str, Any] = {f"loss/{name}": float(loss) for name, loss in status.losses.items()}
        row |= status.rates(self.before or status)
        row |= {f"time/{name}": round(seconds, 2) for name, seconds in status.phases.items()}
        row |= status.counters
        if status.cpu_seconds is not None:
            row["cpu_seconds"] = status.cpu_seconds
        if status.score is not None:
            row["self_play_score"] = status.score
        if status.length is not None:
            row["self_play_length"] = status.length
        return row

    def evaluating(self, title: str, games: int, finished: int) -> None:
        """Show how far an evaluation is, where it is time; called after every step of its games."""
        before, done = self.evaluation
        self.evaluation_steps = self.evaluation_steps + 1 if title == before and finished >= done else 1
        self.evaluation, now = (title, finished), time.monotonic()
        if now - self.shown < self.screen_every:
            return
        self.shown = now
        self._live(f"evaluating {title}: {finished:,} of {games:,} games finished, step {self.evaluation_steps:,}")

    def clear(self) -> None:
        """Make room on a terminal for what is printed next."""
        if self.console.is_terminal:
            self._live("")

    def _live(self, text: str) -> None:
        """Write a line that the next one replaces on a terminal."""
        if self.console.is_terminal:
            self._say(text[: self.console.width - 1].ljust(self.console.width - 1), end="\r")
        else:
            self._say(text, soft_wrap=True)

    def evaluated(self, evaluation: Evaluation, status: Status) -> None:
        """Record an evaluation during the run."""
        name, mean = evaluation.name, evaluation.mean
        ends = {f"evaluation/{name}/{end}": getattr(evaluation, end) for end in ("low", "high")}
        self._write(status, {f"evaluation/{name}": mean, **ends})
        margin, cost = (evaluation.high - evaluation.low) / 2, f"{evaluation.games:,} games, {evaluation.cost:.1f} s"
        text = f"greedy score after {evaluation.step:,} {status.unit}, {name}: {mean:.2f} ± {margin:.2f} ({cost})"
        self.clear()
        self._say(text, soft_wrap=True)

    def trouble(self, message: str) -> None:
        """Show what happened to an actor, with its traceback where it has one."""
        for line in message.rstrip().split("\n")[-LINES:]:
            self._say(printable(line, LONGEST), style="yellow", soft_wrap=True)

    def _write(self, status: Status, values: dict[str, Any]) -> None:
        """Write a row of metrics: values, and the steps, updates and seconds so far; and new histograms."""
        head = {"steps": status.steps, "updates": status.updates, "seconds": round(status.seconds, 2)}
        self.metrics.add(head, values, {} if status.spreads is self.spreads else status.spreads)
        self.spreads = status.spreads

    def close(self, status: Status) -> None:
        """Write the last row, and end the live line."""
        if self.before is not None:
            self._write(status, self._metrics(status))
            self._say(self._line(status), soft_wrap=True)
        if self.metrics.dropped:
            self._say(f"warning: {self.metrics.dropped:,} rows of metrics could not be written")
        self.metrics.close()

    def _say(self, text: str, **how: Any) -> None:
        """Print, as long as the console works."""
        self._guarded(lambda: self.console.print(text, highlight=False, **how))

    def _guarded(self, work: Callable[[], object]) -> None:
        """Write to the console, as long as it works."""
        if self.silent:
            return
        try:
            work()
        except (OSError, ValueError, SystemExit):  # rich asks to exit where a pipe is closed
            self.silent = True

    def leave(self) -> None:
        """Give the terminal back at once, from a signal handler: the process is about to end."""


def figures(status: Status) -> list[str]:
    """The losses, which are minimised, and apart from them what is measured besides."""
    shown = {name: f"{name} {float(figure):.2f}" for name, figure in status.losses.items()}
    minimised = " ".join(text for name, text in shown.items() if name in status.terms)
    measured = " ".join(text for name, text in shown.items() if name not in status.terms)
    return [part for part in (f"loss {minimised}", measured) if part]


def clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds: 80 as "1m20s", 3600 as "1h00m"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"

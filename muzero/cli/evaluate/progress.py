"""How far an evaluation is: on standard error, so that results can be piped."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from muzero.evaluation.intervals import Summary
from muzero.play.match import Outcome
from muzero.training.progress import clock as duration
from muzero.util.text import escaped

LIVE_SECONDS = 0.5  # between two refreshes of the line in a terminal
PLAIN_SECONDS = 5.0  # between two lines elsewhere


class Progress:
    """A live line in a terminal; plain lines, less often, in files and pipes."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """stream: default standard error.  clock: seconds."""
        self._stream, self._clock = stream or sys.stderr, clock
        self._live = self._stream.isatty()
        self._every = LIVE_SECONDS if self._live else PLAIN_SECONDS
        self._shown = self.began = clock()
        self._visible = False

    @property
    def seconds(self) -> float:
        """Seconds since the beginning of the evaluation."""
        return self._clock() - self.began

    def due(self) -> bool:
        """Whether it is time for another line."""
        return self._clock() - self._shown >= self._every

    def show(self, text: str) -> None:
        """Show a line in place of the last one, or below it outside a terminal."""
        self._shown = self._clock()
        text = escaped(text)
        if self._live:
            # One column stays free: a terminal breaks a line that is full.
            self._stream.write(f"\r{text[: shutil.get_terminal_size().columns - 1]}\x1b[K")
            self._visible = True
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the live line, if one is visible."""
        if self._visible:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._visible = False


class Estimate:
    """How long all games take, if they take as long as those that were finished."""

    def __init__(self, count: int) -> None:
        """count: all games."""
        self._count = count
        self._done, self._ended = 0, 0.0  # finished games, and the seconds until the last of them was

    def left(self, done: int, seconds: float) -> float | None:
        """Seconds that are left; None before the first end.

        Games side by side end together, so the time since the last end is that of the games that are played now.

        Args:
            done: finished games.
            seconds: since the beginning.
        """
        if done != self._done:
            self._done, self._ended = done, seconds
        if not done:
            return None
        return max(0.0, self._ended * self._count / done - seconds)


def line(
    outcomes: Sequence[Outcome], most: int, two_player: bool, left: float | None, seconds: float, at_most: bool
) -> str:
    """Games done, running score, and time: the most important first.

    Args:
        outcomes: of the finished games.
        most: number of games.
        two_player: whether scores are wins, draws and losses.
        left: seconds that are left; None if that cannot be said.
        seconds: since the beginning.
        at_most: whether a rule may end the match before `most` games.
    """
    parts = [f"{len(outcomes):,} of {'at most ' if at_most else ''}{most:,} games"]
    if outcomes:
        summary = Summary(outcomes)
        tally = "-".join(str(number) for number in summary.tally().values())
        parts.append(f"w-d-l {tally}, {summary.share:.1%} of points" if two_player else f"mean {summary.mean:.1f}")
    parts.append(f"{duration(seconds)} so far" if left is None else f"about {duration(left)} left")
    return ", ".join(parts)

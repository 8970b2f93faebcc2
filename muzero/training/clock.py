"""The time that a run takes: on the wall, and of the CPU."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from muzero.runs.value_checks import number
from muzero.util.cpu import cpu_seconds

PHASES = ("play", "learn", "evaluate", "save", "wait")
READ_EVERY = 1.0  # seconds between two looks at all processes of a run


class Clock:
    """Seconds of training over all sessions of a run, and how this session spends them."""

    def __init__(self) -> None:
        self._finished: dict[str, float] = dict.fromkeys(PHASES, 0.0)  # seconds of blocks of this session that ended
        self._open: list[tuple[str, float]] = []  # phase and begin of the blocks under way, the innermost last
        self.restore(0.0)

    def seconds(self) -> float:
        """Seconds of training, earlier sessions of this run included."""
        return self.elapsed + self.session()

    def session(self) -> float:
        """Seconds of training in this session."""
        return time.monotonic() - self.began

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Count the time of a block for one of the `PHASES`."""
        self._open.append((phase, time.perf_counter()))
        try:
            yield
        finally:
            phase, began = self._open.pop()
            self._finished[phase] += time.perf_counter() - began

    @property
    def phases(self) -> dict[str, float]:
        """Seconds of this session by phase, with those of the block under way: a round of learning may take minutes."""
        found = dict(self._finished)
        if self._open:
            phase, began = self._open[-1]
            found[phase] += time.perf_counter() - began
        return found

    def waited(self, apart: bool) -> float:
        """Seconds of this session spent waiting for games that are played apart; NaN where they are played here."""
        return self.phases["play"] if apart else math.nan

    def state(self) -> float:
        """What `restore` needs: the seconds of training."""
        return self.seconds()

    def check(self, value: Any) -> None:
        """Refuse what is not a state of a clock.

        Raises:
            ValueError: saying what was expected.
        """
        number("seconds", value, 0.0)

    def restore(self, value: float) -> None:
        """Count from now on, after this many seconds of earlier sessions."""
        self.elapsed, self.began = float(value), time.monotonic()


class CpuClock:
    """CPU seconds of training over all sessions of a run, those of its child processes on this machine included.

    They are None, for good, where an earlier session did not count them.
    """

    def __init__(self) -> None:
        self.restore(0.0)

    def seconds(self) -> float | None:
        """Seconds, at most `READ_EVERY` old."""
        if self.earlier is None:
            return None
        if time.monotonic() - self.read_at >= READ_EVERY:
            self._read()
        return round(self.earlier + self.used, 2)

    def state(self) -> float | None:
        """What `restore` needs: the seconds up to now."""
        self._read()
        return self.seconds()

    def _read(self) -> None:
        # A process that its parent did not wait for takes its seconds along.
        self.read_at, self.used = time.monotonic(), max(self.used, cpu_seconds() - self.began)

    def check(self, value: Any) -> None:
        """Refuse what is not a state of this clock.

        Raises:
            ValueError: saying what was expected.
        """
        if value is not None:
            number("cpu_seconds", value, 0.0)

    def restore(self, value: float | None) -> None:
        """Count from now on, after this many seconds of earlier sessions."""
        self.earlier, self.began, self.used, self.read_at = value, cpu_seconds(), 0.0, float("-inf")

"""How long a run still takes: by the pace of the last while in which it played and learned."""

from __future__ import annotations

from collections import deque

from muzero.training.status import Status

LEAST = 5.0  # seconds of learning over which a pace must be known
SPAN = 60.0  # seconds over which it is measured, or half of the session if that is longer
MOMENTS = 200  # that are kept of it


class Pace:
    """Predicts when training ends.

    Until learning begins a run plays many times faster than afterwards, and the first updates are slow: neither says
    how long the rest takes.  Steps arrive in rounds, so time is counted from round to round.
    """

    def __init__(self) -> None:
        self.begun: tuple[float, int] | None = None  # seconds and steps at which learning began, or this session
        self.moments: deque[tuple[float, int]] = deque()  # seconds, and the steps that had just arrived

    def add(self, status: Status) -> None:
        """Take in where the run stands; the more often, the more exact."""
        if status.steps <= status.start:
            return
        if self.begun is None:
            self.begun = status.seconds, status.steps
        if status.steps <= self.begun[1]:  # the first updates of a session prepare what the others use
            return
        if not self.moments:
            self.moments.append((status.seconds, status.steps))
        (last, steps), span = self.moments[-1], max(SPAN, (status.seconds - self.begun[0]) / 2)
        if status.steps <= steps or status.seconds - last < span / MOMENTS:
            return
        self.moments.append((status.seconds, status.steps))
        oldest = status.seconds - span
        while len(self.moments) > 2 and self.moments[1][0] <= oldest:
            self.moments.popleft()

    def left(self, status: Status) -> float | None:
        """Seconds until training ends, by its steps or its time; None where that cannot be known yet."""
        if not 0 <= status.done < 1:
            return None
        ends = [] if status.limit is None else [status.limit - status.seconds]
        if self.moments:
            (first, before), (last, steps) = self.moments[0], self.moments[-1]
            if last - first >= LEAST and steps > before:
                whole = (last - first) / (steps - before) * (status.goal - steps)
                ends.append(whole - (status.seconds - last))
        return max(min(ends), 0.0) if ends else None

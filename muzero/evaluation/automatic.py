"""When a run is evaluated by default: about ten times, in a small share of its time."""

from __future__ import annotations

TIMES = 10  # evenly over a run; the last of them is the full evaluation at its end
GAMES = 10  # at most, of each evaluation
SHARE = 0.05  # of the time of a session, at most
FIRST = 0.25  # seconds that must be affordable before the first evaluation, whose cost is not known


class AutomaticEvaluations:
    """Decides when the next automatic evaluation is due, and how long it may take.

    An evaluation is due if its expected cost, that of the last one, is within the share of the time so far.  One that
    takes longer than expected is not ended until it has used the share of the whole session's time; after it, the next
    one waits.  All seconds are those of one session.
    """

    def __init__(self) -> None:
        self.tenths: int | None = None  # done at the last evaluation, or when the session began; None: not known yet
        self.spent = 0.0  # seconds
        self.expected = FIRST  # seconds of the next evaluation

    def due(self, done: float, seconds: float) -> bool:
        """Whether a tenth of the run was done since the last evaluation, and the next one is affordable.

        Args:
            done: share of the run, 0 to 1.
            seconds: of the session so far.
        """
        tenths = int(done * TIMES)
        if self.tenths is None:
            self.tenths = tenths
        return self.tenths < tenths < TIMES and self.expected <= self.left(seconds)

    def left(self, seconds: float) -> float:
        """Seconds that evaluations may still take in a session of this many seconds."""
        return SHARE * seconds - self.spent

    def record(self, done: float, cost: float, finished: bool) -> None:
        """Count an evaluation.

        Args:
            done: share of the run, 0 to 1.
            cost: seconds that it took, the saving of its checkpoint included.
            finished: false if it took all the time that was left; the next one waits until there is twice as much.
        """
        self.tenths = int(done * TIMES)
        self.spent += cost
        self.expected = cost if finished else 2 * cost

"""What a run does with played games: store their segments, count their scores and their faults."""

from __future__ import annotations

from collections.abc import Callable

from muzero.actors.pool import ActorPool
from muzero.actors.tasks import Played
from muzero.data.experience import Experience
from muzero.training.scores import Scores
from muzero.util.failpoints import failpoint


class Storing:
    """Takes in the results of self-play."""

    def __init__(self, pool: ActorPool, scores: Scores, oldest: int) -> None:
        """oldest: times that weights may have been published since a segment's weights for it to be learned from."""
        self.pool, self.scores, self.oldest = pool, scores, oldest
        self.faults = 0  # games that broke off
        self.rejected = 0  # segments that failed validation
        self.refreshed = 0  # rows planned again
        self.last_fault: str | None = None
        self.reported = 0  # faults and rejections when they were reported last

    def store(self, experience: Experience, played: Played, learn: Callable[[], None] | None) -> None:
        """Store segments and count scores and faults.

        Args:
            experience: takes in the segments.
            played: the result of an actor.
            learn: is called after every segment if games need not continue exactly after a stop; None to not learn.
        """
        # Where a stop has to leave everything as it would be without it, nothing is learned in between.
        parts = [played.segments] if self.pool.exact else [[segment] for segment in played.segments]
        for part in parts:
            experience.receive(part, lambda version: self.pool.age(version) <= self.oldest)
            failpoint("train.after_store")
            if not self.pool.exact and learn is not None:
                learn()
        self.scores.add(played.episodes)
        self.faults, self.rejected = self.faults + played.faults, self.rejected + played.rejected
        self.last_fault = played.last_fault or self.last_fault

    def counts(self) -> dict[str, float]:
        """Counts of this session, as metrics."""
        faults = {"environment_faults": self.faults, "rejected_segments": self.rejected}
        return {**faults, "refreshed_rows": self.refreshed}

    def messages(self) -> list[str]:
        """Describe faults of environments, the first, the second, the fourth, and so on; empty if nothing is new."""
        count = self.faults + self.rejected
        if not count or count < 2 * self.reported:
            return []
        self.reported = count
        return [f"environment faults so far: {count}, the last: {self.last_fault}"]

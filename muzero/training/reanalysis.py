"""Which stored positions are planned again, and when: a fixed number per step, or what actors on Ray have time for."""

from __future__ import annotations

from typing import Any

from muzero.actors.pool import ActorPool
from muzero.actors.tasks import Reanalyse
from muzero.config import Config
from muzero.runs.value_checks import number, table, whole
from muzero.training.learning import Learning

NOT_COUNTED = {"every": 0, "updates": 0, "for_updates": 0.0}  # of checkpoints of earlier versions


class Reanalysis:
    """Requests that positions are planned again, in the order of `ReanalyseOrder`.

    `run.reanalysed_per_step` decides how many: they are owed for the steps stored, as updates are.  Or
    `run.reanalyse_every` does: for each update, that part of all stored rows is owed, so that each has its turn in as
    many updates; from recorded experience, after as many that learn from its returns alone.  A request is for a
    multiple of `ActorPool.searched` positions, so that searches are large; the rest stays owed.  Without either, actors
    on Ray plan as many as they can.
    """

    def __init__(self, config: Config, learning: Learning, pool: ActorPool) -> None:
        """Request nothing yet.

        Args:
            config: of the run.
            learning: of the run, with its replay.
            pool: does the work.
        """
        self.learning, self.replay, self.pool = learning, learning.replay, pool
        settings = config.table("run")
        self.per_step, self.every = settings["reanalysed_per_step"], settings["reanalyse_every"]
        self.further = config.table("actors")["reanalyse"] > 0  # whether actors of their own do it
        # Of the steps before learning begins, each of several learners stores its share.
        self.start = learning.settings.start // learning.together.learners.size
        # What is recorded has returns, and values that have not learned from them yet would teach policies nonsense.
        self.wait = self.every if settings["data"] else 0  # updates before any are owed
        self.begin = self.start  # environment steps after which positions are owed
        self.requested = 0  # positions since then
        self.updates = 0  # for which positions were counted
        self.for_updates = 0.0  # positions that these were worth

    @property
    def owed(self) -> int:
        """Positions that the steps and updates so far are worth, less those that were requested."""
        return int((self.replay.steps - self.begin) * self.per_step + self.for_updates) - self.requested

    def request(self) -> None:
        """Request what is owed, or keep those actors busy that do nothing else."""
        if not self.learning.learner.updates or not self.learning.enough:
            return  # weights that have learned nothing plan no better than those that played
        self._count()
        if self.further:
            while (not self.every or self.owed >= self.pool.searched) and self.pool.request(
                Reanalyse, lambda: self._work(self.pool.searched)
            ):
                pass
        else:
            turn = max(len(self.replay), self.pool.searched)  # a second turn of a row would be with the same weights
            if searches := min(self.owed, turn) // self.pool.searched:
                self.pool.request(Reanalyse, lambda: self._work(searches * self.pool.searched))

    def _count(self) -> None:
        """Add what the updates since the last call are worth; of what cannot be done in time, one turn of each row."""
        before, self.updates = self.updates, self.learning.learner.updates
        if self.every:
            made = max(0, self.updates - max(before, self.wait))
            worth = self.for_updates + made * len(self.replay) / self.every
            self.for_updates = min(worth, float(self.requested + max(len(self.replay), self.pool.searched)))

    def _work(self, count: int) -> Reanalyse:
        positions = self.replay.positions(count)
        self.requested += len(positions.numbers)
        return Reanalyse(positions)

    # --- state ---------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What `restore` needs."""
        counted = {"updates": self.updates, "for_updates": self.for_updates}
        rates = {"per_step": self.per_step, "every": self.every}
        return rates | {"begin": self.begin, "requested": self.requested} | counted

    def check(self, value: Any) -> None:
        """Refuse what is not a state; None is that of a checkpoint of an earlier version.

        Raises:
            ValueError: saying what was expected.
        """
        if value is not None:
            found = NOT_COUNTED | table("reanalysis", value, "per_step", "begin", "requested")
            for key in ("per_step", "for_updates"):
                number(f"reanalysis.{key}", found[key], 0.0)
            for key in ("every", "begin", "requested", "updates"):
                whole(f"reanalysis.{key}", found[key])

    def restore(self, value: dict[str, Any] | None) -> None:
        """Continue to count; from now on, where positions were owed at another rate before."""
        found = NOT_COUNTED | (value or {"per_step": None})
        if (found["per_step"], found["every"]) == (self.per_step, self.every):
            self.begin, self.requested = found["begin"], found["requested"]
            self.updates, self.for_updates = found["updates"], found["for_updates"]
        else:
            self.begin, self.requested = max(self.start, self.replay.steps), 0
            self.updates, self.for_updates = self.learning.learner.updates, 0.0

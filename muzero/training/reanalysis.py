"""Which stored positions are planned again, and when: a fixed number per step, or what actors on Ray have time for."""

from __future__ import annotations

from typing import Any

from muzero.actors.pool import ActorPool
from muzero.actors.tasks import Reanalyse
from muzero.config import Config
from muzero.runs.value_checks import number, table, whole
from muzero.training.learning import Learning


class Reanalysis:
    """Requests that positions are planned again, in the order of `ReanalyseOrder`.

    In one process `run.reanalysed_per_step` decides how many: they are owed for the steps stored, as updates are.  A
    request is for a multiple of `ActorPool.searched` positions, so that searches are large; the rest stays owed.
    """

    def __init__(self, config: Config, learning: Learning, pool: ActorPool) -> None:
        """Request nothing yet.

        Args:
            config: of the run.
            learning: of the run, with its replay.
            pool: does the work.
        """
        self.learning, self.replay, self.pool = learning, learning.replay, pool
        self.per_step = config.table("run")["reanalysed_per_step"]
        self.further = config.table("actors")["reanalyse"] > 0  # whether actors of their own do it
        self.begin = learning.settings.start  # environment steps after which positions are owed
        self.requested = 0  # positions since then

    @property
    def owed(self) -> int:
        """Positions that the steps stored so far are worth, less those that were requested."""
        return int((self.replay.steps - self.begin) * self.per_step) - self.requested

    def request(self) -> None:
        """Request what is owed, or keep those actors busy that do nothing else."""
        if not self.learning.learner.updates or not self.learning.enough:
            return  # weights that have learned nothing plan no better than those that played
        if self.further:
            while self.pool.request(Reanalyse, lambda: self._work(self.pool.searched)):
                pass
        elif searches := self.owed // self.pool.searched:
            self.pool.request(Reanalyse, lambda: self._work(searches * self.pool.searched))

    def _work(self, count: int) -> Reanalyse:
        positions = self.replay.positions(count)
        self.requested += len(positions.numbers)
        return Reanalyse(positions)

    # --- state ---------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What `restore` needs."""
        return {"per_step": self.per_step, "begin": self.begin, "requested": self.requested}

    def check(self, value: Any) -> None:
        """Refuse what is not a state; None is that of a checkpoint of an earlier version.

        Raises:
            ValueError: saying what was expected.
        """
        if value is not None:
            found = table("reanalysis", value, "per_step", "begin", "requested")
            number("reanalysis.per_step", found["per_step"], 0.0)
            for key in ("begin", "requested"):
                whole(f"reanalysis.{key}", found[key])

    def restore(self, value: dict[str, Any] | None) -> None:
        """Continue to count; from now on, where positions were owed at another rate before."""
        if value is None or value["per_step"] != self.per_step:
            self.begin, self.requested = max(self.learning.settings.start, self.replay.steps), 0
        else:
            self.begin, self.requested = value["begin"], value["requested"]

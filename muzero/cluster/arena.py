"""Matches in processes of Ray: the same games as in one process, since each follows from its number alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from muzero.cluster.remote import require, versions
from muzero.cluster.session import Session
from muzero.evaluation.arena import Arena, LocalArena, Match, Numbers, Played

STORE_BYTES = 100 << 20  # outcomes are small
RETRIES = 3  # of a chunk whose process died


class RayArena(Arena):
    """Plays in processes of their own, on this machine or on a cluster whose nodes see the runs' folders."""

    def __init__(self, count: int, address: str = "", insecure: bool = False, session: Session | None = None) -> None:
        """count: of processes.  session: of Ray, if there is one already.

        Raises:
            ConfigError: if the cluster cannot be reached or does not ask for a token.
        """
        self._own = session is None
        self._session = session or Session(address, count, 0, STORE_BYTES, insecure)
        import ray

        # What was under way when a process died is played again: the same numbers, so the same games.
        remote = ray.remote(num_cpus=1, max_restarts=RETRIES, max_task_retries=RETRIES)(_Table)
        self._tables: list[Any] = [remote.remote(versions(), os.getcwd()) for _ in range(count)]

    def play(self, match: Match, chunks: Sequence[Numbers]) -> Iterator[Played]:
        from ray.exceptions import RayTaskError
        from ray.util import ActorPool

        pool = ActorPool(self._tables)
        try:
            results: Any = pool.map(lambda table, numbers: table.play.remote(match, numbers), list(chunks))
            yield from results
        except RayTaskError as error:
            raise error.cause from None

    def close(self) -> None:
        if self._own:
            self._session.close()
            return
        import ray

        for table in self._tables:
            ray.kill(table)


class _Table:
    """What runs in a process."""

    def __init__(self, wanted: dict[str, str], folder: str) -> None:
        """folder: of the driver, which names of runs begin at."""
        require(wanted)
        if os.path.isdir(folder):
            os.chdir(folder)
        import torch

        torch.set_num_threads(1)
        self.arena = LocalArena()

    def play(self, match: Match, numbers: Numbers) -> Played:
        """The games of one chunk."""
        return next(iter(self.arena.play(match, [numbers])))

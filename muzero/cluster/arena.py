"""Matches in processes of Ray: the same games as in one process, since each follows from its number alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from muzero.cluster.session import CallFailed, Session
from muzero.evaluation.arena import Arena, LocalArena, Match, Numbers, Played
from muzero.util.messages import unpack

STORE_BYTES = 100 << 20  # outcomes are small
RETRIES = 3  # of a chunk whose process died


class RayArena(Arena):
    """Plays in several processes, on this machine or on a cluster whose nodes see the runs' folders."""

    def __init__(self, count: int, address: str = "", insecure: bool = False, session: Session | None = None) -> None:
        """Ask for the processes.

        Args:
            count: of processes.
            address: of a cluster's head, HOST:PORT; empty: this machine.
            insecure: whether to join a cluster that asks for no token.
            session: an open session of Ray, instead of a new one.

        Raises:
            ConfigError: if the cluster cannot be reached or does not ask for a token.
            NoCluster: if Ray does not start.
        """
        self._own = session is None
        self._session = session or Session(address, count, 0, STORE_BYTES, insecure)
        # What was under way when a process died is played again: the same numbers, so the same games.
        options = {"num_cpus": 1, "max_restarts": RETRIES, "max_task_retries": RETRIES}
        self._tables = [self._session.make(options, _Table) for _ in range(count)]

    def play(self, match: Match, chunks: Sequence[Numbers]) -> Iterator[Played]:
        free, waiting = list(self._tables), iter(enumerate(chunks))
        playing: dict[Future[Played], tuple[int, int]] = {}  # -> table and place of the chunk
        ready: dict[int, Future[Played]] = {}
        for place in range(len(chunks)):
            while place not in ready:
                for table, (number, chunk) in zip(free, waiting):  # noqa: B905 (until one of them is used up)
                    playing[self._session.call(table, "play", match, chunk)] = table, number
                free = []
                for future in wait(playing, return_when=FIRST_COMPLETED).done:
                    table, number = playing.pop(future)
                    free.append(table)
                    ready[number] = future
            yield result(ready.pop(place))

    def close(self) -> None:
        if self._own:
            self._session.close()
            return
        for table in self._tables:
            self._session.kill(table)


def result(future: Future[Played]) -> Played:
    """What a chunk came to.

    Raises:
        PlayerError, ...: the error of the process that played, as it was there.
    """
    try:
        return future.result()
    except CallFailed as error:
        if error.cause is None:
            raise
        raise unpack(error.cause) from None


class _Table:
    """Plays in a process of Ray."""

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(1)
        self.arena = LocalArena()

    def play(self, match: Match, numbers: Numbers) -> Played:
        """The games of one chunk."""
        return next(iter(self.arena.play(match, [numbers])))

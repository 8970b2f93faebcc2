"""A pool of one actor, which plays the next task while the results of the one before are learned from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from muzero import build
from muzero.actors import pending
from muzero.actors.actor import searched
from muzero.actors.child_process import LOOK, ChildProcess, Died
from muzero.actors.in_process import InProcess, Raised
from muzero.actors.pool import ActorPool
from muzero.actors.tasks import Played, Reanalyse, Reanalysed, Result, Weights, Work
from muzero.config import Config
from muzero.data.segment_format import Layout
from muzero.interfaces import EnvironmentFault

AHEAD = 2  # tasks of self-play that are given before the result of the first is taken
MOST_DEATHS = 5  # in a row of the process that plays, without a result in between


class LocalPool(ActorPool):
    """One actor, and always one task of self-play in flight.

    `next_result` first gives the next task, with the weights that were published last, and then takes the result of the
    task before.  So while a run learns from result k, task k + 1 is played, and the weights of task k are those that
    were learned from results up to k - 2.  Positions that are to be planned again are given before the next task, by
    `request`, and planned with the same weights.  This order is the same for an actor in this process and for one in a
    child process, so both play the same games, and which of them it is decides the speed only.
    """

    exact = True

    def __init__(self, config: Config, device: torch.device, apart: bool = False, slot: int = 0) -> None:
        """Begin games.

        Args:
            config: of the run.
            device: of the actor's model.
            apart: play in a child process, on the CPU.
            slot: number of the actor among those of all learners.

        Raises:
            EnvironmentFault: if an environment does not work.
        """
        self.steps = config.table("run")["play"]
        self.apart, self.device = apart, torch.device("cpu") if apart else device
        self.place = ChildProcess(config, slot) if apart else InProcess(config, device, slot)
        self.tasks = self.incarnation = 0  # numbers of the newest
        self.flying: deque[tuple[str, tuple[Any, ...]]] = deque()  # tasks without a result: method, what it is given
        self.ready: deque[Result | Raised] = deque()  # results that were not taken
        self.weights: Weights | None = None  # published last
        self.given = True  # whether the actor has them
        self.deaths = self.deaths_in_a_row = 0
        self.unreported: list[str] = []
        try:
            self.game = self.place.start(0)
        except Died as death:
            raise EnvironmentFault(f"the process that plays {death} before its first step") from None
        self.layout = Layout(self.game, build.candidates(config, self.game))

    def due(self, version: int) -> bool:
        return version != self.version

    def publish(self, weights: Weights, version: int) -> None:
        self.weights, self.version, self.given = weights, version, False

    @property
    def searched(self) -> int:
        return searched(self.device)

    @property
    def failed(self) -> bool:
        """Whether a task raised: nothing is played any more, because the games are in an unknown state."""
        return any(isinstance(result, Raised) for result in self.ready)

    def next_result(self, timeout: float) -> Result | None:
        while not self.failed and self._room:
            self._play()
        if not self.ready:
            self._take(timeout)
        if not self.ready:
            return None
        if isinstance(raised := self.ready[0], Raised):
            raise raised.error
        return self.ready.popleft()  # type: ignore[return-value]

    def request(self, kind: type[Work], make: Callable[[], Work]) -> bool:
        """As of `ActorPool`: positions to plan again are taken once before each task of self-play."""
        given = self.flying and self.flying[-1][0] == "reanalyse"
        if kind is not Reanalyse or self.failed or given or not self._room:
            return False
        work = make()
        assert isinstance(work, Reanalyse)
        self._give("reanalyse", self.place.put_positions(work.positions))
        return True

    @property
    def _room(self) -> bool:
        """Whether it is time to give the next task of self-play."""
        under_way = sum(method == "play" for method, _ in self.flying)
        return under_way + sum(isinstance(result.found, Played) for result in self._results()) < AHEAD

    def _results(self) -> list[Result]:
        """Those that were not taken."""
        return [result for result in self.ready if isinstance(result, Result)]

    def _play(self) -> None:
        """Give the next task of self-play."""
        self._give("play", self.steps, self.deadline)

    def _give(self, method: str, *what: Any) -> None:
        """Give a task, with the newest weights."""
        self.tasks += 1
        weights = None if self.given or self.weights is None else self.place.put(self.weights)
        self.given = True
        self.place.send(method, self.tasks, self.version, weights, *what)
        self.flying.append((method, what))

    def _take(self, timeout: float) -> None:
        """Wait for the result of a task; where the actor dies instead, replace it."""
        try:
            result = self.place.receive(timeout)
        except Died as death:
            self._replace(death)
            return
        if result is not None:
            self.flying.popleft()
            self.deaths_in_a_row = 0
            self.ready.append(result)

    def _replace(self, death: Died) -> None:
        """Begin new games in a new process; the tasks in flight are given again."""
        lost, self.given = list(self.flying), False
        self.flying.clear()
        while True:
            self.deaths, self.deaths_in_a_row = self.deaths + 1, self.deaths_in_a_row + 1
            if self.deaths_in_a_row > MOST_DEATHS:
                times = f"{self.deaths_in_a_row} times in a row without a result"
                self.ready.append(Raised(EnvironmentFault(f"the process that plays {death}, {times}")))
                return
            self.unreported.append(f"the process that plays {death}: its games are lost, and new ones begin")
            self.incarnation += 1
            try:
                self.place.start(self.incarnation)
            except Died as again:
                death = again
            except Exception as error:
                self.ready.append(Raised(error))
                return
            else:
                for method, what in lost:
                    self._give(method, *what)
                return

    # --- state ---------------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Waits for the task in flight, and keeps its result too."""
        while self.flying and not self.failed:
            self._take(LOOK)
        games = None
        while not self.failed and games is None:
            games = self._ask("state")
        arrays, values = games or ({}, {"incarnation": self.incarnation})
        kept, described = pending.packed(self._results(), self.layout)
        return arrays | kept, values | {"pending": described}

    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any], incarnation: int) -> bool:
        kept = pending.among(arrays)
        results = pending.kept(kept, values, self.layout)
        games = {name: array for name, array in arrays.items() if name not in kept}
        self.ready.clear()
        self.incarnation = max(values["incarnation"], incarnation - 1)  # of the games that are lost if the actor dies
        found = self._ask("restore", games, values, incarnation)
        self.ready.extendleft(reversed(results))  # before a failure, if a new actor cannot begin
        if found is None:
            return False
        restored, self.incarnation = found
        return restored

    def _ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of an actor that does nothing else; None if it died meanwhile and was replaced."""
        self.place.send(method, *arguments)
        answer = None
        try:
            while answer is None:
                answer = self.place.receive(LOOK)
        except Died as death:
            self._replace(death)
            return None
        if isinstance(answer, Raised):
            raise answer.error
        return answer

    def forget_plans(self) -> None:
        self.ready = deque(
            result for result in self.ready if isinstance(result, Raised) or not isinstance(result.found, Reanalysed)
        )

    # --- the rest ------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, float]:
        return {"actors/deaths": self.deaths}

    def close(self) -> None:
        self.place.close()

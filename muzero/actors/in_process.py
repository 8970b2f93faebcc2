"""An actor of a `LocalPool`, in the process that calls it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from muzero.actors.actor import Actor
from muzero.actors.tasks import Play, Reanalyse, Result, Task, Weights, Work
from muzero.config import Config
from muzero.data.plans import StoredPositions
from muzero.interfaces import GameSpec
from muzero.play.selfplay import SelfPlay
from muzero.util.failpoints import failpoint

Given = Callable[[], Any]
"""Arrays or tensors by name, where they lie: in this process, or between two."""


@dataclass(frozen=True)
class Raised:
    """What a call raised, as an answer."""

    error: BaseException


class InProcess:
    """An actor that does what it is sent at once.

    It computes on one thread, as one in a child process has to, so that both play the same games.
    """

    def __init__(self, config: Config, device: torch.device, slot: int = 0) -> None:
        self.config, self.device, self.slot = config, device, slot
        self.answers: deque[Any] = deque()
        self.actor: Actor | None = None

    def start(self, incarnation: int) -> GameSpec:
        """Begin new games.

        Raises:
            EnvironmentFault: if an environment does not work.
        """
        with one_thread():
            self.actor = Actor(self.config, self.slot, self.device, incarnation)
        return self.actor.games.spec

    def put(self, weights: Weights) -> Given:
        """Make weights ready to be sent."""
        return lambda: weights

    def put_positions(self, positions: StoredPositions) -> Given:
        """Make positions ready to be sent."""
        return positions._asdict

    def send(self, method: str, *arguments: Any) -> None:
        """Call `play`, `reanalyse`, `state` or `restore`."""
        try:
            with one_thread():
                answer = getattr(self, method)(*arguments)
        except Exception as error:
            answer = Raised(error)
        self.answers.append(answer)

    def receive(self, timeout: float) -> Any:
        """The next answer, in the order of the calls: what the method returned, or `Raised`."""
        return self.answers.popleft()

    def close(self) -> None:
        """Close the environments."""
        if self.actor is not None:
            self.actor.close()

    # --- what is called ------------------------------------------------------------------------------------------

    @property
    def selfplay(self) -> SelfPlay:
        """The self-play of the actor."""
        assert self.actor is not None and self.actor.selfplay is not None
        return self.actor.selfplay

    def play(self, number: int, version: int, weights: Given | None, steps: int, deadline: float) -> Result:
        """Play.

        Args:
            number: of the task.
            version: of the weights.
            weights: None: those that the actor has.
            steps: of each game.
            deadline: of time.monotonic(), after which fewer steps are enough.

        Raises:
            EnvironmentFault: if an environment does not work.
            NonFiniteError: if the model produced NaN or infinity.
        """
        failpoint("actor.before_play")
        result = self._work(number, version, weights, Play(steps, deadline - time.monotonic()))
        failpoint("actor.after_play")
        return result

    def reanalyse(self, number: int, version: int, weights: Given | None, positions: Given) -> Result:
        """Plan stored positions again; see `play`.

        Raises:
            NonFiniteError: if the model produced NaN or infinity.
        """
        return self._work(number, version, weights, Reanalyse(StoredPositions(**positions())))

    def _work(self, number: int, version: int, weights: Given | None, work: Work) -> Result:
        assert self.actor is not None
        if weights is not None:
            self.actor.load(weights(), version)
        return self.actor.work(Task(number, version, work))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """As of `SelfPlay`."""
        return self.selfplay.state()

    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any], incarnation: int) -> tuple[bool, int]:
        """As of `SelfPlay`; also returns the incarnation of the games."""
        return self.selfplay.restore(arrays, values, incarnation), self.selfplay.incarnation


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on the calling thread alone."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

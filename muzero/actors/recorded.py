"""A pool for runs that learn from recorded experience: nothing plays, and stored positions are planned here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from muzero import build
from muzero.actors.actor import Actor, searched
from muzero.actors.pool import ActorPool
from muzero.actors.tasks import Played, Reanalyse, Result, Task, Weights, Work
from muzero.config import Config
from muzero.data.recorded.reading import Recording, read
from muzero.data.segment_format import Layout


class RecordedPool(ActorPool):
    """Delivers all recorded experience as the result of one task, and then plans of what `request` asks for.

    What was delivered lies in the log of the run, so a resumed run does not read the source again.
    """

    apart = False
    exact = True

    def __init__(self, config: Config, device: torch.device) -> None:
        """Make a model, a planner and the games, of which none is begun; read nothing.

        Args:
            config: of the run.
            device: of the model that plans.

        Raises:
            EnvironmentFault: if an environment cannot be made.
        """
        self.config, self.device = config, device
        self.actor = Actor(config, 0, device)
        self.game = self.actor.games.spec
        self.layout = Layout(self.game, build.candidates(config, self.game))
        self.recording: Recording | None = None  # until it was delivered
        self.delivered = False
        self.ready: deque[Result] = deque()
        self.unreported: list[str] = []

    def prepare(self) -> list[str]:
        """Read the source, of which everything is checked, and say what it holds.

        Raises:
            ConfigError: if it cannot be learned from, naming the place and the remedy.
        """
        self.recording = self.recording or read(self.config, self.actor.games, self.layout.candidates)
        return [*self.recording.notes]

    def due(self, version: int) -> bool:
        return version != self.version

    def publish(self, weights: Weights, version: int) -> None:
        self.actor.load(weights, version)
        self.version = version

    @property
    def searched(self) -> int:
        return searched(self.device)

    def next_result(self, timeout: float) -> Result | None:
        """As of `ActorPool`, at once; None where there is nothing to take until more is learned."""
        if not self.delivered:
            self.prepare()
            assert self.recording is not None
            found, self.recording, self.delivered = Played(self.recording.segments, []), None, True
            return Result(0, self.version, found)
        return self.ready.popleft() if self.ready else None

    def request(self, kind: type[Work], make: Callable[[], Work]) -> bool:
        """As of `ActorPool`: positions are planned now, those of one request at a time."""
        if kind is not Reanalyse or self.ready:
            return False
        self.ready.append(self.actor.work(Task(0, self.version, make())))
        return True

    # --- state ---------------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Whether the source was delivered; between two rounds no plans wait."""
        return {"delivered": np.array(self.delivered)}, {"incarnation": 0, "pending": []}

    def check(self, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> None:
        super().check(arrays, values)
        found = arrays.get("delivered")
        if found is None or found.shape != () or found.dtype != bool:
            raise ValueError("actor.delivered: expected a bool, as a run with [run] data saves it")

    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any], incarnation: int) -> bool:
        """As of `ActorPool`; without arrays, as where a run keeps its weights alone, the source is read again."""
        self.delivered = bool(arrays.get("delivered", False))
        self.ready.clear()
        return True

    def forget_plans(self) -> None:
        self.ready.clear()

    def close(self) -> None:
        self.actor.close()

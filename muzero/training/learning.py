"""The learning of a run: as many updates as the stored steps are worth, and recovery from non-finite values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from muzero.config.run import RunSettings
from muzero.data.replay import Replay
from muzero.interfaces import GameSpec, NonFiniteError, Window
from muzero.learning.learner import Learner
from muzero.runs.folder import RunFolder
from muzero.training.snapshot import Snapshot
from muzero.training.together import Together
from muzero.training.updates import Updates
from muzero.util.allocator import keep_freed
from muzero.util.seeds import derive

SKIPPED = 10  # updates in a row with non-finite gradients after which the last checkpoint's learner is restored
RECOVERIES = 3  # times that this happens before the run ends


class Learning:
    """Updates the learner from the replay; restores it from a checkpoint where values are not finite."""

    def __init__(
        self,
        folder: Path,
        settings: RunSettings,
        spec: GameSpec,
        learner: Learner,
        replay: Replay,
        together: Together,
        newest: Callable[[], Snapshot],
    ) -> None:
        """Begin with no updates.

        Args:
            folder: of the run.
            settings: of the run.
            spec: of the game.
            learner: is updated.
            replay: batches are drawn from it.
            together: what the learners of the run agree on.
            newest: returns the newest usable checkpoint.
        """
        keep_freed()
        self.folder, self.settings, self.spec = folder, settings, spec
        self.learner, self.replay, self.together, self.newest = learner, replay, together, newest
        self.updates = Updates(learner, replay)
        self.recoveries = 0

    @property
    def owed(self) -> int:
        """Updates that the steps stored so far are worth, or that were granted without any."""
        if self.together.rounds:
            return self.together.rounds.granted
        return int((self.together.steps - self.settings.start) * self.settings.updates_per_step)

    @property
    def enough(self) -> bool:
        """Whether enough is stored to learn from; not so after a resume that lost experience."""
        return self.together.enough

    def learn(self, done: Callable[[], float], halted: Callable[[], bool], show: Callable[[], None]) -> None:
        """Make the updates that are owed for the steps stored.

        Stops between two updates if asked to: the rest is still owed after a resume, so nothing is different then.

        Args:
            done: returns the share of the run that is done, 0 to 1.
            halted: returns whether to stop.
            show: is called after every update.

        Raises:
            NonFiniteError: if non-finite values persist after several recoveries.
        """
        if not self.enough:
            return
        while self.learner.updates < self.owed and not halted():
            window = self.updates.make(done())
            if self.learner.skipped_in_a_row == SKIPPED:
                self._recover(f"{SKIPPED} updates in a row had non-finite gradients", window)
            show()

    def counts(self) -> dict[str, float]:
        """Counts of this session, as metrics; "updates_error" is the share of updates made too many or too few."""
        error = (self.learner.updates - self.owed) / max(self.owed, 1)
        return {"skipped_updates": self.learner.skipped, "recoveries": self.recoveries, "updates_error": error}

    @property
    def finite(self) -> bool:
        """Whether the weights are finite, and what they compute from observations of zeros."""
        dtype = getattr(torch, self.spec.dtype)
        return self.learner.is_finite(torch.zeros(2, *self.spec.observation, dtype=dtype, device=self.learner.device))

    def ensure_finite(self) -> None:
        """Recover until the weights are finite.

        Raises:
            NonFiniteError: after too many recoveries.
        """
        while not self.finite:
            self._recover("the weights are not finite", None)

    def _recover(self, why: str, window: Window | None) -> None:
        """Restore the learner of the last checkpoint, and sample other batches from now on.

        Raises:
            NonFiniteError: after too many times; the batch, if there is one, is left in the run's folder.
        """
        if self.recoveries == RECOVERIES:
            where = ""
            if window is not None:
                file = RunFolder(self.folder).bad_batch
                arrays: dict[str, Any] = {name: tensor.cpu().numpy() for name, tensor in window.tensors().items()}
                np.savez(file, **arrays)
                largest = window.observation.double().abs().max().item()
                where = f"; the last batch, whose largest number in an observation is {largest:g}, is in {file}"
            raise NonFiniteError(f"{why}, also after {RECOVERIES} returns to a checkpoint{where}")
        self.recoveries += 1
        found = self.newest()
        self.learner.restore(found.tensors, found.state["learner"])
        self.updates.drop()
        self.replay.rng = np.random.default_rng(
            derive(self.learner.seed, "replay after a recovery", self.recoveries, self.replay.written)
        )

"""Updates whose results are used one update late, so that no update waits for the one before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from muzero.data.replay import Replay
from muzero.interfaces import Window
from muzero.learning.learner import Learner
from muzero.learning.update import Update


class Launched(NamedTuple):
    """An update whose results have not been used yet."""

    rows: np.ndarray  # [B] int64, numbers of the sampled rows
    update: Update  # on the host, once `done`
    window: Window | None = None  # the batch; None after a resume
    done: torch.cuda.Event | None = None  # None: on the CPU, at once

    def result(self) -> tuple[np.ndarray, np.ndarray, bool]:
        """Rows with their new priorities, none where the update was skipped; and whether it was not. Waits for them."""
        if self.done is not None:
            self.done.synchronize()
        priority, finite = self.update.priority.numpy(), bool(self.update.finite)
        usable = np.isfinite(priority) & finite
        return self.rows[usable], priority[usable], finite


class Updates:
    """Makes updates from a replay; priorities and skipped updates arrive one update later, on every device."""

    def __init__(self, learner: Learner, replay: Replay) -> None:
        self.learner, self.replay = learner, replay
        self.newest: Update | None = None  # the last update, on the learner's device
        self.pending: Launched | None = None

    @property
    def metrics(self) -> dict[str, Tensor]:
        """The figures of the last update, on the learner's device; empty before the first."""
        return {} if self.newest is None else self.newest.metrics

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of those that it minimised."""
        return () if self.newest is None else self.newest.terms

    def make(self, progress: float) -> Window | None:
        """Launch an update, then use the results of the one before.  progress: share of the run that is done, 0 to 1.

        Returns:
            the batch of the update before, which `learner.skipped_in_a_row` now includes; None if that is not known.
        """
        rows, window = self.replay.sample(self.learner.batch, self.learner.objective.window)
        update = self.learner.update(window, progress)
        before, self.pending = self.pending, launched(rows, window, update)
        self.newest = update
        if before is None:
            return None
        used, priority, finite = before.result()
        self.learner.count(finite)
        self.replay.update(used, priority)
        return before.window

    def drop(self) -> None:
        """Forget the results that were not used, because the learner goes back to a checkpoint."""
        self.pending = None

    def state(self) -> dict[str, np.ndarray]:
        """The results that were not used yet; a resumed run uses them when an undisturbed one would."""
        if self.pending is None:
            return {}
        rows, priority, finite = self.pending.result()
        return {"pending.rows": rows, "pending.priority": priority, "pending.finite": np.array(finite)}

    def check(self, arrays: Mapping[str, np.ndarray], written: int) -> None:
        """Refuse a state that cannot be restored.

        Args:
            arrays: a state, which may lie among other arrays.
            written: rows ever written to the replay.

        Raises:
            ValueError: saying what was expected.
        """
        found = {name: array for name, array in arrays.items() if name.startswith("pending.")}
        if not found:
            return
        rows, priority, finite = (found.get(f"pending.{name}", np.empty(())) for name in ("rows", "priority", "finite"))
        fits = rows.ndim == 1 and rows.dtype == np.int64 and (rows >= 0).all() and (rows < written).all()
        fits = fits and priority.shape == rows.shape and priority.dtype == np.float32 and (priority >= 0).all()
        if not fits or finite.shape != () or finite.dtype != bool:
            given = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in found.items())
            expected = f"rows int64 [N] below {written:,}, priority float32 [N] from 0, and finite bool"
            raise ValueError(f"replay.pending: expected {expected}; got {given}")

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over a state, which may lie among other arrays."""
        self.pending = None
        if "pending.rows" in arrays:
            rows, priority, finite = (arrays[f"pending.{name}"] for name in ("rows", "priority", "finite"))
            numbers = torch.from_numpy(np.append(priority, np.float32(finite)))
            self.pending = Launched(rows, Update(numbers, (), ()))


def launched(rows: np.ndarray, window: Window, update: Update) -> Launched:
    """Begin to copy the results of an update to the host."""
    device = update.numbers.device
    if device.type != "cuda":
        return Launched(rows, update, window)
    # Into pinned memory, and now: a copy that is requested later would wait for the next update too.
    numbers = update.numbers.to("cpu", non_blocking=True)
    done = torch.cuda.Event()
    done.record(torch.cuda.current_stream(device))
    return Launched(rows, Update(numbers, update.names, update.terms), window, done)

"""The loop: play, store, learn, publish, evaluate, save."""

from __future__ import annotations

import json
import signal
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from muzero import build, checkpoint
from muzero.checkpoint import Checkpoint
from muzero.config import Config
from muzero.evaluate import Outcome, PlanningPlayer, RandomPlayer, Summary, play
from muzero.interfaces import EnvironmentFault
from muzero.progress import Progress

EVALUATION_BATCH = 50  # games side by side


class Training:
    """A run: everything that learns, and the folder that it leaves behind."""

    def __init__(self, config: Config, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.settings = settings = config.construct("run")
        torch.set_num_threads(settings.threads)
        self.games = build.games(config, settings.games, training=True)
        self.spec = self.games.spec
        model = build.model(config, self.spec, settings.seed)
        objective = build.objective(config, self.spec, model)
        self.device = build.device(settings.device)
        self.learner = config.construct("learner", model, objective, self.device)
        self.replay = config.construct("replay", self.spec, settings.seed)
        self.planner = build.planner(config)
        own_model = build.model(config, self.spec, settings.seed).to(self.device)
        self.actor = config.construct("selfplay", self.games, own_model, self.planner, settings.seed)
        self.episodes: deque[float] = deque(maxlen=100)  # scores of the latest games
        self.elapsed = 0.0  # seconds of earlier sessions of this run
        self.began = time.monotonic()
        self.saved_at = 0
        self.evaluated_at = 0
        self.stopping: int | None = None  # the signal that asks to stop
        self.metrics: dict[str, torch.Tensor] = {}
        # seconds of this session
        self.spent: dict[str, float] = dict.fromkeys(("play", "learn", "evaluate", "save"), 0.0)

    # --- the loop ------------------------------------------------------------------------------------------------

    def run(self, progress: Progress) -> int | None:
        """Train until the steps or the time are used up.  Returns the signal that ended the run early, if one did."""
        handlers = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            while self.done() < 1 and self.stopping is None:
                self._round(progress)
            self._learn(progress)
        except EnvironmentFault:
            self.save(games=False)
            raise
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        self.save()
        return self.stopping

    def done(self) -> float:
        """Share of the run that is done."""
        share = self.replay.steps / self.settings.steps
        if self.settings.seconds is not None:
            share = max(share, self.seconds() / self.settings.seconds) if self.settings.seconds else 1.0
        return share

    def seconds(self) -> float:
        """Seconds of training, earlier sessions of this run included."""
        return self.elapsed + time.monotonic() - self.began

    def _stop(self, number: int, frame: Any) -> None:
        if self.stopping is not None:
            raise KeyboardInterrupt
        self.stopping = number

    def _round(self, progress: Progress) -> None:
        settings = self.settings
        with self._timed("learn"):
            self._learn(progress)
        if self.stopping is not None:
            return
        with self._timed("play"):
            self._play_on()
        progress.show(self)
        if settings.evaluate_every and self.replay.steps - self.evaluated_at >= settings.evaluate_every:
            self.evaluated_at = self.replay.steps
            with self._timed("evaluate"):
                progress.evaluated(self, self.evaluate(settings.evaluation_games))
        if self.replay.steps - self.saved_at >= settings.save_every:
            with self._timed("save"):
                self.save()

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.spent[name] += time.perf_counter() - began

    def _play_on(self) -> None:
        """Publish the weights, play a few steps of every game, and store them."""
        if self.actor.version != self.learner.updates:
            self.actor.load(self.learner.weights(), self.learner.updates)
        harvest = self.actor.play(self.settings.play)
        for segment in harvest.segments:
            self.replay.add(segment)
        self.episodes.extend(episode.score for episode in harvest.episodes)

    def _learn(self, progress: Progress) -> None:
        """Make the updates that are owed for the steps stored.

        Stops between two updates if asked to: the rest is still owed after a resume, so nothing is different then.
        """
        owed = int((self.replay.steps - self.settings.start) * self.settings.updates_per_step)
        while self.learner.updates < owed and self.stopping is None:
            rows, window = self.replay.sample(self.learner.batch, self.learner.objective.window)
            self.metrics, priority = self.learner.update(window, self.done())
            self.replay.update(rows, priority)
            progress.show(self)

    # --- evaluation ----------------------------------------------------------------------------------------------

    def evaluate(self, count: int) -> dict[str, Summary]:
        """Play greedily: against the random player, or alone, with the random player's returns beside ours."""
        trained = PlanningPlayer(self.learner.model, self.planner)
        random = RandomPlayer(self.settings.seed)
        if self.spec.two_player:
            return {"trained against random": Summary(self._play(trained, random, count))}
        return {
            "trained": Summary(self._play(trained, None, count)),
            "random": Summary(self._play(random, None, count)),
        }

    def _play(self, player: Any, opponent: Any, count: int) -> list[Outcome]:
        games = build.games(self.config, min(count, EVALUATION_BATCH), training=False)
        try:
            return play(games, player, opponent, count, self.settings.seed)
        finally:
            games.close()

    # --- saving --------------------------------------------------------------------------------------------------

    def save(self, games: bool = True) -> Path:
        """Write a checkpoint; without games, a resumed run begins new ones."""
        self.saved_at = self.replay.steps
        tensors, learner = self.learner.state()
        arrays = {name: {key: to_array(t) for key, t in group.items()} for name, group in tensors.items()}
        arrays["replay"], replay = self.replay.state()
        arrays["actor"], actor = self.actor.state()
        if not games:
            arrays["actor"] = {name: array for name, array in arrays["actor"].items() if not name.startswith("games.")}
        state = {
            "fingerprint": checkpoint.fingerprint(self.spec),
            "learner": learner,
            "replay": replay,
            "actor": actor,
            "seconds": self.seconds(),
            "evaluated_at": self.evaluated_at,
            "episodes": list(self.episodes),
        }
        return checkpoint.save(self.folder / "checkpoints", self.replay.steps, arrays, state)

    def restore(self, found: Checkpoint) -> None:
        """Go on where a checkpoint was written.

        Raises:
            CheckpointError: if it is for another game or another network.
        """
        checkpoint.load_weights(self.learner.model, found, self.spec)
        state = found.state()
        names = ("model", "target", "objective", "optimizer")
        tensors = {name: {key: torch.from_numpy(a) for key, a in found.arrays(name).items()} for name in names}
        self.learner.restore(tensors, state["learner"])
        self.replay.restore(found.arrays("replay"), state["replay"])
        self.actor.restore(found.arrays("actor"), state["actor"])
        self.elapsed, self.began = state["seconds"], time.monotonic()
        self.evaluated_at, self.saved_at = state["evaluated_at"], self.replay.steps
        self.episodes.extend(state["episodes"])


def to_array(tensor: torch.Tensor) -> np.ndarray:
    """A tensor on the host as an array."""
    return tensor.detach().cpu().numpy()


def write_results(folder: Path, results: dict[str, Summary], two_player: bool) -> None:
    """Leave the last evaluation in the run's folder."""
    report = {name: summary.report(two_player) for name, summary in results.items()}
    (folder / "evaluation.json").write_text(json.dumps(report, indent=1))

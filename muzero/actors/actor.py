"""An actor: does one task after the other, in whichever process it runs, and keeps its games between tasks."""

from __future__ import annotations

import numpy as np
import torch

from muzero import build
from muzero.actors.tasks import Evaluate, Play, Played, Reanalyse, Reanalysed, Result, Task, Weights
from muzero.config import Config
from muzero.data.plans import StoredPositions
from muzero.evaluation.in_training import evaluate
from muzero.inference import observed_first
from muzero.interfaces import Decision
from muzero.play.selfplay import SelfPlay
from muzero.util.allocator import keep_freed
from muzero.util.bfloat16 import has_convolutions
from muzero.util.seeds import derive
from muzero.util.tensors import as_tensor, copy_into, sent

SEARCHED = 256  # stored positions in a search: more are hardly cheaper each, and need memory for the latents of all
SEARCHED_ON_GPU = 2048  # which smaller searches leave idle


def searched(device: torch.device) -> int:
    """Stored positions in a search on a device."""
    return SEARCHED_ON_GPU if device.type == "cuda" else SEARCHED


class Actor:
    """Games, a model and a planner, which do the tasks of a run: self-play, reanalyse, evaluation."""

    def __init__(self, config: Config, slot: int, device: torch.device, incarnation: int | None = None) -> None:
        """Construct games, model and planner.

        Args:
            config: of the run.
            slot: number of the actor in its pool, part of segments' ids.
            device: of the model.
            incarnation: of its games; None takes the number of its first `Play` task.
        """
        keep_freed()
        self.config, self.slot, self.device = config, slot, device
        settings = build.settings(config)
        self.games = build.games(config, settings.games, training=True)
        self.seed = settings.seed
        self.model = build.model(config, self.games.spec, settings.seed).to(device)
        if device.type == "cuda" and has_convolutions(self.model):
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as published weights lie
        self.planner = build.planner(config)
        self.version = -1
        self.reported = (0, 0)  # faults and rejections that earlier results reported
        self.selfplay: SelfPlay | None = None
        if incarnation is not None:
            self.begin(incarnation)

    def begin(self, incarnation: int) -> SelfPlay:
        """Begin new games, under seeds that no other incarnation has."""
        parts = (self.games, self.model, self.planner, self.seed, self.slot, incarnation)
        selfplay = build.selfplay(self.config, *parts)
        selfplay.version, self.selfplay = self.version, selfplay
        self.reported = (self.games.faults, 0)
        return selfplay

    def load(self, weights: Weights, version: int) -> None:
        """Use these weights from now on."""
        copy_into(self.model.state_dict(), {name: as_tensor(found) for name, found in weights.items()})
        self.version = version
        if self.selfplay is not None:
            self.selfplay.version = version

    def work(self, task: Task) -> Result:
        """Do a task.

        Raises:
            EnvironmentFault: if an environment does not work; the next task begins new games.
            NonFiniteError: if the model produced NaN or infinity.
        """
        match task.work:
            case Play() as play:
                found = self._play(self.selfplay or self.begin(task.number), play)
            case Reanalyse(positions):
                found = self._reanalyse(positions)
            case Evaluate(count):
                found = evaluate(self.config, self.model, count)
        return Result(task.number, task.version, found)

    def _play(self, selfplay: SelfPlay, play: Play) -> Played:
        harvest = selfplay.play(play.steps, play.seconds)
        before, self.reported = self.reported, (self.games.faults, selfplay.rejected)
        faults, rejected = (now - then for now, then in zip(self.reported, before, strict=True))
        last = selfplay.last_rejection or self.games.last_fault
        return Played(harvest.segments, harvest.episodes, faults, rejected, last)

    def _reanalyse(self, positions: StoredPositions) -> Reanalysed:
        """Plan in searches of one size, whose buffers are used again: the last is filled up with the first rows."""
        count, size = len(positions.numbers), searched(self.device)
        rng = np.random.default_rng(derive(self.seed, "reanalyse", self.slot, self.version, positions.numbers[0]))
        searches = np.resize(np.arange(count), (-(-count // size), size))
        observations = torch.as_tensor(positions.observation)  # on the device already, if the replay is
        found = [self._plan(observations, rows, positions.legal[rows], rng) for rows in searches]
        policy = np.concatenate([decision.weights for decision in found])[:count]
        value = np.concatenate([decision.value for decision in found])[:count]
        weighed = [decision.candidates for decision in found if decision.candidates is not None]
        return Reanalysed(positions.numbers, policy, value, np.concatenate(weighed)[:count] if weighed else None)

    @torch.inference_mode()
    def _plan(
        self, observations: torch.Tensor, rows: np.ndarray, legal: np.ndarray, rng: np.random.Generator
    ) -> Decision:
        seen = observations.index_select(0, sent(rows, observations.device))
        root = observed_first(self.model.eval(), seen, explores=True, path=self.planner.path)
        carry, first = self.planner.start(len(legal), self.model.space), np.ones(len(legal), bool)
        return self.planner.plan(self.model, root, legal, carry, first, rng, explore=True)[0]

    def close(self) -> None:
        """Close the environments; the actor takes no more tasks."""
        self.games.close()

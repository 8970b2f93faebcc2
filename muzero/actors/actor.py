"""An actor: works on orders, wherever it runs, and keeps its games from one to the next."""

from __future__ import annotations

import numpy as np
import torch

from muzero import build
from muzero.actors.tasks import Delivery, Order, Weights
from muzero.config import Config
from muzero.evaluation.in_training import evaluate
from muzero.interfaces import observe_first
from muzero.play.selfplay import SelfPlay
from muzero.util.allocator import keep_freed


class Actor:
    """Plays, plans again, evaluates."""

    def __init__(self, config: Config, slot: int, device: torch.device, incarnation: int | None = None) -> None:
        """incarnation: of its games; None: the number of the first order."""
        keep_freed()
        self.config, self.slot, self.device = config, slot, device
        settings = config.construct("run")
        self.games = build.games(config, settings.games, training=True)
        self.seed = settings.seed
        self.model = build.model(config, self.games.spec, settings.seed).to(device)
        self.planner = build.planner(config)
        self.version = -1
        self.reported = (0, 0)  # faults and rejections that were delivered
        self.selfplay: SelfPlay | None = None
        if incarnation is not None:
            self.begin(incarnation)

    def begin(self, incarnation: int) -> SelfPlay:
        """New games, under seeds that no other incarnation has."""
        parts = (self.games, self.model, self.planner, self.seed, self.slot, incarnation)
        selfplay: SelfPlay = self.config.construct("selfplay", *parts)
        selfplay.version, self.selfplay = self.version, selfplay
        self.reported = (self.games.faults, 0)
        return selfplay

    def load(self, weights: Weights, version: int) -> None:
        """Work with these weights from now on."""
        self.model.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
        self.version = version
        if self.selfplay is not None:
            self.selfplay.version = version

    def work(self, order: Order) -> Delivery:
        """Do what is asked.

        Raises:
            EnvironmentFault: if an environment does not work; the next order begins new games.
            NonFiniteError: if the weights compute what are no numbers.
        """
        if order.task == "evaluate":
            return Delivery(order, result=evaluate(self.config, self.model, **order.payload))
        if order.task == "reanalyse":
            return Delivery(order, result=self._reanalyse(**order.payload))
        selfplay = self.selfplay or self.begin(order.number)
        harvest = selfplay.play(order.payload)
        before, self.reported = self.reported, (self.games.faults, selfplay.rejected)
        faults, rejected = (now - then for now, then in zip(self.reported, before, strict=True))
        last = selfplay.last_rejection or self.games.last_fault
        return Delivery(order, harvest.segments, harvest.episodes, faults, rejected, last)

    @torch.inference_mode()
    def _reanalyse(self, observation: np.ndarray, legal: np.ndarray, numbers: np.ndarray) -> dict[str, np.ndarray]:
        """Plan stored positions again (Schrittwieser et al. 2021, section 3)."""
        root = observe_first(self.model.eval(), torch.from_numpy(observation.copy()).to(self.device))
        rng = np.random.default_rng([self.seed, self.slot, self.version + 1, int(numbers[0])])
        decision, _ = self.planner.plan(self.model, root, legal, None, rng, explore=True)
        return {"numbers": numbers, "policy": decision.policy, "value": decision.value}

    def close(self) -> None:
        """Let go of the games."""
        self.games.close()

"""What planners make of a model's doubt: one number that every evaluation of theirs obeys."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch

from muzero.config import Range
from muzero.interfaces import GameSpec, Latent, Planner, WorldModel

Deviations = Annotated[float, Range(0.0, 1000.0)]


@dataclass(frozen=True, kw_only=True)
class DoubtingPlanner(Planner):
    """A planner for which rewards and values are better or worse by the deviation between a model's members."""

    optimism: Deviations = 0.0
    pessimism: Deviations = 0.0

    def kappa(self, explore: bool) -> float:
        return (self.optimism if explore else 0.0) - self.pessimism

    def stored(self, model: WorldModel, root: Latent, planned: np.ndarray, explore: bool) -> np.ndarray:
        """[B] float32, the value of a decision, given that of planning: without what doubt adds.

        Values of decisions become targets, of returns that are cut at the least.  A bonus in a target would be learned
        as if it were a reward; so where one was added, the model's own mean is stored.
        """
        if not self.kappa(explore):
            return planned
        with torch.inference_mode():
            return model.predict(root).value.mean.float().cpu().numpy()

    def refuses(self, model: WorldModel, spec: GameSpec) -> str | None:
        if model.members > 1:
            return None
        for name in ("optimism", "pessimism"):
            if given := getattr(self, name):
                return (
                    f"{name} = {given:g} has no effect on a model of one member; set model.members = 5, or {name} = 0"
                )
        return None

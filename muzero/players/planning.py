"""A trained model as a player."""

import numpy as np
import torch

from muzero.interfaces import Moves, Planner, Positions, WorldModel, observe_first


class PlanningPlayer:
    """Plans with a model, without exploration.

    Every position is treated as the first of a game, so a model that needs memory of earlier steps cannot play here.
    """

    title = "muzero"

    def __init__(self, model: WorldModel, planner: Planner) -> None:
        self.model, self.planner = model.eval(), planner
        self.device = next(iter(model.parameters()), torch.empty(0)).device
        self.rng = np.random.default_rng(0)  # part of the planner's interface; without exploration nothing is drawn

    @torch.inference_mode()
    def act(self, positions: Positions) -> Moves:
        """Plan all positions in one batch; the value is the search's."""
        observation = torch.from_numpy(positions.observation).to(self.device)
        root = observe_first(self.model, observation)
        carry, first = self.planner.start(len(observation), self.model.space), np.ones(len(observation), bool)
        decision, _ = self.planner.plan(self.model, root, positions.legal, carry, first, self.rng, explore=False)
        return Moves(decision.action, decision.value)

    def close(self) -> None:
        """Do nothing: there are no resources to release."""

"""A trained model as a player."""

import numpy as np
import torch

from muzero.interfaces import Moves, Planner, Positions, WorldModel, observe_first


class PlanningPlayer:
    """Plays a model by planning, without exploring.  Each position stands alone: models with memory are not served."""

    title = "muzero"

    def __init__(self, model: WorldModel, planner: Planner) -> None:
        self.model, self.planner = model.eval(), planner
        self.device = next(iter(model.parameters()), torch.empty(0)).device
        self.rng = np.random.default_rng(0)  # planners ask for one; without exploring they draw nothing

    @torch.inference_mode()
    def act(self, positions: Positions) -> Moves:
        observation = torch.from_numpy(positions.observation).to(self.device)
        root = observe_first(self.model, observation)
        decision, _ = self.planner.plan(self.model, root, positions.legal, None, self.rng, explore=False)
        return Moves(decision.action, decision.value)

    def close(self) -> None:
        """Nothing is held."""

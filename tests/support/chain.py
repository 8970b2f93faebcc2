"""A corridor of cells: games, and a world model that is exactly them.  An oracle for one player.

Action 1 goes right, action 0 goes left (the first cell holds its place).  Reaching the last cell pays 1 and ends the
game; every other step pays nothing.  A game is cut short after `limit` steps.
"""

import numpy as np
import torch

from muzero.actions import Discrete
from muzero.interfaces import Games, GameSpec, Prediction, Timestep, Transition, WorldModel
from muzero.models.heads import Categorical, Certain

DISCOUNT = 0.9


class ChainGames(Games):
    """B corridors; every game begins in the first cell."""

    def __init__(self, batch=2, cells=5, limit=100, fault=None):
        """fault: step at which a NaN is observed."""
        self.batch, self.cells, self.limit, self.fault = batch, cells, limit, fault
        self.spec = GameSpec("chain", (cells,), "float32", Discrete(2), (0.0, DISCOUNT))

    def reset(self, seeds):
        self.cell = np.zeros(self.batch, np.int64)
        self.steps = np.zeros(self.batch, np.int64)
        self.ended = np.zeros(self.batch, bool)
        return self._show(np.zeros(self.batch), np.ones(self.batch), np.ones(self.batch, bool))

    def step(self, actions):
        first = self.ended.copy()
        self.cell = np.where(first, 0, np.clip(self.cell + np.where(actions == 1, 1, -1), 0, None))
        self.steps = np.where(first, 0, self.steps + 1)
        won = ~first & (self.cell == self.cells - 1)
        return self._show(won, np.where(first, 1, np.where(won, 0, DISCOUNT)), first)

    def _show(self, reward, discount, first):
        truncated = ~first & (discount != 0) & (self.steps >= self.limit)
        self.ended = ~first & (truncated | (discount == 0))
        observation = np.eye(self.cells, dtype=np.float32)[self.cell]
        if self.fault is not None and self.steps.max() >= self.fault:
            observation[0, 0] = np.nan
        legal = np.ones((self.batch, 2), bool)
        numbers = np.asarray(reward, np.float32), np.asarray(discount, np.float32)
        return Timestep(observation, legal, *numbers, first, truncated)

    def state(self):
        return {"cell": self.cell.copy(), "steps": self.steps.copy(), "ended": self.ended.copy()}

    def restore(self, state):
        self.cell, self.steps = state["cell"].copy(), state["steps"].copy()
        first = self.steps == 0
        won = ~first & (self.cell == self.cells - 1)
        return self._show(won, np.where(first, 1, np.where(won, 0, DISCOUNT)), first)


class ChainModel(WorldModel):
    """Knows the corridor, and nothing of what cells are worth."""

    def __init__(self, cells=5):
        super().__init__()
        self.space = Discrete(2)
        self.cells = cells

    def memory(self, batch):
        return {}

    def encode(self, observation):
        return observation.argmax(-1)

    def update(self, memory, action, encoded, first, noise=None):
        return {"cell": encoded}

    def imagine(self, latent, action, noise=None):
        cell = latent["cell"]
        already = cell == self.cells - 1
        cell = torch.where(already, cell, (cell + 2 * action - 1).clamp(min=0))
        won = (cell == self.cells - 1) & ~already
        discount = torch.where(won | already, 0.0, DISCOUNT)
        return {"cell": cell}, Transition(Certain(won.float()), Certain(discount))

    def predict(self, latent):
        batch = len(latent["cell"])
        return Prediction(Categorical(torch.zeros(batch, 2)), Certain(torch.zeros(batch)))

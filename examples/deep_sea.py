"""An environment in which only an explorer that plans to learn finds the reward.

From this folder, with five models that doubt and a planner that likes what they doubt (docs/uncertainty.md says why):

    muzero-train --game python/deep_sea:DeepSea --config deep_sea.toml --set game.kwargs.size=10 --steps 10_000

The task is DeepSea of bsuite (Osband et al. 2020): a diver sinks through a square of cells and steers.
"""

import gymnasium
import numpy as np

COST = 0.01  # of all steps to the right together


class DeepSea(gymnasium.Env):
    """Sink from the upper left corner for `size` steps, to the left or to the right with each.

    A step to the right costs 0.01 / size; the treasure, worth 1, lies at the lower right, where a diver arrives that
    never steers to the left.  Which of the two actions steers to the right is drawn for each cell by `mapping`, so
    random play finds it in one of 2 ** size games, and small costs teach to stay away.  The observation marks the
    diver's cell.
    """

    def __init__(self, size: int = 10, mapping: int = 0) -> None:
        self.size = size
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (size * size,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(2)
        self.right = np.random.default_rng(mapping).integers(0, 2, (size, size))  # the action that steers to the right

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)
        self.row = self.column = 0
        return self._seen(), {}

    def step(self, action: int):
        right = action == self.right[self.row, self.column]
        reward = -COST / self.size if right else 0.0
        if right and self.column == self.row == self.size - 1:
            reward += 1.0
        self.column = min(self.column + 1, self.size - 1) if right else max(self.column - 1, 0)
        self.row += 1
        return self._seen(), reward, self.row == self.size, False, {}

    def _seen(self) -> np.ndarray:
        cells = np.zeros((self.size, self.size), np.float32)
        if self.row < self.size:
            cells[self.row, self.column] = 1.0
        return cells.ravel()

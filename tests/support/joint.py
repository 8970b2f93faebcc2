"""A game of several choices at once, in gymnasium's form."""

import numpy as np
from gymnasium import spaces


class Joint:
    """Eight steps that pay for the two choices that the observation asks for."""

    observation_space = spaces.Box(0, 2, (2,), np.float32)
    action_space = spaces.MultiDiscrete([3, 2])

    def reset(self, seed=None, options=None):
        self.rng, self.steps = np.random.default_rng(seed), 0
        return self._ask(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        reward = float((action == self.wanted).mean())
        self.steps += 1
        return self._ask(), reward, self.steps == 8, False, {}

    def _ask(self):
        self.wanted = self.rng.integers([3, 2])
        return self.wanted.astype(np.float32)

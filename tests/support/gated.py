"""An environment that waits, talks and dies when a test says so."""

import os
from pathlib import Path

import gymnasium
import numpy as np


class Gated(gymnasium.Env):
    """Twenty random steps to the end; obeys the folder named in MUZERO_TEST_ORDERS."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self):
        self.folder, self.steps = Path(os.environ["MUZERO_TEST_ORDERS"]), 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.steps += 1
        if (self.folder / "gate").exists():  # a pipe: opening its other end shows that a step is under way here
            (self.folder / "gate").read_bytes()
        if (self.folder / "exit").exists():
            os._exit(3)
        if (self.folder / "raise").exists():
            raise RuntimeError("the pole is made of rubber")
        if (self.folder / "talk").exists():
            print(f"step {self.steps} in process {os.getpid()}")
        seen = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return seen, float(action), self.steps == 20, False, {}

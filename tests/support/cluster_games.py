"""An environment for actors' processes, which does what it must not when a file says so."""

import os
import time
from pathlib import Path

import gymnasium
import numpy as np


def asked(folder: str, word: str) -> bool:
    """Whether a file asks for this; each is obeyed by one process, once."""
    try:
        (Path(folder) / word).unlink()
    except OSError:
        return False
    return True


class Asked(gymnasium.Env):
    """Twenty steps to the end, and what the folder named in MUZERO_TEST_ORDERS asks for."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self):
        self.folder, self.steps = os.environ.get("MUZERO_TEST_ORDERS", ""), 0

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.folder and any(Path(self.folder).iterdir()):
            self.obey()
        return np.full(2, self.steps / 20, np.float32), 0.5, self.steps == 20, False, {}

    def obey(self):
        if asked(self.folder, "hang"):
            while True:  # a call into code that never returns
                time.sleep(3600)
        if asked(self.folder, "die"):
            os._exit(1)
        if (Path(self.folder) / "always die").exists():
            os._exit(1)
        if (Path(self.folder) / "always raise").exists():
            raise RuntimeError("the pole is made of rubber")

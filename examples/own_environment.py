"""An environment of your own, in the form of gymnasium: a courier on a street.

From this folder:

    muzero-train --game python/own_environment:Courier --run runs/courier --time 30s
    muzero-eval runs/courier --trust
"""

import gymnasium
import numpy as np


class Courier(gymnasium.Env):
    """Fetch a parcel at one end of a street, and bring it to a house somewhere on it.

    A step costs 0.1, a delivery pays 5.  The observation: where the courier is, where the house is, and whether the
    parcel is with him.
    """

    def __init__(self, length: int = 5) -> None:  # --set game.kwargs.length=12
        self.length = length
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (3,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(3)  # left, right, take the parcel

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)  # makes self.np_random, the only source of randomness
        self.place, self.loaded, self.left = self.length // 2, False, 100
        self.house = int(self.np_random.integers(1, self.length))
        return self._seen(), self._info()

    def step(self, action: int):
        if action == 2:
            self.loaded = True  # the mask allows it at the end of the street only
        else:
            self.place = min(max(self.place + (1 if action == 1 else -1), 0), self.length - 1)
        delivered = self.loaded and self.place == self.house
        self.left -= 1
        # Terminated: there is nothing more to win.  Truncated: cut short, so the position still has a value.
        return self._seen(), 5.0 if delivered else -0.1, delivered, not delivered and self.left == 0, self._info()

    def _seen(self) -> np.ndarray:
        return np.array([self.place / self.length, self.house / self.length, self.loaded], np.float32)

    def _info(self) -> dict:
        return {"action_mask": np.array([True, True, self.place == 0 and not self.loaded])}  # legal actions; optional

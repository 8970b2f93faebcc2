"""An environment of your own whose observations have several named parts: a robot that needs light.

From this folder:

    muzero-check python/dict_environment:Robot
    muzero-train --game python/dict_environment:Robot --run runs/robot --time 1m
"""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

SIZE = 4
MOVES = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)])
CORNERS = np.array([(0, 0), (0, SIZE - 1), (SIZE - 1, 0), (SIZE - 1, SIZE - 1)])


class Robot(gymnasium.Env):
    """Drive to the corner with the lamp, again and again; every step needs power, and the lamp gives it back.

    Reaching the lamp pays 1 and lights another corner.  A robot without power is lost.  One step in ten slips.
    """

    def __init__(self, power: int = 12) -> None:  # --set game.kwargs.power=20
        self.most = power
        self.observation_space = Dict(
            {
                "place": MultiDiscrete([SIZE, SIZE]),  # becomes 4 + 4 zeros and ones
                "lamp": Discrete(len(CORNERS)),  # becomes 4 zeros and ones
                "power": Box(0.0, 1.0, (1,), np.float32),  # stays one number
            }
        )
        self.action_space = Discrete(len(MOVES))

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)
        self.place, self.power, self.left = np.array([1, 1]), self.most, 60
        self.lamp = int(self.np_random.integers(len(CORNERS)))
        return self._seen(), {}

    def step(self, action: int):
        if self.np_random.random() >= 0.1:
            self.place = np.clip(self.place + MOVES[action], 0, SIZE - 1)
        self.power, self.left = self.power - 1, self.left - 1
        reached = bool((self.place == CORNERS[self.lamp]).all())
        if reached:
            self.power = self.most
            self.lamp = int((self.lamp + self.np_random.integers(1, len(CORNERS))) % len(CORNERS))
        lost = self.power == 0
        return self._seen(), float(reached), lost, not lost and self.left == 0, {}

    def _seen(self) -> dict:
        power = np.array([self.power / self.most], np.float32)
        return {"place": self.place.copy(), "lamp": self.lamp, "power": power}

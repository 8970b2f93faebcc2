"""Two correct games, one of each form of the user's own; tests replace parts of them."""

import numpy as np
from gymnasium import spaces


class Plain:
    """Ten steps in gymnasium's form; tests replace parts of it."""

    observation_space = spaces.Box(0, 1, (2,), np.float32)
    action_space = spaces.Discrete(3)

    def seen(self):
        return np.zeros(2, np.float32)

    def reset(self, seed=None, options=None):
        self.steps = 0
        return self.seen(), {}

    def step(self, action):
        self.steps += 1
        return self.seen(), 1.0, self.steps == 10, False, {}


class Turns:
    """Six moves in the form of a two-player game; tests replace parts of it."""

    actions = 2
    observation_shape = (1,)

    def reset(self, seed):
        self.moves = 0

    def observation(self):
        return [self.moves / 6]

    def legal(self):
        return [True, True]

    def to_move(self):
        return self.moves % 2

    def step(self, action):
        self.moves += 1
        return 0.0, self.moves == 6

"""An environment that does what it must not, according to a plan."""

import gymnasium
import numpy as np


class Misbehaving(gymnasium.Env):
    """Ten steps to the end.  `plan(call, number)` says what the nth call of reset or step returns or raises."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(3)
    plan = staticmethod(lambda slot, call, number: None)
    made = 0

    def __init__(self):
        self.slot = Misbehaving.made
        Misbehaving.made += 1
        self.calls = {"reset": 0, "step": 0, "close": 0}
        self.steps = 0

    def answer(self, call, good):
        self.calls[call] += 1
        planned = self.plan(self.slot, call, self.calls[call])
        if isinstance(planned, BaseException):
            raise planned
        if planned is None:
            return good
        return (
            tuple(planned.get(place, value) for place, value in enumerate(good))
            if isinstance(planned, dict)
            else planned
        )

    def seen(self):
        return np.full(2, self.steps / 10, np.float32)

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return self.answer("reset", (self.seen(), {"action_mask": np.ones(3, np.int8)}))

    def step(self, action):
        self.steps += 1
        good = (self.seen(), 0.5, self.steps == 10, False, {"action_mask": np.ones(3, np.int8)})
        return self.answer("step", good)

    def close(self):
        self.answer("close", None)

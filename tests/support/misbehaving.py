"""An environment that does what it must not, according to a plan."""

import gymnasium
import numpy as np

from muzero.games.python import PythonGames

BROKEN_STEPS = {
    "raises": ValueError("the engine is on fire"),
    "nan observation": {0: np.array([np.nan, 0], np.float32)},
    "infinite observation": {0: np.array([0, np.inf], np.float32)},
    "observation of another shape": {0: np.zeros(3, np.float32)},
    "observation that is text": {0: "left"},
    "nan reward": {1: np.nan},
    "infinite reward": {1: -np.inf},
    "reward beyond float32": {1: 1e39},
    "reward that is None": {1: None},
    "reward with a shape": {1: np.zeros(2)},
    "end that is a number": {2: 1},
    "end that is None": {2: None},
    "end that is several": {2: np.zeros(2, bool)},
    "cut that is text": {3: "no"},
    "no legal action": {4: {"action_mask": np.zeros(3, np.int8)}},
    "mask of another shape": {4: {"action_mask": np.ones(4, np.int8)}},
    "too few": (np.zeros(2, np.float32), 0.0),
    "nothing": 0,
}
BROKEN_RESETS = {
    "raises": OSError("no engine"),
    "nan observation": {0: np.full(2, np.nan, np.float32)},
    "another shape": {0: np.zeros((2, 2), np.float32)},
    "no legal action": {1: {"action_mask": np.zeros(3, np.int8)}},
    "too few": (np.zeros(2, np.float32),),
}


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


def games(batch=3):
    return PythonGames("misbehaving:Misbehaving", batch, True)

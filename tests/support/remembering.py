"""A model with memory and a planner with a warm start, over any space; and a game whose actions have parts."""

from dataclasses import dataclass

import numpy as np
import torch
from gymnasium import spaces

from muzero.interfaces import Decision, Planner, Prediction, Transition, WorldModel
from muzero.models.heads import Certain, policy_of


class RememberingModel(WorldModel):
    """Remembers a mixture of all observations and actions of a game.  Its value is a number of that mixture.

    It computes by element, so a row has the same bits in a batch of any size.
    """

    def __init__(self, spec):
        super().__init__()
        self.space, self.size = spec.actions, spec.observation[0]

    def memory(self, batch):
        return {"mixture": torch.zeros(batch, self.size)}

    def encode(self, observation):
        return observation.float()

    def update(self, memory, action, encoded, first, noise=None):
        led = self.space.encode(action)[:, :1]
        before = torch.where(first[:, None], 0.0, 0.5 * memory["mixture"] + 0.3 * led)
        return {"mixture": before + encoded, "other": encoded}

    def imagine(self, latent, action, noise=None):
        still = torch.zeros(len(action))
        return latent, Transition(Certain(still), Certain(still))

    def predict(self, latent):
        mixture = latent["mixture"]
        parameters = mixture[:, :1].expand(-1, self.space.parameters)
        return Prediction(policy_of(self.space, parameters), Certain(mixture[:, 0] + 0.7 * mixture[:, 1]))


@dataclass(frozen=True)
class WarmPlanner(Planner):
    """Carries a level from move to move, which the model's values move, and plays by it."""

    def start(self, batch, space):
        return {"level": np.zeros(batch), "moves": np.zeros((batch, 2), np.int64)}

    def plan(self, model, root, legal, carry, first, rng, explore):
        value = model.predict(root).value.mean.numpy()
        level = np.where(first, 0.0, 0.5 * carry["level"]) + value
        moves = np.where(first[:, None], 0, carry["moves"]) + np.array([1, 2])
        share = (7 * level + 0.1 * moves[:, 0]) % 1
        decision = Decision(model.space.pick(legal, share), np.zeros(legal.shape, np.float32), value)
        return decision, {"level": level, "moves": moves}


class Levers:
    """Two levers with three and two places.  The sum of what they are worth is the reward; seeds decide the length."""

    observation_space = spaces.Box(-2, 2, (3,), np.float32)
    action_space = spaces.MultiDiscrete([3, 2])

    def reset(self, seed=None, options=None):
        self.rng, self.steps = np.random.default_rng(seed), 0
        self.length = int(self.rng.integers(3, 9))
        return self.seen(), {}

    def seen(self):
        return self.rng.uniform(-1, 1, 3).astype(np.float32)

    def step(self, action):
        assert self.action_space.contains(action), action
        self.steps += 1
        return self.seen(), float(action[0] - action[1]), self.steps == self.length, False, {}

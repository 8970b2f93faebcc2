"""A world model that is exactly the game of Nim: an oracle for planners."""

import torch

from muzero.actions import Discrete
from muzero.interfaces import Prediction, Transition, WorldModel
from muzero.models.heads import Categorical, Certain


class NimModel(WorldModel):
    """Take one or two stones; the player who takes the last one wins.  Has no values, counts calls."""

    def __init__(self):
        super().__init__()
        self.space = Discrete(2)
        self.calls = {"observe": 0, "imagine": 0, "predict": 0}

    def memory(self, batch):
        return {}

    def encode(self, observation):
        return observation.long().flatten()

    def update(self, memory, action, encoded, first, noise=None):
        self.calls["observe"] += 1
        return {"stones": encoded}

    def imagine(self, latent, action, noise=None):
        self.calls["imagine"] += 1
        stones = latent["stones"] - action - 1
        over = stones <= 0  # below zero: already over
        reward = (stones == 0).float()
        discount = torch.where(over, 0.0, -1.0)  # -1: the other player moves next
        return {"stones": stones}, Transition(Certain(reward), Certain(discount))

    def predict(self, latent):
        self.calls["predict"] += 1
        batch = len(latent["stones"])
        return Prediction(Categorical(torch.zeros(batch, 2)), Certain(torch.zeros(batch)))

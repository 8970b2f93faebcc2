"""A small world model that remembers, draws by noise, and doubts: what the registered models do not do yet."""

import torch
from torch import nn

from muzero.interfaces import Prediction, Transition, WorldModel
from muzero.models.heads import Certain, policy_of


class Ensemble:
    """The numbers of several members that learn apart."""

    def __init__(self, members):
        self.members = members  # [M, B]
        self.mean, self.epistemic = members.mean(0), members.std(0, correction=1)
        self.aleatoric = torch.zeros_like(self.mean)

    def loss(self, target):
        return 0.5 * (target - self.members).square().mean(0)

    def cumulative(self, target, tie=None):
        at = torch.ones_like(target) if tie is None else tie
        return torch.where(self.members == target, at, (self.members < target).float()).mean(0)


def head(numbers, members):
    """Of numbers [B, members] that a network puts out."""
    return Certain(numbers[:, 0]) if members == 1 else Ensemble(numbers.t())


class UncertainModel(WorldModel):
    """A belief over `codes` classes, one of which each step draws.

    Args:
        spec: of the game, with vectors as observations.
        noise: 1, or 0 for the most probable class always.
        members: of the heads of reward and value.
    """

    def __init__(self, spec, noise=1, members=3, width=8, codes=4):
        super().__init__()
        self.space, self.noise, self.features = spec.actions, noise, 2 * width
        self.width, self.members, self.codes = width, members, codes
        self.encoder = nn.Linear(*spec.observation, width)
        self.action = nn.Linear(spec.actions.width, width)
        self.recall = nn.Linear(2 * width, width)
        self.belief, self.code = nn.Linear(width, codes), nn.Embedding(codes, width)
        self.reward, self.discount = nn.Linear(2 * width, members), nn.Linear(2 * width, 1)
        self.value = nn.Linear(2 * width, members)
        self.policy = nn.Linear(2 * width, spec.actions.parameters)

    @property
    def actor(self):
        return self.policy

    @property
    def critic(self):
        return self.value

    def memory(self, batch):
        return {"state": torch.zeros(batch, self.width), "code": torch.zeros(batch, self.width)}

    def encode(self, observation):
        return self.encoder(observation)

    def update(self, memory, action, encoded, first, noise=None):
        keep = ~first[:, None]
        return self._drawn(torch.tanh(encoded + keep * self._carried(memory, action)), noise)

    def imagine(self, latent, action, noise=None):
        following = self._drawn(torch.tanh(self._carried(latent, action)), noise)
        seen = self.read(following)
        return following, Transition(
            head(self.reward(seen), self.members), Certain(torch.sigmoid(self.discount(seen)[:, 0]))
        )

    def predict(self, latent):
        seen = self.read(latent)
        return Prediction(policy_of(self.space, self.policy(seen)), head(self.value(seen), self.members))

    def _carried(self, latent, action):
        return self.recall(self.read(latent)) + self.action(self.space.encode(action))

    def _drawn(self, state, noise):
        chance = self.belief(state).softmax(-1)
        drawn = None if noise is None else (chance.cumsum(-1) < noise).sum(-1).clamp(max=self.codes - 1)
        code = chance.argmax(-1) if drawn is None else drawn
        return {"state": state, "code": self.code(code)}

"""A network of your own: the latent is a state with gates, as in a GRU.

python examples/own_network.py --game gym/CartPole-v1 --run runs/gated
"""

import sys
from typing import Annotated

import torch
from torch import Tensor, nn

from muzero import build
from muzero.cli.train import train_command
from muzero.config import Range
from muzero.interfaces import GameSpec
from muzero.models.latent import LatentModel


class GatedModel(LatentModel):
    """Gates say which numbers of the latent an action changes; LatentModel adds the heads for all that is predicted.

    Args:
        width: numbers in a latent.
    """

    def __init__(self, spec: GameSpec, *, width: Annotated[int, Range(1, 4096)] = 64) -> None:
        super().__init__(spec, features=width, hidden=64, atoms=51, value_limit=300.0, reward_limit=300.0)
        inputs = torch.Size(spec.observation).numel()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 128), nn.ReLU(), nn.Linear(128, width), nn.Tanh())
        self.gate = nn.Linear(width + spec.actions.width, width)
        self.change = nn.Linear(width + spec.actions.width, width)

    def represent(self, observation: Tensor) -> Tensor:
        """Observation [B, *observation] -> latent [B, width]."""
        return self.encoder(observation)

    def advance(self, state: Tensor, action: Tensor) -> Tensor:
        """The latent that an action [B] leads to."""
        both = torch.cat([state, self.space.encode(action)], 1)
        return torch.lerp(state, torch.tanh(self.change(both)), torch.sigmoid(self.gate(both)))


build.register("model", "gated", GatedModel)  # also for programs that import this one, to load such runs

if __name__ == "__main__":
    sys.exit(train_command([*sys.argv[1:], "--set", "model.kind=gated"]))

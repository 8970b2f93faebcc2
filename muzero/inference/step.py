"""What a search asks of a model: the evaluation of its roots, and of edges."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from muzero.interfaces import Expansion, Latent, WorldModel, confidence_bound

NUMBERS = Expansion._fields[1:]
"""What `WorldModel.expand` computes besides the new latents, in the order of `muzero.search.Evaluation`."""


def evaluate(model: WorldModel, root: Latent, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """The policy's parameters [B, P] and the value [B] of roots.  kappa: [1], as of `WorldModel.expand`."""
    policy, value = model.predict(root)
    return policy.parameters, confidence_bound(value, kappa)


def to_numpy(tensor: Tensor) -> np.ndarray:
    """The tensor as a float32 array on the host."""
    return tensor.float().cpu().numpy()


class Step(nn.Module):
    """`WorldModel.expand`, of a latent whose names are known: a trace cannot ask for them."""

    def __init__(self, model: WorldModel, names: list[str], noise: int) -> None:
        super().__init__()
        self.model, self.names, self.noise = model, names, noise

    def forward(self, latent: Latent, edge: Tensor, noise: Tensor, kappa: Tensor) -> Expansion:
        """See `WorldModel.expand`.  noise: [B, 0] where none is given."""
        known = {name: latent[name] for name in self.names}
        return self.model.expand(known, edge, noise if self.noise else None, kappa)


class Root(nn.Module):
    """`evaluate` of roots."""

    def __init__(self, model: WorldModel, names: list[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, latent: Latent, kappa: Tensor) -> tuple[Tensor, Tensor]:
        """Latents [B, ...] -> parameters [B, P] and value [B]."""
        return evaluate(self.model, {name: latent[name] for name in self.names}, kappa)

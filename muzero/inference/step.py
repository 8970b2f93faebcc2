"""What a search asks of a model, as functions of tensors: the step of a simulation, and the evaluation of a root."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from muzero.interfaces import Latent, WorldModel

NUMBERS = ("reward", "discount", "value", "logits")
"""What `Step` computes for an edge besides the new latents, in the order of `muzero.search.Evaluation`."""
LATENT, NEXT = "latent.", "next."
"""Prefixes of a latent's name: before a step and after it."""


class Step(nn.Module):
    """A simulation: imagine and predict."""

    def __init__(self, model: WorldModel, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, tuple(names)

    def forward(self, latent: Latent, action: Tensor) -> dict[str, Tensor]:
        """Latents and action [B] -> the new latents, and `NUMBERS`, each [B] or [B, A]."""
        latent, transition = self.model.imagine({name: latent[LATENT + name] for name in self.names}, action)
        prediction = self.model.predict(latent)
        found = {"reward": transition.reward.mean, "discount": transition.discount.mean}
        found |= {"value": prediction.value.mean, "logits": prediction.policy.parameters}
        return {NEXT + name: latent[name] for name in self.names} | found


class Root(nn.Module):
    """The evaluation of a root: predict."""

    def __init__(self, model: WorldModel, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, tuple(names)

    def forward(self, latent: Latent) -> dict[str, Tensor]:
        """Latents -> value [B] and logits [B, A]."""
        prediction = self.model.predict({name: latent[LATENT + name] for name in self.names})
        return {"value": prediction.value.mean, "logits": prediction.policy.parameters}


def to_numpy(tensor: Tensor) -> np.ndarray:
    """The tensor as a float32 array on the host."""
    return tensor.float().cpu().numpy()

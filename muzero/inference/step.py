"""What a search asks of a model, as functions of tensors: the step of a simulation, and the judgement of a root."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from muzero.interfaces import Latent, WorldModel

NUMBERS = ("reward", "discount", "value", "logits")
"""What `Step` says of an edge, besides the new latents, in the order of `muzero.search.Evaluation`."""
LATENT, NEXT = "latent.", "next."
"""Prefixes of a latent's name: before a step and after it."""


class Step(nn.Module):
    """Imagine and predict: latents and action [B] -> the new latents, and `NUMBERS` [B] or [B, A]."""

    def __init__(self, model: WorldModel, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, tuple(names)

    def forward(self, latent: Latent, action: Tensor) -> dict[str, Tensor]:
        """As above."""
        latent, transition = self.model.imagine({name: latent[LATENT + name] for name in self.names}, action)
        prediction = self.model.predict(latent)
        found = {"reward": transition.reward.mean, "discount": transition.discount.mean}
        found |= {"value": prediction.value.mean, "logits": prediction.policy.logits}
        return {NEXT + name: latent[name] for name in self.names} | found


class Root(nn.Module):
    """Predict: latents -> value [B] and logits [B, A]."""

    def __init__(self, model: WorldModel, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, tuple(names)

    def forward(self, latent: Latent) -> dict[str, Tensor]:
        """As above."""
        prediction = self.model.predict({name: latent[LATENT + name] for name in self.names})
        return {"value": prediction.value.mean, "logits": prediction.policy.logits}


def to_numpy(tensor: Tensor) -> np.ndarray:
    """A float32 array on the host."""
    return tensor.float().cpu().numpy()

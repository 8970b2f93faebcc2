"""What a search asks of a model besides `WorldModel.expand`: the evaluation of its roots."""

from __future__ import annotations

import numpy as np
from torch import Tensor

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

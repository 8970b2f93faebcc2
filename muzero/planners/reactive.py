"""Acting on the policy alone, without search."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from muzero.inference import to_numpy
from muzero.interfaces import Decision, Latent, WorldModel


@dataclass(frozen=True, kw_only=True)
class ReactivePlanner:
    """Plays by the policy head: samples it when exploring, else takes its most probable legal action."""

    @torch.inference_mode()
    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: np.ndarray,
        carry: Any,
        rng: np.random.Generator,
        explore: bool,
    ) -> tuple[Decision, Any]:
        prediction = model.predict(root)
        logits = np.where(legal, to_numpy(prediction.policy.logits), -np.inf)
        weights = np.exp(logits - logits.max(1, keepdims=True))
        policy = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
        # The Gumbel-max trick: the largest of logits plus Gumbel noise is a sample of their softmax.
        action = (logits + rng.gumbel(size=logits.shape) if explore else logits).argmax(1)
        return Decision(action, policy, to_numpy(prediction.value.mean)), None

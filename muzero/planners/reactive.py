"""Acting on the policy alone, without search."""

from dataclasses import dataclass

import numpy as np
import torch

from muzero.inference import to_numpy
from muzero.interfaces import Carry, Decision, Latent, Planner, WorldModel
from muzero.search.checks import check_rows


@dataclass(frozen=True, kw_only=True)
class ReactivePlanner(Planner):
    """Plays by the policy head: samples it when exploring, else takes its most probable legal action.

    It improves nothing: where actions can be listed its target is the policy itself, else there is none.
    """

    @torch.inference_mode()
    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: np.ndarray,
        carry: Carry,
        first: np.ndarray,
        rng: np.random.Generator,
        explore: bool,
    ) -> tuple[Decision, Carry]:
        prediction = model.predict(root)
        policy, value = prediction.policy, prediction.value.mean
        # As a search does: what is not a number would become an action, silently.
        check_rows(np.isfinite(to_numpy(policy.parameters)), "policy", "holds a number that is not finite")
        check_rows(np.isfinite(to_numpy(value)), "value", "is not finite")
        policy = policy.masked(torch.from_numpy(legal).to(value.device))
        if explore:
            noise = 1 - rng.random((len(legal), policy.noise), np.float32)  # in (0, 1]
            action = policy.sample(torch.from_numpy(noise).to(value.device))
        else:
            action = policy.mode()
        return Decision(action.cpu().numpy(), to_numpy(policy.weights()), to_numpy(value)), carry

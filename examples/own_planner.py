"""A planner of your own: no tree; it imagines how each action turns out if the policy plays on from there.

python examples/own_planner.py --game gym/CartPole-v1 --run runs/rollouts
"""

import sys
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch

from muzero import build
from muzero.cli.train import train_command
from muzero.config import Range
from muzero.interfaces import Carry, Decision, GameSpec, Latent, Planner, WorldModel


@dataclass(frozen=True, kw_only=True)
class RolloutPlanner(Planner):
    """Compares all first actions by one imagined future of each (Tesauro and Galperin 1996, rollouts).

    Args:
        horizon: imagined steps, after which the value head says the rest.
        temperature: of the policy that is learned from the returns; less trusts small differences more.
    """

    horizon: Annotated[int, Range(1, 100)] = 5
    temperature: Annotated[float, Range(1e-3, 1e3)] = 0.1

    @torch.inference_mode()
    def plan(
        self, model: WorldModel, root: Latent, legal: np.ndarray, carry: Carry, first: np.ndarray,
        rng: np.random.Generator, explore: bool,
    ) -> tuple[Decision, Carry]:  # fmt: skip
        batch, actions = legal.shape
        latent = {name: tensor.repeat_interleave(actions, 0) for name, tensor in root.items()}
        action = torch.arange(actions, device=model.predict(root).value.mean.device).repeat(batch)
        total, discount = torch.zeros_like(action, dtype=torch.float32), 1.0
        for _ in range(self.horizon):
            latent, step = model.imagine(latent, action)
            total += discount * step.reward.mean
            discount = discount * step.discount.mean  # 0 where the game is over, negative where the turn passes
            policy, value = model.predict(latent)
            action = policy.mode()
        returns = (total + discount * value.mean).view(batch, actions).cpu().numpy()
        logits = np.where(legal, returns, -np.inf).astype(np.float32) / np.float32(self.temperature)
        weights = np.exp(logits - logits.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        noise = rng.gumbel(size=legal.shape) if explore else 0.0  # draws an action in proportion to its weight
        return Decision((logits + noise).argmax(1), weights, (weights * returns).sum(1)), carry

    def refuses(self, model: WorldModel, spec: GameSpec) -> str | None:
        return None if spec.actions.columns else f"it compares listed actions, and {spec.name} has none"


build.register("planner", "rollout", RolloutPlanner)  # also for programs that import this one, to load such runs

if __name__ == "__main__":
    sys.exit(train_command([*sys.argv[1:], "--set", "planner.kind=rollout"]))

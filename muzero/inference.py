"""A model's simulation step as one call: gather the parents' latents, imagine, predict, keep the new latents."""

import numpy as np
import torch
from torch import Tensor

from muzero.interfaces import Latent, WorldModel


class Simulator:
    """Serves one search: `expand` is the callback that `muzero.search` asks for.

    Latents of all nodes lie in one table per name, [nodes * B, ...], on the model's device: row ``node * B + b``.
    """

    def __init__(self, model: WorldModel, root: Latent, simulations: int) -> None:
        self.model = model
        any_latent = next(iter(root.values()))
        self.device = any_latent.device
        self.batch = len(any_latent)
        self.columns = torch.arange(self.batch, device=self.device)
        self.table = {
            name: tensor.new_empty(((simulations + 1) * self.batch, *tensor.shape[1:])) for name, tensor in root.items()
        }
        for name, tensor in root.items():
            self.table[name][: self.batch] = tensor

    def root(self) -> tuple[np.ndarray, np.ndarray]:
        """Prior logits [B, A] and value [B] of the roots."""
        prediction = self.model.predict({name: rows[: self.batch] for name, rows in self.table.items()})
        return to_numpy(prediction.policy.logits), to_numpy(prediction.value.mean)

    def expand(
        self, parent: np.ndarray, action: np.ndarray, node: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Evaluate action [B] from the states under parent [B], and keep the new states under node [B]."""
        index = torch.from_numpy(np.stack([parent, action, node]).astype(np.int64)).to(self.device)
        source = index[0] * self.batch + self.columns
        latent, transition = self.model.imagine({name: rows[source] for name, rows in self.table.items()}, index[1])
        prediction = self.model.predict(latent)
        target = index[2] * self.batch + self.columns
        for name, tensor in latent.items():
            self.table[name][target] = tensor
        # One transfer for all four, since each would wait for the device on its own.
        numbers = torch.stack([transition.reward.mean, transition.discount.mean, prediction.value.mean], 1)
        packed = to_numpy(torch.cat([numbers, prediction.policy.logits], 1))
        reward, discount, value = np.ascontiguousarray(packed[:, :3].T)
        return reward, discount, value, np.ascontiguousarray(packed[:, 3:])


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """A float32 array on the host."""
    return tensor.float().cpu().numpy()


def observe_first(model: WorldModel, observation: Tensor) -> Latent:
    """The latent of observations [B, ...] that stand alone, as at the beginning of a game."""
    batch = len(observation)
    action = torch.zeros(batch, dtype=torch.int64, device=observation.device)
    return model.observe(model.memory(batch), action, observation, torch.ones_like(action, dtype=torch.bool))

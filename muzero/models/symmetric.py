"""A model that looks at a board in several ways, mirrored and rotated, and averages what it says."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from muzero.interfaces import Latent, Prediction, Symmetries, Transition, WorldModel
from muzero.models.heads import Categorical, Certain


class SymmetricModel(WorldModel):
    """Averages a model's predictions over N images of a board, as AlphaGo Zero does (Silver et al. 2017).

    The images are imagined side by side, so that a latent is [B, N, ...].  Numbers are averaged, and of policies the
    logarithms of probabilities.  With all symmetries of a game, the image of a position has the image of its policy.
    """

    def __init__(self, model: WorldModel, symmetries: Symmetries, count: int) -> None:
        """Wrap a model, which shares its weights.

        Args:
            model: of a game whose actions can be listed.
            symmetries: of the game.  Those of which the image of an action is not known are not used.
            count: images to look at, at most; the board itself is the first.
        """
        super().__init__()
        self.model, self.space, self.noise, self.ranges = model, model.space, model.noise, model.ranges
        chosen = np.flatnonzero(symmetries.known.all(1))[:count]
        self.images = len(chosen)
        self.source: Tensor
        self.moved: Tensor
        self.places: Tensor
        moved = symmetries.action[chosen]
        places = moved + moved.shape[1] * np.arange(len(chosen))[:, None]  # in rows of N * A numbers
        for name, array in ("source", symmetries.source[chosen]), ("moved", moved), ("places", places):
            self.register_buffer(name, torch.from_numpy(array), persistent=False)

    def memory(self, batch: int) -> Latent:
        return self._apart(self.model.memory(batch * self.images))

    def encode(self, observation: Tensor) -> Tensor:
        seen = observation.flatten(1)[:, self.source].flatten(0, 1)
        return self.model.encode(seen.unflatten(1, observation.shape[1:])).unflatten(0, (-1, self.images))

    def update(
        self, memory: Latent, action: Tensor, encoded: Tensor, first: Tensor, noise: Tensor | None = None
    ) -> Latent:
        led, again = self._moves(action), first.repeat_interleave(self.images)
        latent = self.model.update(self._together(memory), led, encoded.flatten(0, 1), again, self._repeated(noise))
        return self._apart(latent)

    def imagine(self, latent: Latent, action: Tensor, noise: Tensor | None = None) -> tuple[Latent, Transition]:
        following, (reward, discount) = self.model.imagine(
            self._together(latent), self._moves(action), self._repeated(noise)
        )
        return self._apart(following), Transition(self._mean(reward.mean), self._mean(discount.mean))

    def predict(self, latent: Latent) -> Prediction:
        policy, value = self.model.predict(self._together(latent))
        logs = policy.parameters.log_softmax(-1).unflatten(0, (-1, self.images)).flatten(1)
        averaged = logs[:, self.places.flatten()].unflatten(1, self.places.shape).mean(1)
        return Prediction(Categorical(averaged), self._mean(value.mean))

    def _moves(self, action: Tensor) -> Tensor:
        """[B * N] the images of actions [B]."""
        return self.moved.t()[action].flatten()

    def _together(self, latent: Latent) -> Latent:
        """[B, N, ...] -> [B * N, ...]."""
        return {name: tensor.flatten(0, 1) for name, tensor in latent.items()}

    def _apart(self, latent: Latent) -> Latent:
        """[B * N, ...] -> [B, N, ...]."""
        return {name: tensor.unflatten(0, (-1, self.images)) for name, tensor in latent.items()}

    def _repeated(self, noise: Tensor | None) -> Tensor | None:
        """Noise [B, noise] for each image of a row."""
        return None if noise is None else noise.repeat_interleave(self.images, 0)

    def _mean(self, numbers: Tensor) -> Certain:
        """The means over the images of numbers [B * N]."""
        return Certain(numbers.unflatten(0, (-1, self.images)).mean(1))


def symmetric(model: WorldModel, symmetries: Symmetries | None, count: int) -> WorldModel:
    """A model that averages over up to `count` images of a board; the model itself where there is one alone."""
    if symmetries is None:
        return model
    averaged = SymmetricModel(model, symmetries, count).to(next(model.parameters()).device)
    return averaged if averaged.images > 1 else model

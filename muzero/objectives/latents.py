"""How far imagined latents are from the latents of what was really observed."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muzero.interfaces import Latent, Window, WorldModel, observe_first

LEAST_VARIANCE = 1e-6  # of a number in a latent; below it, latents are all alike


class Batch(nn.BatchNorm1d):
    """Normalisation by the present batch alone: networks that only learn need no running means."""

    def __init__(self, features: int) -> None:
        super().__init__(features, track_running_stats=False)


def bottleneck(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """A network with one hidden layer, in which the consistency loss compares latents.

    It normalises over the batch, as that of SimSiam: normalised row by row, all projections become alike.
    """
    return nn.Sequential(nn.Linear(inputs, hidden), Batch(hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def flat(latent: Latent) -> Tensor:
    """[B, features], all numbers of a latent."""
    return torch.cat([tensor.flatten(1) for tensor in latent.values()], 1)


def rows(latent: Latent) -> Tensor:
    """[B, features], all numbers of a latent, in the order in which planes lie in memory while a model learns."""
    flattened = (tensor.permute(0, 2, 3, 1) if tensor.ndim == 4 else tensor for tensor in latent.values())
    return torch.cat([tensor.flatten(1) for tensor in flattened], 1)


@torch.no_grad()
def observed(model: WorldModel, window: Window, unroll: int) -> Latent:
    """The latents of the K observations after the first: all rows of the one, then all rows of the other, and so on."""
    return model.seen(observe_first(model, window.observation[:, 1 : unroll + 1].transpose(0, 1).flatten(0, 1)))


def consistency(projector: nn.Module, predictor: nn.Module, imagined: Tensor, seen: Tensor) -> Tensor:
    """[N] 1 - cosine similarity of projected latents (Ye et al. 2021, eq. 2; SimSiam: Chen and He 2021).

    Args:
        projector: projects both.
        predictor: predicts the projection of the observed latent from that of the imagined one.
        imagined: [N, features].
        seen: [N, features], of what was observed; without gradient.
    """
    with torch.no_grad():
        goal = projector(seen)
    guess = predictor(projector(imagined))
    return 1 - F.cosine_similarity(guess.float(), goal.float(), dim=-1)


def unexplained(imagined: Tensor, seen: Tensor, known: Tensor) -> Tensor:
    """[N] squared distances of latents, as shares of the variance of the observed ones over all known positions.

    0 where imagination is exact; 1 on average where it knows no more than the mean of all observed latents.  A model
    whose latents become alike does not lower it, since their variance falls too.

    Args:
        imagined: [N, features].
        seen: [N, features], without gradient.
        known: [N] bool.
    """
    imagined, seen = imagined.float(), seen.float()
    weight = known.float()
    count = weight.sum().clamp(min=2)
    mean = weight @ seen / count
    variance = weight @ (seen - mean).square() / (count - 1)
    squares = F.mse_loss(imagined, seen, reduction="none")
    return squares.mean(-1) / variance.mean().clamp(min=LEAST_VARIANCE)

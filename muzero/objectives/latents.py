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


@torch.no_grad()
def observed(model: WorldModel, window: Window, unroll: int) -> Tensor:
    """[K, B, features] float32: the latents of the K observations after the first."""
    observations = window.observation[:, 1 : unroll + 1].transpose(0, 1).flatten(0, 1)
    return flat(observe_first(model, observations)).float().unflatten(0, (unroll, -1))


def consistency(projector: nn.Module, predictor: nn.Module, imagined: Tensor, seen: Tensor) -> Tensor:
    """[B, K] 1 - cosine similarity of projected latents (Ye et al. 2021, eq. 2; SimSiam: Chen and He 2021).

    Args:
        projector: projects both.
        predictor: predicts the projection of the observed latent from that of the imagined one.
        imagined: [K, B, features].
        seen: [K, B, features], of the model's observations; without gradient.
    """
    with torch.no_grad():
        goal = projector(seen.flatten(0, 1))
    guess = predictor(projector(imagined.flatten(0, 1)))
    return (1 - F.cosine_similarity(guess.float(), goal.float(), dim=-1)).view(imagined.shape[:2]).t()


def unexplained(imagined: Tensor, seen: Tensor, known: Tensor) -> Tensor:
    """[B, K] squared distances of latents, as shares of the variance of the observed ones over all known positions.

    0 where imagination is exact; 1 on average where it knows no more than the mean of all observed latents.  A model
    whose latents become alike does not lower it, since their variance falls too.

    Args:
        imagined: [K, B, features].
        seen: [K, B, features], without gradient.
        known: [B, K] bool.
    """
    weight = known.t().float().unsqueeze(-1)
    count = weight.sum().clamp(min=2)
    mean = (weight * seen).sum((0, 1)) / count
    variance = (weight * (seen - mean).square()).sum((0, 1)) / (count - 1)
    return ((imagined - seen).square().mean(-1) / variance.mean().clamp(min=LEAST_VARIANCE)).t()

"""Training windows of games with symmetries, as they would look on a mirrored or rotated board."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from muzero.interfaces import Symmetries, Window
from muzero.util.tensors import sent


def under_symmetries(window: Window, symmetries: Symmetries, rng: np.random.Generator) -> Window:
    """The window with each row under a symmetry drawn at random.

    A row in which an action occurs of which the image is not known stays as it is.

    Args:
        window: of a planner that weighs all actions, in order.
        symmetries: of the game.
        rng: draws a symmetry for each row.
    """
    drawn = rng.integers(len(symmetries), size=len(window.action))
    if not symmetries.known.all():
        drawn = np.where(applies(torch.from_numpy(symmetries.known[drawn]), window), drawn, 0)
    seen, policy, image = window.observation.flatten(2), window.policy, torch.from_numpy(symmetries.action[drawn])
    source = sent(symmetries.source[drawn], seen.device)
    led = image.gather(1, window.before[:, None])[:, 0]
    return replace(
        window,
        observation=seen.gather(2, source[:, None].expand(seen.shape)).view(window.observation.shape),
        before=torch.where(window.first[:, 0], window.before, led),
        action=image.gather(1, window.action),
        policy=torch.empty_like(policy).scatter_(2, image[:, None].expand(policy.shape), policy),
    )


def applies(known: Tensor, window: Window) -> Tensor:
    """[B] bool, whether a row holds only actions of which the image is known.  known: [B, A] bool."""
    weighed = (known | (window.policy == 0).all(1)).all(1)
    taken = (known.gather(1, window.action) | window.over[:, :-1]).all(1)  # any action will do after the end
    led = known.gather(1, window.before[:, None])[:, 0] | window.first[:, 0]
    return weighed & taken & led

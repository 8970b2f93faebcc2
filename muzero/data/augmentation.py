"""Training windows as they would look a little moved, or a little brighter or darker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from muzero.interfaces import GameSpec, Window
from muzero.util.tensors import sent

FARTHEST = 2.0  # standard deviations of a change of intensity


def refusal(spec: GameSpec, board: bool) -> str | None:
    """Why observations of a game cannot be moved or made brighter, in words; None if they can.

    board: positions are those of a board or a puzzle.
    """
    if board or spec.two_player:
        return "a board that is moved or made brighter is another position"
    if len(spec.observation) != 3:
        return f"observations are not planes, but of shape {spec.observation}"
    return None


def augmented(window: Window, shift: int, intensity: float, rng: np.random.Generator) -> Window:
    """The window with each row moved and made brighter or darker, all its positions alike (Yarats et al. 2021).

    A model learns from it what does not depend on exact pixels.  Observations stay where they are and of their type;
    the host does not wait for them.

    Args:
        window: observations [B, C + O, planes, height, width].
        shift: most pixels that a row is moved, vertically and horizontally; the border is repeated where it was.
        intensity: standard deviation of the factor of a row, see `scaled`.
        rng: draws what happens to each row; nothing where both are 0.
    """
    seen, batch = window.observation, len(window.action)
    if shift:
        seen = moved(seen, sent(rng.integers(-shift, shift + 1, (2, batch)), seen.device))
    if intensity:
        drawn = rng.standard_normal(batch, np.float32).clip(-FARTHEST, FARTHEST)
        seen = scaled(seen, sent(1 + np.float32(intensity) * drawn, seen.device))
    return window if seen is window.observation else replace(window, observation=seen)


def moved(seen: Tensor, shift: Tensor) -> Tensor:
    """Observations [B, N, planes, H, W] of which number (y, x) is number (y + shift[0], x + shift[1]) of those given.

    shift: [2, B] int64; numbers beyond the border are those at the border.
    """
    height, width = seen.shape[-2:]
    y, x = (
        (torch.arange(side, device=seen.device) + by[:, None]).clamp(0, side - 1)
        for side, by in zip((height, width), shift, strict=True)
    )
    source = (y[:, :, None] * width + x[:, None, :]).flatten(1)
    planes = seen.flatten(1, 2).flatten(2)
    return planes.gather(2, source[:, None].expand(planes.shape)).view(seen.shape)


def scaled(seen: Tensor, factor: Tensor) -> Tensor:
    """Observations [B, ...] times a factor [B]; whole numbers are rounded, and at most 255."""
    changed = seen * factor.view(-1, *(1 for _ in seen.shape[1:]))
    return changed if seen.is_floating_point() else changed.round_().clamp_(0, 255).to(seen.dtype)

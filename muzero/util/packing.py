"""Tensors side by side in one buffer of bytes, so that they travel to and from a device as one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def packed(
    batch: int, kinds: Mapping[str, tuple[str, tuple[int, ...]]], **placed: Any
) -> tuple[Tensor, dict[str, Tensor]]:
    """Tensors [batch, *shape] of zeros that lie one after the other in a buffer of bytes.

    Args:
        batch: rows of each.
        kinds: type and shape of each; the wider types first.
        placed: where the buffer lies, as for `torch.zeros`.
    """
    types = [getattr(torch, dtype) for dtype, _ in kinds.values()]
    shapes = [(batch, *shape) for _, shape in kinds.values()]
    sizes = [math.prod(shape) * dtype.itemsize for dtype, shape in zip(types, shapes, strict=True)]
    buffer = torch.zeros(sum(sizes), dtype=torch.uint8, **placed)
    pieces = zip(kinds, buffer.split(sizes), types, shapes, strict=True)
    return buffer, {name: piece.view(dtype).view(shape) for name, piece, dtype, shape in pieces}

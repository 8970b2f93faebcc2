"""The type of number in which a model learns."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from muzero.util.bfloat16 import device_has_bfloat16, has_convolutions

Precision = Literal["auto", "float32", "bfloat16"]


def learns_in_bfloat16(precision: Precision, model: nn.Module, device: torch.device) -> bool:
    """Whether an update computes convolutions and matrix products in bfloat16; weights and losses stay float32.

    "auto" says yes for models with convolutions, where the device has instructions for it.  Small matrix products are
    slower in bfloat16: more time goes into conversions than is saved.
    """
    if precision != "auto":
        return precision == "bfloat16"
    return has_convolutions(model) and device_has_bfloat16(device)

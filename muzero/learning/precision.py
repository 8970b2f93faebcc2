"""The type of number in which a model learns."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

Precision = Literal["auto", "float32", "bfloat16"]


def learns_in_bfloat16(precision: Precision, model: nn.Module, device: torch.device) -> bool:
    """Whether an update computes convolutions and matrix products in bfloat16; weights and losses stay float32.

    "auto" says yes for models with convolutions, where the device has instructions for it.  Small matrix products are
    slower in bfloat16: more time goes into conversions than is saved.
    """
    if precision != "auto":
        return precision == "bfloat16"
    return has_convolutions(model) and device_has_bfloat16(device)


def has_convolutions(model: nn.Module) -> bool:
    """Whether a model has convolutions over planes."""
    return any(isinstance(module, nn.Conv2d) for module in model.modules())


def device_has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies numbers in bfloat16 by instructions of its own."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()

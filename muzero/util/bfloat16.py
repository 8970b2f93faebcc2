"""Where numbers of sixteen bits (bfloat16) save time."""

import torch
from torch import nn


def has_convolutions(model: nn.Module) -> bool:
    """Whether a model has convolutions over planes."""
    return any(isinstance(module, nn.Conv2d) for module in model.modules())


def device_has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies numbers in bfloat16 by instructions of its own."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()

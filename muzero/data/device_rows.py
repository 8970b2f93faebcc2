"""A column of stored rows on the learner's device, so that a batch need not travel there."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from muzero.util.tensors import sent


class DeviceRows:
    """Rows that are read and written by their places, as those of an array are; what is read stays on the device."""

    def __init__(self, capacity: int, shape: tuple[int, ...], dtype: str, device: torch.device) -> None:
        """Reserve the memory, on the device."""
        self.tensor = torch.zeros((capacity, *shape), dtype=getattr(torch, dtype), device=device)

    def __getitem__(self, places: np.ndarray) -> Tensor:
        """Copies of the rows at these places [...]: [..., *shape]."""
        return self.tensor[sent(places, self.tensor.device)]

    def __setitem__(self, places: np.ndarray, rows: np.ndarray) -> None:
        """Write rows [N, *shape] at different places [N]."""
        device = self.tensor.device
        self.tensor.index_copy_(0, sent(places, device), sent(rows, device))

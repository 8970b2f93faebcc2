"""A column of stored rows on the learner's device, so that a batch need not travel there."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class DeviceRows:
    """Rows that are read and written by their places, as those of an array are; what is read stays on the device."""

    def __init__(self, capacity: int, shape: tuple[int, ...], dtype: str, device: torch.device) -> None:
        """Reserve the memory, on the device."""
        self.tensor = torch.zeros((capacity, *shape), dtype=getattr(torch, dtype), device=device)

    def __getitem__(self, places: np.ndarray) -> Tensor:
        """Copies of the rows at these places [...]: [..., *shape]."""
        return self.tensor[self._sent(places)]

    def __setitem__(self, places: np.ndarray, rows: np.ndarray) -> None:
        """Write rows [N, *shape] at different places [N]."""
        self.tensor.index_copy_(0, self._sent(places), self._sent(rows))

    def _sent(self, array: np.ndarray) -> Tensor:
        """An array on the device; the host does not wait until it is there."""
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self.tensor.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.tensor.device, non_blocking=True)

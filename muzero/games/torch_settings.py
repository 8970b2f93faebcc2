"""PyTorch's process-wide settings: an environment keeps those that it makes, and the package keeps its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch


class TorchSettings(NamedTuple):
    """The settings that decide how tensors are made, and whether gradients are recorded."""

    dtype: torch.dtype
    device: torch.device
    gradients: bool

    @classmethod
    def now(cls) -> TorchSettings:
        """Those in force."""
        made = torch.empty(0)  # torch.get_default_device() takes ten times as long
        return cls(made.dtype, made.device, torch.is_grad_enabled())

    def apply(self) -> None:
        """Put them in force."""
        torch.set_default_dtype(self.dtype)
        torch.set_default_device(None if self.device == torch.device("cpu") else self.device)
        torch.set_grad_enabled(self.gradients)


_of_environments: TorchSettings | None = None  # None while they are those of the package


@contextmanager
def environments_own() -> Iterator[None]:
    """Call code of environments: it finds the settings that it made before, and what it changes ends with the call."""
    global _of_environments
    ours = TorchSettings.now()
    if _of_environments is not None:
        _of_environments.apply()
    try:
        yield
    finally:
        found = TorchSettings.now()
        _of_environments = None if found == ours else found
        if found != ours:
            ours.apply()

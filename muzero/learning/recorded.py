"""A batch whose tensors stay where they are, as what a GPU replays needs it."""

from __future__ import annotations

from dataclasses import replace

import torch

from muzero.interfaces import Window
from muzero.util.fixed_tensors import FixedTensors


class FixedWindow:
    """A window of `FixedTensors`."""

    def __init__(self, example: Window, device: torch.device) -> None:
        """Make tensors of the shapes and types of a window's.  device: where they lie."""
        self.fixed = FixedTensors(example.tensors(), device)
        self.window = replace(example, **self.fixed.tensors)

    def fits(self, window: Window) -> bool:
        """Whether a window has the shapes and types of the example."""
        return self.fixed.fits(window.tensors())

    def put(self, window: Window) -> None:
        """Take over the numbers of a window that fits."""
        self.fixed.put(window.tensors())

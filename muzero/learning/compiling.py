"""Compiles the regions of a model while an update is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch.utils._triton import has_triton

from muzero.interfaces import WorldModel
from muzero.util.bfloat16 import has_convolutions

Compile = Literal["auto", "off"]


def compiles(wanted: Compile, model: WorldModel, device: torch.device) -> bool:
    """Whether to compile: "auto" does for models with convolutions on a GPU, where torch's compiler works."""
    return wanted == "auto" and device.type == "cuda" and has_convolutions(model) and has_triton()


@contextmanager
def compiled(*models: WorldModel) -> Iterator[None]:
    """Models whose regions are compiled when they are first called; afterwards they are as before.

    Each region becomes a few operations in place of many.  They are compiled one by one, not the whole update, because
    the steps of an unrolled model share them: that takes seconds in place of minutes.
    """
    try:
        for model in models:
            for name in model.regions:
                setattr(model, name, torch.compile(getattr(model, name), dynamic=False))
        yield
    finally:
        for model in models:
            for name in model.regions:
                vars(model).pop(name, None)

"""Tensors by name: copied where they lie, and as arrays for other processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor


@torch.no_grad()
def copy_all(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """Copy tensors into others, which stay where they are: on a GPU few operations, and no wait."""
    pairs = defaultdict(list)  # by types of numbers: one operation copies those of the same types
    for target, source in zip(targets, sources, strict=True):
        pairs[target.dtype, source.dtype].append((target, source))
    for alike in pairs.values():
        torch._foreach_copy_(*zip(*alike, strict=True), non_blocking=True)  # type: ignore[attr-defined]


def copy_into(targets: Mapping[str, Tensor], sources: Mapping[str, Tensor]) -> None:
    """Copy tensors into those of the same names; see `copy_all`.

    Raises:
        KeyError: if names differ.
    """
    if targets.keys() != sources.keys():
        raise KeyError(f"other names: {', '.join(sorted(targets.keys() ^ sources.keys()))}")
    copy_all(list(targets.values()), [sources[name] for name in targets])


def as_tensor(found: np.ndarray | Tensor) -> Tensor:
    """An array as a tensor that has a copy of its numbers; a tensor as it is."""
    return found if isinstance(found, Tensor) else torch.tensor(found)


def copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors, where those lie."""
    found = {name: torch.empty_like(tensor, requires_grad=False) for name, tensor in tensors.items()}
    copy_into(found, tensors)
    return found


def sent(array: np.ndarray, device: torch.device) -> Tensor:
    """An array on a device; the host does not wait until it is there."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def on_host(tensors: Mapping[str, np.ndarray] | Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Tensors as arrays on the host, each in one piece; what is an array already stays as it is."""
    return {
        name: tensor.detach().cpu().contiguous().numpy() if isinstance(tensor, Tensor) else tensor
        for name, tensor in tensors.items()
    }

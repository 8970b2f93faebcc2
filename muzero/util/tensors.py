"""Tensors by name: copied where they lie, and as arrays for other processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


@torch.no_grad()
def copy_into(targets: Mapping[str, Tensor], sources: Mapping[str, Tensor]) -> None:
    """Copy tensors into those of the same names, which stay where they are: on a GPU few operations, and no wait.

    Raises:
        KeyError: if names differ.
    """
    if targets.keys() != sources.keys():
        raise KeyError(f"other names: {', '.join(sorted(targets.keys() ^ sources.keys()))}")
    names = defaultdict(list)  # by type of number: one operation copies tensors of one type
    for name, tensor in targets.items():
        names[tensor.dtype].append(name)
    for of_type in names.values():
        torch._foreach_copy_(  # type: ignore[attr-defined]
            [targets[name] for name in of_type], [sources[name] for name in of_type], non_blocking=True
        )


def as_tensor(found: np.ndarray | Tensor) -> Tensor:
    """An array as a tensor that has a copy of its numbers; a tensor as it is."""
    return found if isinstance(found, Tensor) else torch.tensor(found)


def copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors, where those lie."""
    found = {name: torch.empty_like(tensor, requires_grad=False) for name, tensor in tensors.items()}
    copy_into(found, tensors)
    return found


def on_host(tensors: Mapping[str, np.ndarray] | Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Tensors as arrays on the host, each in one piece; what is an array already stays as it is."""
    return {
        name: tensor.detach().cpu().contiguous().numpy() if isinstance(tensor, Tensor) else tensor
        for name, tensor in tensors.items()
    }

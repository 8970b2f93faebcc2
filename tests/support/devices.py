"""Tests that run on the CPU and, marked `gpu`, on a GPU."""

from contextlib import contextmanager

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from muzero.benchmarks.gpu_learning import full_precision as full_precision

DEVICES = [torch.device("cpu"), pytest.param(torch.device("cuda"), marks=pytest.mark.gpu)]
on_all_devices = pytest.mark.parametrize("device", DEVICES, ids=str)


class Unread(TorchDispatchMode):
    """Refuses to let the host read a number of a tensor."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func is not torch.ops.aten._local_scalar_dense.default, "the host reads a tensor"
        return func(*args, **(kwargs or {}))


@contextmanager
def never_waiting(device):
    """Refuses that the host reads a number of a tensor, and on a GPU any call of torch that waits for it."""
    if device.type == "cpu":
        with Unread():
            yield
        return
    torch.cuda.synchronize(device)
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)

"""Weights on their way to other processes."""

import numpy as np
import torch

from muzero.util.tensors import on_host


def test_arrays_on_the_host_have_the_shapes_of_tensors_and_lie_in_one_piece():
    planes = torch.arange(24.0).view(1, 2, 3, 4).to(memory_format=torch.channels_last)
    count = torch.tensor(3)  # as of batch norms
    found = on_host({"planes": planes, "count": count})
    assert found["planes"].flags["C_CONTIGUOUS"] and np.array_equal(found["planes"], planes.numpy())
    assert found["count"].shape == () and found["count"] == 3

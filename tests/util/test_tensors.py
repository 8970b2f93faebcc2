"""Tensors by name: copied in place on every device, and sent to other processes as arrays."""

import numpy as np
import pytest
import torch
from devices import never_waiting, on_all_devices

from muzero.util.tensors import as_tensor, copies, copy_into, on_host


def some(device, seed=0):
    """Tensors of several types and layouts."""
    torch.manual_seed(seed)
    found = {
        "vector": torch.randn(3),
        "planes": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "count": torch.tensor(seed + 5),
        "half": torch.randn(4).bfloat16(),
        "empty": torch.empty(0),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
    }
    return {name: tensor.detach().to(device) for name, tensor in found.items()}


@on_all_devices
def test_tensors_are_copied_where_they_are_without_waiting(device):
    targets, sources = some(device), some(device, 1)
    targets["planes"] = targets["planes"].contiguous()
    places = {name: tensor.data_ptr() for name, tensor in targets.items()}
    with never_waiting(device):
        copy_into(targets, sources)
    assert places == {name: tensor.data_ptr() for name, tensor in targets.items()}
    assert all(torch.equal(targets[name], sources[name]) for name in sources)


@on_all_devices
def test_copies_lie_as_the_originals_and_do_not_change_with_them(device):
    tensors = some(device)
    with never_waiting(device):
        found = copies(tensors)
    assert {name: each.stride() for name, each in found.items()} == {
        name: each.stride() for name, each in tensors.items()
    }
    for tensor in tensors.values():
        tensor.zero_()
    assert all(torch.equal(found[name], expected) for name, expected in some(device).items())


def test_other_names_are_refused_and_nothing_is_copied():
    targets = {"one": torch.zeros(1), "two": torch.zeros(1)}
    with pytest.raises(KeyError, match=r"other names: three, two"):
        copy_into(targets, {"one": torch.ones(1), "three": torch.ones(1)})
    assert not targets["one"].any()


@on_all_devices
def test_arrays_for_other_processes_are_in_one_piece(device):
    tensors = {name: tensor for name, tensor in some(device).items() if name != "half"}
    found = on_host(tensors)
    assert all(array.flags.c_contiguous for array in found.values())
    assert on_host(found)["planes"] is found["planes"]
    for name, array in found.items():
        np.testing.assert_array_equal(array, tensors[name].cpu().numpy())
        assert torch.equal(as_tensor(array), tensors[name].cpu())
    assert as_tensor(tensors["planes"]) is tensors["planes"]

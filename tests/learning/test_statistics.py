"""What a forward pass writes is undone after a bad batch, by few operations and bit for bit."""

import math

import pytest
import torch
from devices import never_waiting, on_all_devices
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from muzero.learning.statistics import Statistics

VIEWS = ("view", "split", "detach", "alias", "_unsafe_view")


class Operations(TorchDispatchMode):
    """Lists the operations that compute something."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        self.names += [] if name.startswith(VIEWS) else [name]
        return func(*args, **(kwargs or {}))


class Network(nn.Module):
    """Norms of different sizes, numbers that never change, and a count of its own."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm1d(size) for size in (3, 1, 7, 3))
        self.register_buffer("atoms", torch.linspace(-1, 1, 11), persistent=False)
        self.register_buffer("seen", torch.zeros((), dtype=torch.float64))
        self.register_buffer("table", torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last))

    def forward(self, x):
        self.seen += len(x)
        self.table += x[0, 0]
        return sum(norm(x[:, : norm.num_features]).sum() for norm in self.norms)


def numbers(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@on_all_devices
@pytest.mark.parametrize("good", [True, False])
def test_numbers_are_taken_back_unless_the_batch_was_good(good, device):
    torch.manual_seed(0)
    network = Network().to(device)
    batches = [torch.randn(5, 7, device=device) for _ in range(2)]
    network(batches[0])
    statistics, before = Statistics(network), numbers(network)
    flag = torch.tensor(good, device=device)
    with never_waiting(device):
        kept = statistics.copies()
        network(batches[1] if good else batches[1] * math.nan)
        after = numbers(network)
        statistics.take_back(kept, flag)
    found, wanted = numbers(network), after if good else before
    assert any(not torch.equal(after[name], before[name]) for name in before)
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name


def test_it_takes_four_operations_for_each_type_of_numbers_and_no_constants():
    network = Network()
    statistics = Statistics(network, nn.BatchNorm2d(6))
    assert not any(tensor is network.atoms for tensor in statistics.tensors)
    assert len(statistics.tensors) == 4 * 3 + 2 + 3
    assert len(statistics.groups) == 3
    with Operations() as counted:
        statistics.take_back(statistics.copies(), torch.tensor(True))
    computing = [name for name in counted.names if name in ("cat", "where", "_foreach_copy_")]
    assert sorted(computing) == sorted(["cat", "cat", "where", "_foreach_copy_"] * 3)
    # The flag, and a tensor whose numbers do not lie in their order.
    assert len(counted.names) - len(computing) <= 4, counted.names


def test_modules_without_statistics_have_nothing_to_take_back():
    statistics = Statistics(nn.Linear(2, 2), nn.BatchNorm1d(3, track_running_stats=False))
    statistics.take_back(statistics.copies(), torch.tensor(False))
    assert statistics.tensors == []

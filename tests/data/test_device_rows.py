"""Observations on the learner's device: the same windows and positions as in a replay on the host."""

import numpy as np
import pytest
import torch
from segments import NUMBERED as SPEC
from segments import numbered as segment

from muzero.data.device_rows import DeviceRows
from muzero.data.replay import Replay
from muzero.interfaces import WindowSize

DEVICES = [torch.device("cpu"), pytest.param(torch.device("cuda"), marks=pytest.mark.gpu)]


def on_device(replay, device):
    """The replay, whose observations lie on a device."""
    replay.rows["observation"] = DeviceRows(replay.capacity, SPEC.observation, SPEC.dtype, device)
    return replay


def filled(replay):
    """Games of three lengths, in more rows than the replay has."""
    for game in range(12):
        replay.add(segment(1000 * game, 7 + game % 3, game=game))
        replay.add(segment(1000 * game + 7 + game % 3, 5, game=game, sequence=1, over=True))
    return replay


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_a_replay_gives_the_same_windows_wherever_observations_lie(device):
    host, other = Replay(SPEC, 3, capacity=100), on_device(Replay(SPEC, 3, capacity=100), device)
    filled(host), filled(other)
    assert host.written > host.capacity
    for _ in range(20):
        (left, window), (right, twin) = (replay.sample(32, WindowSize(4, 3, 1)) for replay in (host, other))
        assert np.array_equal(left, right)
        assert twin.observation.device.type == device.type
        for name, tensor in window.tensors().items():
            assert torch.equal(tensor, getattr(twin, name).cpu()), name


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_positions_to_plan_again_lie_there_and_go_to_another_process_as_arrays(device):
    host, other = filled(Replay(SPEC, 3, capacity=100)), filled(on_device(Replay(SPEC, 3, capacity=100), device))
    expected, found = host.positions(40), other.positions(40)
    assert isinstance(found.observation, torch.Tensor) and found.observation.device.type == device.type
    sent = found.on_host()
    assert (
        np.array_equal(sent.observation, expected.observation) and sent.observation.dtype == expected.observation.dtype
    )
    assert np.array_equal(sent.numbers, expected.numbers)
    assert expected.on_host() is expected


@pytest.mark.gpu
def test_a_replay_for_a_gpu_keeps_observations_there():
    replay = filled(Replay(SPEC, 0, 0, lambda: None, torch.device("cuda"), capacity=100))
    assert replay.sample(8, WindowSize(2, 2))[1].observation.is_cuda

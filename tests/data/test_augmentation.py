"""Moved and brighter windows: against torch's padding and the formula, and drawn by the generator of the replay."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from devices import never_waiting, on_all_devices
from segments import IMAGE, changed, some

from muzero.build import configure
from muzero.config import ConfigError, parse_settings
from muzero.data.augmentation import augmented, moved, scaled
from muzero.data.device_rows import DeviceRows
from muzero.data.replay import Replay
from muzero.interfaces import WindowSize

SIZE = WindowSize(4, 3, 1)


def segments():
    """Games of frames of random numbers."""
    rng = np.random.default_rng(0)
    return [
        changed(segment, observation=rng.integers(0, 256, segment.columns["observation"].shape, np.uint8))
        for segment in some(IMAGE, 30)
    ]


def filled(device=None, **settings):
    replay = Replay(IMAGE, 3, capacity=200, **settings)
    if device is not None:
        replay.rows["observation"] = DeviceRows(replay.capacity, IMAGE.observation, IMAGE.dtype, device)
    for segment in segments():
        replay.add(segment)
    assert replay.written > replay.capacity
    return replay


@on_all_devices
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_observations_are_moved_as_by_padding_with_the_border_and_cropping(dtype, device):
    torch.manual_seed(0)
    height, width, pad = 9, 14, 5
    seen = torch.randint(0, 256, (40, 3, 2, height, width)).to(device, dtype)
    shift = torch.randint(-pad, pad + 1, (2, 40), device=device)
    found = moved(seen, shift)
    assert found.dtype == dtype and found.device == seen.device
    padded = F.pad(seen.flatten(1, 2).float(), (pad,) * 4, mode="replicate").view(40, 3, 2, height + 10, width + 10)
    for row in range(40):
        y, x = (pad + shift[:, row]).tolist()
        assert torch.equal(found[row].float(), padded[row, ..., y : y + height, x : x + width])


def test_a_shift_beyond_the_border_shows_the_border_alone():
    seen = torch.arange(12.0).view(1, 1, 1, 3, 4)
    assert (moved(seen, torch.tensor([[100], [-100]])) == 8).all()


def test_whole_numbers_are_scaled_rounded_and_kept_in_range_and_others_scaled():
    seen = torch.arange(256, dtype=torch.uint8).view(1, 1, 1, 16, 16).expand(3, 1, 1, 16, 16)
    factor = torch.tensor([0.5, 1.0, 1.25])
    wanted = [[min(255, round(number * by)) for number in range(256)] for by in factor.tolist()]
    assert scaled(seen, factor).flatten(1).tolist() == wanted and scaled(seen, factor).dtype == torch.uint8
    assert torch.equal(scaled(seen.float() / 255, factor), seen.float() / 255 * factor.view(3, 1, 1, 1, 1))


@on_all_devices
@pytest.mark.parametrize(("shift", "intensity"), [(3, 0.0), (0, 0.1), (3, 0.1)])
def test_each_row_is_changed_as_the_generator_draws_and_nothing_else_changes(shift, intensity, device):
    plain, shown = filled(), filled(device, shift=shift, intensity=intensity)
    for _ in range(5):
        shown.rng.bit_generator.state = plain.rng.bit_generator.state  # the same rows
        (numbers, before), (same, after) = (replay.sample(32, SIZE) for replay in (plain, shown))
        assert np.array_equal(numbers, same) and not after.known.all()
        twin = np.random.default_rng()
        twin.bit_generator.state = plain.rng.bit_generator.state
        wanted = before.observation
        if shift:
            wanted = moved(wanted, torch.from_numpy(twin.integers(-shift, shift + 1, (2, 32))))
        if intensity:
            normal = torch.from_numpy(twin.standard_normal(32, np.float32)).clamp(-2, 2)  # Ye et al. 2021
            wanted = scaled(wanted, 1 + intensity * normal)
        assert twin.bit_generator.state == shown.rng.bit_generator.state
        assert after.observation.device.type == device.type and after.observation.dtype == torch.uint8
        assert torch.equal(after.observation.cpu(), wanted) and not torch.equal(wanted, before.observation)
        for name, field in before.tensors().items():
            assert name == "observation" or torch.equal(field, after.tensors()[name]), name


@on_all_devices
def test_the_host_waits_for_nothing(device):
    window, rng = filled(device).sample(16, SIZE)[1], np.random.default_rng(0)
    for _ in range(2):
        with never_waiting(device):
            shown = augmented(window, 4, 0.05, rng)
    assert shown.observation.device.type == device.type


def test_a_restored_replay_draws_the_same_shifts_and_factors():
    replay = filled(shift=4, intensity=0.05)
    replay.sample(16, SIZE)
    arrays, values = replay.state()
    twin = Replay(IMAGE, 99, capacity=200, shift=4, intensity=0.05)
    twin.restore(arrays, values, list(enumerate(segments()))[-len(replay.marks) :])
    for _ in range(3):
        (numbers, one), (same, other) = (each.sample(16, SIZE) for each in (replay, twin))
        assert np.array_equal(numbers, same)
        assert all(torch.equal(field, other.tensors()[name]) for name, field in one.tensors().items())


def test_without_the_settings_nothing_is_drawn():
    replay, drawing = filled(), np.random.default_rng()
    drawing.bit_generator.state = replay.rng.bit_generator.state
    replay.sample(16, SIZE)
    drawing.random(16)  # the rows
    IMAGE.actions.draw_any((16, SIZE.context + SIZE.steps), drawing)
    assert replay.rng.bit_generator.state == drawing.bit_generator.state


@pytest.mark.parametrize(
    ("game", "reason"),
    [
        ("board/tic_tac_toe", "a board that is moved or made brighter is another position"),
        ("gym/CartPole-v1", r"observations are not planes, but of shape \(4,\)"),
    ],
)
@pytest.mark.parametrize("setting", ["shift=4", "intensity=0.05"])
def test_boards_and_vectors_are_refused_with_the_remedy(game, reason, setting):
    key, value = setting.split("=")
    with pytest.raises(ConfigError) as refused:
        configure(game, [parse_settings([f"replay.{setting}"])])
    (problem,) = refused.value.problems
    assert f"[replay] {key} = {value} (from --set)" in problem and problem.endswith(f"; set replay.{key} = 0")


def test_frames_and_planes_of_games_of_one_player_may_be_moved():
    config = configure("minatar/breakout", [parse_settings(["replay.shift=1", "replay.intensity=0.05"])])
    assert config.table("replay")["shift"] == 1


def test_frames_are_not_moved_out_of_themselves():
    with pytest.raises(ConfigError, match=r"\[replay\] shift = 10 \(from --set\); expected less than 10, the shorter"):
        configure("minatar/breakout", [parse_settings(["replay.shift=10"])])
    assert configure("minatar/breakout", [parse_settings(["replay.shift=9"])]).table("replay")["shift"] == 9

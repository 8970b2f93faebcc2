"""An update on every device: nothing waits for it, and recorded it equals one that is computed step by step."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from devices import full_precision, never_waiting, on_all_devices
from small_learning import (
    numbers,
    recording_learner,
    same,
    small_learner,
    small_replay,
    windows,
    without_numbers,
)

from muzero.actions import Discrete
from muzero.data.replay import Replay
from muzero.data.schema import Segment, SegmentId, columns
from muzero.interfaces import GameSpec
from muzero.learning.learner import Learner
from muzero.models.spatial import SpatialModel
from muzero.objectives.value_equivalence import ValueEquivalence
from muzero.training.updates import Updates

IMAGE = GameSpec("image", (2, 12, 12), "uint8", Discrete(3), (0.0, 0.99))
SETTINGS = [{"optimizer": "sgd"}, {"optimizer": "adamw", "average": 0.9, "target_rate": 0.5}]
BAD = (0, 9)  # numbers of updates whose batch is without numbers; the first is also the first that is recorded


@pytest.fixture(autouse=True)
def precise():
    """Convolutions of an exactness that can be compared."""
    with full_precision():
        yield


@pytest.fixture
def rates_of_32_bits(monkeypatch):
    """Learning rates as a recording reads them."""
    rate = Learner.rate
    monkeypatch.setattr(Learner, "rate", lambda self, progress: float(np.float32(rate(self, progress))))


def placed(window, device):
    """A batch as a replay gives it for a learner on this device: observations lie there."""
    return replace(window, observation=window.observation.to(device))


def agree(found, expected, device, tolerance=1e-3):
    """Check numbers: bit for bit on the CPU; a GPU may add in another order."""
    tolerance = 0 if device.type == "cpu" else tolerance
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True)


@on_all_devices
@pytest.mark.parametrize("recorded", [False, True], ids=["eager", "recorded"])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_nothing_waits_for_what_an_update_computes(monkeypatch, device, recorded, settings):
    made = recording_learner if recorded else small_learner
    learner = made(device=device, target_every=2, **(settings if recorded else settings | {"record": False}))
    window = placed(windows(1)[0], device)
    if device.type == "cuda":  # an eager update waits for what it is sent from memory that can be paged out
        window = window if recorded else window.to(device)
    learner.update(window, 0.0)
    monkeypatch.setattr(torch.Tensor, "numpy", None)
    monkeypatch.setattr(torch.Tensor, "tolist", None)
    with never_waiting(device):
        for _ in range(4):
            learner.update(window, 0.0)
        learner.update(without_numbers(window), 0.0)
        with pytest.raises((AssertionError, RuntimeError), match=r"the host reads|synchronizing CUDA operation"):
            bool(window.observation.sum() == 0)


@on_all_devices
@pytest.mark.usefixtures("rates_of_32_bits")
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_recorded_updates_equal_eager_ones_with_bad_batches_in_between(device, settings):
    settings = settings | {"target_every": 3}
    eager, recorded = (made(7, device, **settings, record=record) for made, record in MAKERS)
    for number, window in enumerate(windows(20)):
        window, before = placed(window, device), [numbers(eager), numbers(recorded)]
        window = without_numbers(window) if number in BAD else window
        update, twin = (learner.update(window, number / 20) for learner in (eager, recorded))
        assert bool(twin.finite) == (number not in BAD)
        agree(twin.numbers, update.numbers, device)
        if number in BAD:
            for learner, earlier in zip((eager, recorded), before, strict=True):
                found = numbers(learner)
                same({name: found[name] for name in earlier}, earlier)  # AdamW begins its state with the first update
    assert recorded.recorded.prepared and (recorded.recorded.graph is None) == (device.type == "cpu")
    if settings["optimizer"] == "sgd":  # AdamW makes a whole step even of a gradient that is only rounding
        for name, tensor in numbers(recorded).items():
            agree(tensor, numbers(eager)[name], device)


MAKERS = ((small_learner, False), (recording_learner, True))


@on_all_devices
def test_a_batch_of_another_size_is_recorded_too(device):
    eager, recorded = (made(7, device, optimizer="sgd", record=record) for made, record in MAKERS)
    for size in (16, 8, 8, 16):
        (window,) = windows(1, size)
        update, twin = (learner.update(window, 0.0) for learner in (eager, recorded))
        agree(twin.numbers, update.numbers, device)


@pytest.mark.parametrize(
    ("compiles", "remedy"),
    [
        (False, "use --set learner.record=false"),
        (True, "use --set learner.compile=off, and if that does not help --set learner.record=false"),
    ],
)
def test_an_update_that_cannot_be_recorded_names_the_nearest_remedy(monkeypatch, compiles, remedy):
    learner = recording_learner()
    learner.compiles, learner.model.regions, learner.target.regions = compiles, (), ()

    def fail(*generators):
        raise RuntimeError("no C compiler")

    monkeypatch.setattr(learner.recorded, "prepare", fail)
    with pytest.raises(RuntimeError) as caught:
        learner.update(windows(1)[0], 0.0)
    assert str(caught.value).endswith(f"no C compiler; {remedy}")


@on_all_devices
@pytest.mark.usefixtures("rates_of_32_bits")
def test_recorded_updates_of_images_equal_eager_ones(device):
    eager, recorded = (image_learner(device, record, optimizer="sgd", precision="float32") for record in (False, True))
    for number, window in enumerate(images(20, device)):
        window = without_numbers(window) if number in BAD else window
        update, twin = (learner.update(window, number / 20) for learner in (eager, recorded))
        assert bool(twin.finite) == (number not in BAD)
        agree(twin.numbers, update.numbers, device, 5e-3)


@on_all_devices
@pytest.mark.parametrize("compiled", ["off", "auto"])
def test_updates_with_the_shipped_settings_are_nearly_eager_ones_in_float32(device, compiled):
    eager = image_learner(device, False, precision="float32")
    used = image_learner(device, True, compile=compiled)
    for number, window in enumerate(images(5, device)):
        update, twin = (learner.update(window, number / 5) for learner in (eager, used))
        assert twin.finite
        for name, metric in update.metrics.items():
            assert twin.metrics[name].item() == pytest.approx(metric.item(), rel=0.1, abs=0.02), name


@on_all_devices
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_weights_are_checked_and_copied_without_a_wait_but_for_the_answer(device, average):
    learner = image_learner(device, False, average=average)
    seen = torch.zeros(2, *IMAGE.observation, dtype=torch.uint8, device=device)
    assert learner.is_finite(seen)
    with never_waiting(device):
        answer, weights = learner._finite(seen), learner.weights()
    assert bool(answer) and weights.keys() == learner.acting.state_dict().keys()
    assert all(tensor.device.type == device.type for tensor in weights.values())
    for tensor in (learner.model.encoder[0][0].weight, learner.model.value_head.bias):
        kept = tensor.detach().clone()
        tensor.data[-1].fill_(math.inf)
        assert not learner.is_finite(seen)
        tensor.data.copy_(kept)
    assert learner.is_finite(seen)


def image_learner(device, record, **settings):
    """A learner of a small model of images."""
    torch.manual_seed(0)
    model = SpatialModel(IMAGE, channels=8, hidden=16, smallest_side=6, value_limit=5.0, reward_limit=2.0)
    objective = ValueEquivalence(IMAGE, model, unroll=2, n_step=2, projection=16)
    settings = {"batch": 16, "target_every": 5, "compile": "off", "record": record} | settings
    learner = Learner(model, objective, device, 0, **settings)
    if record and not learner.recording:
        learner._begin_recording()
    return learner


def images(count, device):
    """Batches of random images, rewards and values, from a replay for this device."""
    rng, replay, rows = np.random.default_rng(0), Replay(IMAGE, 0, 0, lambda: None, device, capacity=200), 50
    found = {column.name: np.zeros((rows, *column.shape), column.dtype) for column in columns(IMAGE)}
    found["observation"] = rng.integers(0, 256, found["observation"].shape, dtype=np.uint8)
    found |= {name: np.ones_like(found[name]) for name in ("legal", "planned", "taught")}
    found["policy"] += np.float32(1 / 3)
    found["discount"] += np.float32(0.99)
    found["action"] = rng.integers(0, 3, rows).astype(found["action"].dtype)
    found |= {name: rng.normal(0, 1, rows).astype(np.float32) for name in ("reward", "value")}
    for game in range(4):
        replay.add(Segment(SegmentId(0, 0, game, 0), 0, found, tail=False))
    size = ValueEquivalence(IMAGE, SpatialModel(IMAGE, channels=4), unroll=2, n_step=2, projection=16).window
    return [replay.sample(16, size)[1] for _ in range(count)]


@on_all_devices
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_restored_learner_continues_as_one_that_was_not_whether_it_has_a_recording_or_not(device, settings):
    made = windows(8)
    learner, new, busy = (recording_learner(7, device, target_every=3, **settings) for _ in range(3))
    for window in made[:4]:
        learner.update(window, 0.0)
    for window in made[4:6]:  # with a recording, and numbers, of its own
        busy.update(window, 0.0)
    tensors, values = learner.state()
    for other in (new, busy):
        other.restore({group: on_host(found) for group, found in tensors.items()}, values)
    same(numbers(new), numbers(learner))
    same(numbers(busy), numbers(learner))
    for window in made[4:]:
        expected, *found = (each.update(window, 0.5) for each in (learner, new, busy))
        for update in found:
            agree(update.numbers, expected.numbers, device)
    for name, tensor in numbers(learner).items():
        for other in (new, busy):
            agree(numbers(other)[name], tensor, device, 5e-3)


def on_host(tensors):
    """Copies, as a checkpoint gives them."""
    return {name: tensor.cpu().clone() for name, tensor in tensors.items()}


@on_all_devices
def test_averaged_weights_and_the_slow_copy_follow_the_weights_that_learn(device):
    settings = {"average": 0.5, "target_every": 2, "target_rate": 0.25, "learning_rate": 0.1}
    learner = recording_learner(device=device, **settings)
    mean, slow = ([tensor.clone() for tensor in learner.model.state_dict().values()] for _ in range(2))
    for number, window in enumerate(windows(6), 1):
        learner.update(window, 0.0)
        new = [tensor.clone() for tensor in learner.model.state_dict().values()]
        mean = moved(mean, new, 1 - min(0.5, (1 + number) / (10 + number)))
        slow = moved(slow, new, 0.25) if number % 2 == 0 else slow
        for model, expected in ((learner.acting, mean), (learner.target, slow)):
            for found, tensor in zip(model.state_dict().values(), expected, strict=True):
                torch.testing.assert_close(found, tensor, rtol=1e-5, atol=1e-5)
    assert all(tensor.device.type == device.type for tensor in learner.acting.state_dict().values())


def moved(old, new, share):
    """Weights a share of the way from old ones to new ones; counts are those of the new ones."""
    return [a + share * (b - a) if a.is_floating_point() else b.clone() for a, b in zip(old, new, strict=True)]


@on_all_devices
def test_priorities_come_back_to_the_host_as_on_the_cpu(device):
    found = []
    for place in (torch.device("cpu"), device):
        replay = small_replay(priority_exponent=1.0)
        updates = Updates(recording_learner(7, place, optimizer="sgd"), replay)
        for _ in range(2):  # the rows of a third would depend on the last digits of the first priorities
            updates.make(0.0)
        found.append(replay.priority[np.arange(len(replay))].copy())
        assert updates.learner.skipped == 0 and all(map(math.isfinite, updates.metrics.values()))
    np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-3)

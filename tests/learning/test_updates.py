"""What an update passes to an objective and makes of what it returns."""

import copy
import math

import numpy as np
import pytest
import torch
from small_learning import SmallModel, SmallObjective, numbers, same, small_learner, windows, without_numbers

from muzero.config import ConfigError, Layer, merge
from muzero.interfaces import Loss
from muzero.learning.learner import Learner
from muzero.util.seeds import derive


def drawn(learner, window):
    """The numbers that the objective draws in an update."""
    found = []
    handle = learner.objective.register_forward_hook(lambda _, given, loss: found.append(loss.metrics["noise"]))
    learner.update(window, 0.0)
    handle.remove()
    return found[0]


def test_an_objective_draws_by_the_seed_and_the_number_of_the_update_alone():
    (window,) = windows(1)
    learner, twin, other = small_learner(seed=5), small_learner(seed=5), small_learner(seed=6)
    first, second = drawn(learner, window), drawn(learner, window)
    torch.manual_seed(99)  # and by no generator that is shared
    assert torch.equal(drawn(twin, window), first)
    twin.generator.manual_seed(1)
    assert torch.equal(drawn(twin, window), second)
    assert not torch.equal(first, second) and not torch.equal(drawn(other, window), first)
    late = small_learner(seed=5)
    late.updates = 1
    assert torch.equal(drawn(late, window), second)


def with_metrics(monkeypatch, made):
    """Have the objective return other metrics: made of its terms."""
    forward = SmallObjective.forward

    def changed(self, *given):
        loss = forward(self, *given)
        return Loss(loss.terms, loss.priority, made(loss.terms))

    monkeypatch.setattr(SmallObjective, "forward", changed)


def test_terms_and_metrics_are_shown():
    (window,) = windows(1)
    window.weight[0] = 0.25
    learner, losses = small_learner(), []
    learner.objective.register_forward_hook(lambda _, given, loss: losses.append(loss))
    metrics = learner.update(window, 0.0).metrics
    (loss,) = losses
    assert list(metrics) == ["reward", "blur", "noise", "surprise", "gradient"]
    assert all(metric.shape == () and not metric.requires_grad for metric in metrics.values())
    assert metrics["reward"] == (loss.terms["reward"] * window.weight).mean()
    assert metrics["noise"] == loss.metrics["noise"].mean() and metrics["surprise"] == loss.metrics["surprise"]


def test_metrics_are_not_minimised(monkeypatch):
    (window,) = windows(1)
    plain, measured = small_learner(), small_learner()
    plain.update(window, 0.0)
    with_metrics(monkeypatch, lambda terms: {"pull": -100 * terms["reward"]})  # which has a gradient
    assert measured.update(window, 0.0).metrics["pull"] != 0
    assert all(torch.equal(left, right) for left, right in zip(plain.parameters, measured.parameters, strict=True))


@pytest.mark.parametrize("name", ["reward", "gradient"])
def test_two_figures_of_one_name_are_refused(monkeypatch, name):
    with_metrics(monkeypatch, lambda terms: {name: terms["reward"]})
    with pytest.raises(ValueError, match=f"two figures the name '{name}'"):
        small_learner().update(windows(1)[0], 0.0)


class Reference:
    """The arithmetic of an update that waits: a gradient that is not finite is found before the optimiser's step."""

    def __init__(self, optimizer, every, rate=1e-3, decay=1e-4, clip=5.0, warmup=100, final=0.1):
        torch.manual_seed(0)
        self.model, self.objective = SmallModel(), SmallObjective()
        self.target = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.modules = torch.nn.ModuleList([self.model, self.objective])
        weights = [*self.model.parameters(), *self.objective.parameters()]
        groups = [{"params": [p for p in weights if p.ndim > 1], "weight_decay": decay}]
        groups += [{"params": [p for p in weights if p.ndim == 1], "weight_decay": 0.0}]
        kinds = {"adamw": (torch.optim.AdamW, {}), "sgd": (torch.optim.SGD, {"momentum": 0.9})}
        kind, settings = kinds[optimizer]
        self.optimizer = kind(groups, lr=rate, fused=True, **settings)
        self.every, self.rate, self.clip, self.warmup, self.final = every, rate, clip, warmup, final

    def update(self, window, progress, number):
        self.model.train()
        before = copy.deepcopy(self.modules.state_dict())
        generator = torch.Generator().manual_seed(derive(7, "objective", number))
        loss = self.objective(self.model, self.target, window, generator)
        self.optimizer.zero_grad()
        sum((term * window.weight).mean() for term in loss.terms.values()).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.modules.parameters(), self.clip)
        rise = min(1.0, (number + 1) / (self.warmup + 1))
        fall = self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * rise * fall
        if math.isfinite(norm):
            self.optimizer.step()
        else:
            self.modules.load_state_dict(before)
        if (number + 1) % self.every == 0:
            self.target.load_state_dict(self.model.state_dict())
        return norm, loss.priority


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("bad", [(), (0, 1, 5)], ids=["good batches", "bad batches"])
def test_every_update_equals_one_that_waits_bit_for_bit(optimizer, bad):
    learner, reference = small_learner(7, optimizer=optimizer, target_every=3), Reference(optimizer, 3)
    for number, window in enumerate(windows(12)):
        window = without_numbers(window) if number in bad else window
        update = learner.update(window, number / 12)
        norm, priority = reference.update(window, number / 12, number)
        assert bool(update.finite) == (number not in bad)
        torch.testing.assert_close(update.metrics["gradient"], norm, rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(update.priority, priority, rtol=0, atol=0, equal_nan=True)
        found = [*learner.model.state_dict().values(), *learner.objective.state_dict().values()]
        found += learner.target.state_dict().values()
        wanted = [*reference.modules.state_dict().values(), *reference.target.state_dict().values()]
        assert all(torch.equal(left, right) for left, right in zip(found, wanted, strict=True)), number


@pytest.mark.parametrize("settings", [{}, {"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.0}, {"clip": 0.0}])
def test_an_update_without_a_finite_gradient_changes_nothing_bit_for_bit(settings):
    learner, (first, second, *_) = small_learner(**settings), windows(2)
    learner.update(first, 0.0)
    before = numbers(learner)
    assert any(name.startswith("optimizer.") for name in before) or settings.get("momentum") == 0.0
    update = learner.update(without_numbers(second), 0.0)
    assert not update.finite
    same(numbers(learner), before)
    learner.update(second, 0.0)
    assert any(not torch.equal(tensor, before[name]) for name, tensor in numbers(learner).items())


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("restored", [False, True], ids=["new", "restored"])
def test_a_first_update_that_is_skipped_leaves_no_trace(optimizer, restored):
    settings = {"optimizer": optimizer, "warmup": 0, "target_every": 1000}
    learner, untouched = small_learner(**settings), small_learner(**settings)
    if restored:  # from a checkpoint of a learner without updates, which older versions wrote without velocities
        tensors, values = learner.state()
        learner.restore(tensors | {"optimizer": {}}, values)
    learner.update(without_numbers(windows(1)[0]), 0.0)
    learner.updates = 0  # so that both draw the same
    for window in windows(3):
        learner.update(window, 0.0)
        untouched.update(window, 0.0)
    same(numbers(learner), numbers(untouched))


def test_a_slow_copy_with_a_rate_is_a_moving_average_of_the_weights():
    learner = small_learner(target_every=2, target_rate=0.25, learning_rate=0.1)
    slow = [tensor.clone() for tensor in learner.model.state_dict().values()]
    for number, window in enumerate(windows(6), 1):
        learner.update(window, 0.0)
        if number % 2 == 0:
            new = learner.model.state_dict().values()  # statistics belong to the weights that they were seen with
            slow = [
                old + 0.25 * (now - old) if now.is_floating_point() else now.clone()
                for old, now in zip(slow, new, strict=True)
            ]
        for left, right in zip(learner.target.state_dict().values(), slow, strict=True):
            torch.testing.assert_close(left, right, rtol=0, atol=1e-7)
    now = learner.model.state_dict().values()
    far = [(left - right).abs().max() for left, right in zip(slow, now, strict=True)]
    assert max(far) > 0.01 and not any(weight.requires_grad for weight in learner.target.parameters())


@pytest.mark.parametrize("rate", [0.0, 1.5])
def test_a_rate_of_the_slow_copy_is_above_0_and_at_most_1(rate):
    with pytest.raises(ConfigError, match="target_rate"):
        merge([Layer("test", {"learner": {"target_rate": rate}})], {"learner": Learner})


def test_averaged_weights_act_and_the_weights_that_learn_are_kept_beside_them():
    learner, made = small_learner(average=0.5, learning_rate=0.1), windows(5)
    mean = [tensor.clone() for tensor in learner.model.state_dict().values()]
    for number, window in enumerate(made, 1):
        learner.update(window, 0.0)
        decay = min(0.5, (1 + number) / (10 + number))  # few updates are averaged at first
        new = learner.model.state_dict().values()
        mean = [
            decay * old + (1 - decay) * now if now.is_floating_point() else now.clone()
            for old, now in zip(mean, new, strict=True)
        ]
    tensors, _ = learner.state()
    published = learner.weights()
    for (name, expected), learns in zip(tensors["model"].items(), tensors["learning"].values(), strict=True):
        assert torch.equal(published[name], expected)
        assert not expected.is_floating_point() or not torch.equal(learns, expected)
    for found, expected in zip(tensors["model"].values(), mean, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_without_an_average_the_weights_that_learn_act():
    learner, (window,) = small_learner(), windows(1)
    learner.update(window, 0.0)
    tensors, _ = learner.state()
    assert "learning" not in tensors
    assert all(torch.equal(tensors["model"][name], now) for name, now in learner.model.state_dict().items())


@pytest.mark.parametrize(("before", "after"), [(0.9, 0.9), (0.9, 0.0), (0.0, 0.9)])
def test_a_restored_learner_continues_with_the_weights_that_learn(before, after):
    made = windows(4)
    learner, twin = small_learner(average=before), small_learner(average=after)
    for window in made[:3]:
        learner.update(window, 0.0)
    tensors, values = learner.state()
    twin.restore({name: {key: t.clone() for key, t in group.items()} for name, group in tensors.items()}, values)
    for which in (learner, twin):
        which.update(made[3], 0.0)
    for left, right in zip(learner.model.state_dict().values(), twin.model.state_dict().values(), strict=True):
        assert torch.equal(left, right)
    if before == after:
        for name, tensor in learner.acting.state_dict().items():
            assert torch.equal(tensor, twin.acting.state_dict()[name])


def test_a_skipped_update_moves_no_average():
    learner, made = small_learner(average=0.9, target_every=1, target_rate=0.3), windows(2)
    learner.update(made[0], 0.0)
    before = [t.clone() for copy in (learner.acting, learner.target) for t in copy.state_dict().values()]
    learner.update(without_numbers(made[1]), 0.0)
    after = [t for copy in (learner.acting, learner.target) for t in copy.state_dict().values()]
    assert all(torch.equal(left, right) for left, right in zip(before, after, strict=True))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_an_update_of_tensors_that_stay_where_they_are_equals_a_plain_one_bit_for_bit(monkeypatch, optimizer):
    """What a GPU records, on the CPU: batches without numbers in between, and a warm-up that leaves no trace."""
    rate = Learner.rate  # which a recording reads as a number of 32 bits
    monkeypatch.setattr(Learner, "rate", lambda self, progress: float(np.float32(rate(self, progress))))
    settings = {"optimizer": optimizer, "target_every": 3, "target_rate": 0.5, "average": 0.9}
    plain, recording = small_learner(7, **settings), small_learner(7, **settings)
    recording._begin_recording()
    for number, window in enumerate(windows(100)):
        window = without_numbers(window) if number % 7 in (0, 3) else window
        update, twin = (learner.update(window, number / 100) for learner in (plain, recording))
        torch.testing.assert_close(twin.numbers, update.numbers, rtol=0, atol=0, equal_nan=True)
        assert (twin.names, twin.terms) == (update.names, update.terms)
        same(numbers(recording), numbers(plain))
        if number == 0 or number == 60:  # a warm-up, as after a restart: it may only use up random numbers
            recording.recorded.forget()
            recording.inputs.window.weight.fill_(math.nan)
            recording._work_on_inputs()
            same(numbers(recording), numbers(plain))


def test_a_recording_is_dropped_when_the_optimiser_gets_new_tensors_and_for_a_batch_of_another_shape():
    learner, (window,) = small_learner(), windows(1)
    learner._begin_recording()
    learner.update(window, 0.0)
    assert learner.recorded.prepared
    inputs = learner.inputs
    learner.restore(*learner.state())
    assert not learner.recorded.prepared
    learner.update(window, 0.0)
    assert learner.recorded.prepared and learner.inputs is inputs
    learner.update(windows(1, batch=8)[0], 0.0)
    assert learner.recorded.prepared and learner.inputs is not inputs
    assert len(learner.inputs.window.weight) == 8


def test_results_of_an_update_are_not_overwritten_by_the_next():
    learner, made = small_learner(), windows(2)
    learner._begin_recording()
    first = learner.update(made[0], 0.0)
    before = first.numbers.clone()
    learner.update(made[1], 0.0)
    assert torch.equal(first.numbers, before)

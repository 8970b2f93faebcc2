"""What an update passes to an objective and makes of what it returns."""

import pytest
import torch
from small_learning import SmallObjective, small_learner, windows

from muzero.interfaces import Loss


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
    metrics = learner.update(window, 0.0)[0]
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
    assert measured.update(window, 0.0)[0]["pull"] != 0
    assert all(torch.equal(left, right) for left, right in zip(plain.parameters, measured.parameters, strict=True))


@pytest.mark.parametrize("name", ["reward", "gradient"])
def test_two_figures_of_one_name_are_refused(monkeypatch, name):
    with_metrics(monkeypatch, lambda terms: {name: terms["reward"]})
    with pytest.raises(ValueError, match=f"two figures the name '{name}'"):
        small_learner().update(windows(1)[0], 0.0)

"""The entropy of the policy as a part of what is learned."""

import numpy as np
import pytest
import torch
from segments import LINE, segment

from muzero.actions import Box
from muzero.data.replay import Replay
from muzero.data.schema import Segment, SegmentId
from muzero.interfaces import GameSpec, observe_first
from muzero.models.vector import VectorModel
from muzero.objectives.value_equivalence import ValueEquivalence

ARM = GameSpec("arm", (4,), "float32", Box(2), (0.0, 0.99))
SAMPLES = 3


def sampled_window(spec, objective):
    rng = np.random.default_rng(0)
    replay = Replay(spec, 0, 0 if spec.actions.columns else SAMPLES, capacity=500)
    for number in range(40):
        found = segment(LINE, number, rng).columns
        rows = len(found["value"])
        found["discount"][:] = spec.discounts[-1]
        if not spec.actions.columns:
            found["legal"], found["action"] = np.ones((rows, 0), bool), spec.actions.draw_any((rows,), rng)
            found["policy"] = np.full((rows, SAMPLES), 1 / SAMPLES, np.float32)
            found["candidates"] = spec.actions.draw_any((rows, SAMPLES), rng)
        replay.add(Segment(SegmentId(0, 0, number, 0), 0, found, False))
    return replay.sample(32, objective.window)[1]


@pytest.mark.parametrize("spec", [LINE, ARM], ids=["listed", "real-valued"])
def test_the_entropy_of_the_policy_is_added_with_its_weight(spec):
    torch.manual_seed(0)
    model = VectorModel(spec, width=16, hidden=16)
    settings = {"unroll": 2, "n_step": 2, "consistency_weight": 0.0}
    plain, with_entropy = (ValueEquivalence(spec, model, **settings, entropy_weight=weight) for weight in (0.0, 0.5))
    window, generator = sampled_window(spec, plain), torch.Generator().manual_seed(0)
    before = generator.get_state()
    without = plain(model, model, window, generator).terms
    assert torch.equal(generator.get_state(), before)  # a run without it draws nothing more than before
    terms = with_entropy(model, model, window, generator).terms
    assert set(terms) - set(without) == {"entropy"}
    for name, term in without.items():
        torch.testing.assert_close(terms[name], term)
    latent = observe_first(model, window.observation[:, 0])
    policy = model.predict(latent).policy
    taught = window.known[:, 0] & ~window.over[:, 0] & window.taught[:, 0]
    many = torch.stack([policy.entropy(1 - torch.rand(len(taught), policy.noise)) for _ in range(400)]).mean(0)
    # Of the first position and the mean of the two after it, which hardly differ in an untrained model.
    assert terms["entropy"].mean().item() == pytest.approx(-0.5 * (many * taught).mean().item() * 2, rel=0.2)
    terms["entropy"].mean().backward()
    gradients = [each.grad for each in model.parameters() if each.grad is not None]
    assert all(each.isfinite().all() for each in gradients)
    assert any(each.any() for each in gradients) == (spec is ARM)  # the other policy is uniform: no entropy is larger

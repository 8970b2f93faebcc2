"""Heads, transforms and blocks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from muzero.actions import Box, Discrete
from muzero.config import ConfigError
from muzero.interfaces import GameSpec
from muzero.models.blocks import SMALLEST, FewPlanes, Standardised, scale_to_unit, simplices
from muzero.models.heads import Categorical, TwoHot, inverse_value_transform, support, value_transform
from muzero.models.spatial import SpatialModel
from muzero.models.vector import VectorModel
from muzero.objectives.value_equivalence import scale_gradient


@given(st.floats(-1e5, 1e5))
def test_the_value_transform_is_undone_by_its_inverse(x):
    assert inverse_value_transform(value_transform(np.float64(x))) == pytest.approx(x, abs=1e-6, rel=1e-6)


def test_the_support_reaches_its_limits_and_ascends():
    atoms = support(-300, 300, 51)
    assert atoms[0] == pytest.approx(-300, rel=1e-4) and atoms[-1] == pytest.approx(300, rel=1e-4)
    assert (atoms.diff() > 0).all() and atoms[25] == 0


@given(st.floats(-1.0, 1.0), st.integers(2, 61))
@settings(deadline=None, max_examples=50)
def test_the_distribution_of_least_loss_has_the_target_as_its_mean(target, atoms):
    numbers = support(-1, 1, atoms)
    logits = torch.zeros(1, atoms, requires_grad=True)
    TwoHot(logits, numbers).loss(torch.tensor([target], dtype=torch.float32)).backward()
    assert logits.grad is not None
    # At uniform logits the gradient is the uniform distribution less the target distribution.
    encoded = 1 / atoms - logits.grad[0]
    assert (encoded > -1e-6).all() and encoded.sum().item() == pytest.approx(1, abs=1e-5)
    assert (encoded @ numbers).item() == pytest.approx(target, abs=1e-5)


def test_targets_beyond_the_support_are_clamped_and_finite():
    head = TwoHot(torch.zeros(2, 5), support(-1, 1, 5))
    assert torch.isfinite(head.loss(torch.tensor([7.0, -7.0]))).all()


def test_a_discount_on_an_atom_is_one_class():
    head = TwoHot(torch.tensor([[0.0, 2.0, 0.0]]), torch.tensor([-1.0, 0.0, 1.0]))
    assert head.loss(torch.tensor([0.0]))[0] == pytest.approx(-torch.tensor([0.0, 2.0, 0.0]).log_softmax(0)[1].item())
    assert head.mean[0] == pytest.approx(0, abs=1e-6)


def test_the_policy_loss_is_least_at_its_target():
    target = torch.tensor([[0.7, 0.3, 0.0]])
    at_target = Categorical((target + 1e-9).log()).loss(target)
    assert at_target < Categorical(torch.zeros(1, 3)).loss(target)


def test_scaling_a_gradient_leaves_the_numbers():
    x = torch.tensor([2.0], requires_grad=True)
    y = scale_gradient(x, 0.25)
    y.backward()
    assert y.item() == 2.0 and x.grad is not None and x.grad.item() == 0.25


def test_latents_are_scaled_to_zero_and_one():
    scaled = scale_to_unit(torch.randn(4, 10), -1)
    assert (scaled.amin(-1) == 0).all() and torch.allclose(scaled.amax(-1), torch.ones(4))


def test_each_eight_numbers_of_a_simplex_are_shares_of_one():
    x = torch.randn(3, 16, 2, 5, generator=torch.Generator().manual_seed(0))
    found = simplices(x, 1)
    expected = x.exp()
    expected[:, :8] /= x[:, :8].exp().sum(1, keepdim=True)
    expected[:, 8:] /= x[:, 8:].exp().sum(1, keepdim=True)
    torch.testing.assert_close(found, expected)
    rows = x.permute(0, 2, 3, 1)
    torch.testing.assert_close(simplices(rows, -1), found.permute(0, 2, 3, 1))


def test_models_have_latents_of_simplices_and_refuse_sizes_that_cannot_be_split():
    rows = GameSpec("rows", (6,), "float32", Box(1), (0.0, 0.99))
    planes = GameSpec("planes", (2, 5, 4), "float32", Discrete(3), (0.0, 0.99))
    vector, spatial = VectorModel(rows, width=16, scale="simplex"), SpatialModel(planes, channels=8, scale="simplex")
    for model, spec, dim in ((vector, rows, -1), (spatial.eval(), planes, 1)):
        latent = model.begun(model.encode(torch.randn(2, *spec.observation)))
        action = torch.as_tensor(spec.actions.none(2))
        for state in (latent["state"], model.imagine(latent, action)[0]["state"]):
            sums = state.unflatten(dim, (-1, 8)).sum(dim if dim < 0 else dim + 1)
            torch.testing.assert_close(sums, torch.ones_like(sums))
    with pytest.raises(ConfigError, match=r"width = 30 with scale = .simplex.; expected a multiple of 8: 32"):
        VectorModel(rows, width=30, scale="simplex")
    with pytest.raises(ConfigError, match=r"channels = 6 .* expected a multiple of 8: 8"):
        SpatialModel(planes, channels=6, scale="simplex")


@pytest.mark.parametrize("flat", [False, True])
def test_the_gradient_of_a_scaled_latent_is_that_of_the_single_operations(flat):
    x = torch.randn(5, 3, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
    if flat:  # rows that do not vary are scaled by the smallest range
        x[1:3] = 2 + 1e-7 * x[1:3]
    gradient = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    whole, single = x.clone().requires_grad_(), x.clone().requires_grad_()
    low, high = single.amin((-3, -2, -1), keepdim=True), single.amax((-3, -2, -1), keepdim=True)
    expected = (single - low) / (high - low).clamp(min=SMALLEST)
    found = scale_to_unit(whole, (-3, -2, -1))
    assert torch.equal(found, expected)
    assert torch.equal(scale_to_unit(x, (-3, -2, -1)), expected)
    found.backward(gradient)
    expected.backward(gradient)
    assert torch.allclose(whole.grad, single.grad, rtol=1e-9, atol=1e-9)


def test_the_gradient_of_a_scaled_vector_is_that_of_the_single_operations():
    x = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: scale_to_unit(x, -1), x)
    with torch.no_grad():
        single = scale_to_unit(x, -1)
    assert torch.equal(scale_to_unit(x, -1), single)


def test_a_norm_of_few_planes_is_a_batch_norm_whose_planes_lie_in_one_piece():
    x = torch.randn(5, 3, 2, 4, dtype=torch.float64).to(memory_format=torch.channels_last)
    few, plain = FewPlanes(3).double(), torch.nn.BatchNorm2d(3).double()
    outs, grads = [], []
    for norm in (few, plain):
        seen = x.clone().requires_grad_()
        outs.append(norm(seen))
        (outs[-1] * torch.arange(outs[-1].numel()).view_as(x)).sum().backward()
        grads.append(seen.grad)
    assert outs[0].is_contiguous() and torch.allclose(*outs) and torch.allclose(*grads)
    assert few.state_dict().keys() == plain.state_dict().keys()
    assert torch.equal(few.eval()(x), few(x)) and torch.allclose(few(x), plain.eval()(x))


@pytest.mark.parametrize("target", [-9.0, -1.0, -0.7, 0.0, 0.3, 1.0, 9.0])
def test_the_loss_of_a_number_mixes_those_of_the_atoms_around_it(target):
    atoms, logits = torch.tensor([-1.0, -0.5, 0.0, 1.0]), torch.tensor([[0.3, -1.0, 2.0, 0.5]])
    weights = np.array([np.interp(target, atoms, unit) for unit in np.eye(4)], dtype=np.float32)
    expected = -(torch.from_numpy(weights) * logits.log_softmax(-1)).sum()
    torch.testing.assert_close(TwoHot(logits, atoms).loss(torch.tensor([target]))[0], expected)
    assert TwoHot(logits, atoms).loss(torch.tensor([float("nan")])).isnan().all()


def test_observations_are_standardised_over_what_was_learned_from():
    x = torch.tensor([3.0, -1.0, 100.0, 5.0]) + torch.randn(1000, 4) * torch.tensor([1.0, 0.05, 30.0, 0.0])
    block = Standardised(4)
    assert torch.equal(block.eval()(x), x)  # nothing has been learned from
    block.train()
    for batch in x.split(100):
        block(batch)
    found = block.eval()(x)
    torch.testing.assert_close(found.mean(0), torch.zeros(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(found.std(0)[:3], torch.ones(3), atol=1e-2, rtol=0)
    assert (found[:, 3] == 0).all()  # what never varies
    assert torch.equal(found, block(x))  # acting changes nothing

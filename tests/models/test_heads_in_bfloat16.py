"""Heads and scaled latents where layers compute in bfloat16."""

import pytest
import torch
from devices import on_all_devices

from muzero.models.blocks import scale_to_unit
from muzero.models.heads import TwoHot, support
from muzero.objectives.latents import bottleneck, consistency, unexplained


@on_all_devices
def test_a_mean_is_exact_where_layers_compute_in_bfloat16(device):
    """A matrix product would be one of numbers of eight bits, so that values were wrong by a hundredth."""
    atoms, logits = support(-10, 10, 51).to(device), torch.randn(64, 51, device=device)
    with torch.autocast(device.type, torch.bfloat16):
        mean = TwoHot(logits, atoms).mean
    torch.testing.assert_close(mean.double(), logits.double().softmax(-1) @ atoms.double(), rtol=0, atol=1e-5)


@on_all_devices
@pytest.mark.parametrize("spread", [0.3, 0.03, 0.003])
def test_the_share_of_latents_that_is_unexplained_is_nearly_exact(spread, device):
    """Means and variances over the batch are matrix products; of both losses of latents, numbers are float32."""
    torch.manual_seed(0)
    seen = (0.5 + spread * torch.randn(320, 64, device=device)).clamp(0, 1)
    imagined, known = seen + 0.3 * spread * torch.randn_like(seen), torch.ones(320, dtype=torch.bool, device=device)
    exact = unexplained(imagined, seen, known)
    with torch.autocast(device.type, torch.bfloat16):
        found = unexplained(imagined, seen, known)
        layer = bottleneck(64, 16, 16).to(device)
        similarity = consistency(layer, torch.nn.Linear(16, 16).to(device), imagined, seen)
    assert found.dtype == similarity.dtype == torch.float32
    torch.testing.assert_close(found.mean(), exact.mean(), rtol=0.01, atol=0)


@on_all_devices
@pytest.mark.parametrize("compiled", [False, True])
def test_latents_are_scaled_in_bfloat16_also_where_they_are_compiled(device, compiled):
    def scaled(x):
        return scale_to_unit(x, (-3, -2, -1))

    x = torch.randn(3, 4, 2, 2, device=device).bfloat16().requires_grad_()
    gradients = []
    for function in (scaled, torch.compile(scaled, backend="aot_eager") if compiled else scaled):
        with torch.autocast(device.type, torch.bfloat16):
            found = function(x)
        assert found.dtype == torch.bfloat16 and found.amin() == 0 and found.amax() == 1
        (gradient,) = torch.autograd.grad(found, x, torch.arange(x.numel(), device=device).view_as(x).bfloat16())
        gradients.append(gradient.float())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0.02, atol=0.5)

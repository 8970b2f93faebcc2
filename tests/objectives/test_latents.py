"""Losses that compare imagined latents with observed ones: exact cases, and that they do not collapse."""

import pytest
import torch

from muzero.actions import Discrete
from muzero.interfaces import GameSpec
from muzero.models.spatial import SpatialModel
from muzero.objectives.latents import bottleneck, consistency, unexplained
from muzero.objectives.value_equivalence import ValueEquivalence


def latents(seed, batch=192, features=10):
    return torch.randn(batch, features, generator=torch.Generator().manual_seed(seed))


def all_known(seen):
    return torch.ones(len(seen), dtype=torch.bool)


def test_exact_imagination_leaves_nothing_unexplained():
    seen = latents(0)
    assert (unexplained(seen.clone(), seen, all_known(seen)) == 0).all()


def test_to_imagine_the_mean_leaves_everything_unexplained():
    seen = latents(0)
    mean = seen.mean(0).expand_as(seen)
    found = unexplained(mean, seen, all_known(seen))
    assert found.shape == (192,)
    assert found.mean().item() == pytest.approx(1, abs=0.01)


def test_the_share_is_that_of_the_error_whatever_the_unit_and_however_alike_latents_are():
    seen = latents(0)
    imagined = seen + 0.5 * latents(1)
    share = unexplained(imagined, seen, all_known(seen)).mean().item()
    assert share == pytest.approx(0.25, rel=0.1)
    shrunk = unexplained(0.01 * imagined + 3, 0.01 * seen + 3, all_known(seen)).mean().item()
    assert shrunk == pytest.approx(share, rel=1e-3)


def test_what_is_not_known_changes_nothing():
    seen, known = latents(0), all_known(latents(0))
    known[10:] = False
    imagined, odd = seen + 0.1, seen.clone()
    odd[10:] = 1e3
    both = [unexplained(imagined, other, known)[known] for other in (seen, odd)]
    assert torch.equal(*both)


def test_latents_that_are_all_alike_give_finite_numbers():
    seen = torch.ones(8, 3)
    for known in (all_known(seen), ~all_known(seen)):
        assert torch.isfinite(unexplained(seen + 0.1, seen, known)).all()


def test_projections_of_different_positions_stay_different():
    """The encoder and the dynamics learn by the consistency loss alone, at a high learning rate."""
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    encoder = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 32))
    dynamics = torch.nn.Linear(32, 32)
    projector, predictor = bottleneck(32, 64, 64), bottleneck(64, 32, 64)
    networks = torch.nn.ModuleList([encoder, dynamics, projector, predictor])
    optimizer = torch.optim.AdamW(networks.parameters(), lr=2e-2)
    turn = torch.linalg.qr(torch.randn(20, 20, generator=rng)).Q
    for _ in range(300):
        now = torch.randn(128, 20, generator=rng)
        imagined, seen = dynamics(encoder(now)), encoder(now @ turn).detach()
        loss = consistency(projector, predictor, imagined, seen).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        projected = torch.nn.functional.normalize(projector(encoder(torch.randn(128, 20, generator=rng))), dim=-1)
    alike = projected @ projected.t()
    assert loss.item() < 0.5
    assert (alike.sum() - alike.trace()).item() / (128 * 127) < 0.5


@pytest.mark.parametrize("training", [False, True])
def test_an_objective_finds_the_size_of_latents_without_a_trace_in_the_model(training):
    """Batch norms would count the observation of zeros that passes."""
    spec = GameSpec("planes", (2, 4, 4), "float32", Discrete(3), (0.0, 1.0))
    model = SpatialModel(spec, channels=4, hidden=4).train(training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    objective = ValueEquivalence(spec, model, unroll=2, n_step=2, projection=8, consistency_weight=1.0)
    assert objective.projector is not None and model.training == training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name

"""Ensembles of heads: the mixture's moments, what members learn from, priors that stay and differ."""

import pytest
import torch

from muzero.actions import Discrete
from muzero.config import ConfigError
from muzero.interfaces import GameSpec, observe_first
from muzero.models.ensemble_heads import EnsembleHead, EnsembleLinear, EnsembleTwoHot
from muzero.models.heads import TwoHot, support
from muzero.models.spatial import SpatialModel
from muzero.models.vector import VectorModel
from muzero.objectives.targets import members_of

MEMBERS, ROWS, ATOMS = 5, 7, support(-4.0, 4.0, 11)


def mixed(shift=None):
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(MEMBERS, ROWS, len(ATOMS), generator=generator, dtype=torch.float64)
    shift = torch.randn(MEMBERS, ROWS, generator=generator, dtype=torch.float64) if shift is None else shift
    return EnsembleTwoHot(logits, ATOMS.double(), shift)


def test_layers_side_by_side_are_those_of_each_member():
    layer = EnsembleLinear(MEMBERS, 4, 3)
    x, own = torch.randn(ROWS, 4), torch.randn(MEMBERS, ROWS, 4)
    for member in range(MEMBERS):
        expected = x @ layer.weight[member] + layer.bias[member]
        assert torch.allclose(layer(x)[member], expected, atol=1e-6)
        assert torch.allclose(layer(own)[member], own[member] @ layer.weight[member] + layer.bias[member], atol=1e-6)


def test_the_variances_add_up_to_that_of_the_mixture():
    head = mixed()
    chances, places = head.logits.softmax(-1) / MEMBERS, head.atoms + head.shift[..., None]
    mean = (chances * places).sum((0, 2))
    variance = (chances * (places - mean[:, None]).square()).sum((0, 2))
    assert torch.allclose(head.mean, mean, atol=1e-12)
    assert torch.allclose(head.epistemic**2 + head.aleatoric**2, variance, atol=1e-6)


def test_chances_up_to_a_number_are_those_of_the_mixture():
    head, target = mixed(), torch.linspace(-4, 4, ROWS).double()
    places = head.atoms + head.shift[..., None]
    expected = (head.logits.softmax(-1) * (places <= target[:, None])).sum(-1).mean(0)
    assert torch.allclose(head.cumulative(target), expected)
    tie = torch.rand(ROWS, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    inside = head.cumulative(target, tie)
    assert ((inside >= 0) & (inside <= 1)).all() and (head.cumulative(target + 0.5, tie) >= inside).all()


def test_members_that_agree_have_nothing_that_experience_would_remove():
    one = torch.randn(1, ROWS, len(ATOMS))
    head = EnsembleTwoHot(one.expand(MEMBERS, -1, -1), ATOMS, torch.zeros(MEMBERS, ROWS))
    alone = TwoHot(one[0], ATOMS)
    assert torch.allclose(head.epistemic, torch.zeros(ROWS), atol=1e-6)
    assert torch.allclose(head.mean, alone.mean, atol=1e-6) and torch.allclose(
        head.aleatoric, alone.aleatoric, atol=1e-5
    )


def test_the_loss_is_the_mean_over_the_members_that_learn_from_a_row():
    head, target = mixed(), torch.linspace(-3, 3, ROWS).double()
    own = torch.stack([target + member for member in range(MEMBERS)]) / 2
    learns = torch.rand(MEMBERS, ROWS, generator=torch.Generator().manual_seed(1)) < 0.5
    learns[:, 0] = False
    for aim in (target, own):
        by_member = torch.stack([
            TwoHot(head.logits[m], head.atoms).loss((aim if aim.ndim == 1 else aim[m]) - head.shift[m])
            for m in range(MEMBERS)
        ])  # fmt: skip
        assert torch.allclose(head.loss(aim), by_member.mean(0))
        for row in range(ROWS):
            taught = by_member[learns[:, row], row]
            assert head.loss(aim, learns)[row] == (taught.mean() if len(taught) else 0)


def test_each_member_learns_from_its_share_of_the_rows_and_always_the_same():
    rows = torch.arange(10**12, 10**12 + 40_000)
    learns = members_of(rows, 6, 0.3).float()
    assert (learns.mean(1) - 0.3).abs().max() < 0.01  # four standard errors
    together = (learns @ learns.t() / len(rows)).fill_diagonal_(0.09)
    assert (together - 0.09).abs().max() < 0.01
    neighbours = (learns[:, 1:] * learns[:, :-1]).mean(1)
    assert (neighbours - 0.09).abs().max() < 0.01
    assert members_of(rows.flip(0), 6, 0.3).flip(1).float().equal(learns) and members_of(rows, 3, 1.0).all()


def test_a_prior_is_as_large_as_asked_over_what_was_seen_and_is_never_trained():
    torch.manual_seed(0)
    head = EnsembleHead(64, 6, 8, len(ATOMS), prior=0.5).train()
    features = 3 + 0.1 * torch.randn(2000, 6)
    for _ in range(3):
        found = head(features, ATOMS)
    assert 0.4 < found.shift.square().mean().sqrt() < 0.7
    assert {"prior", "random"} <= {name for name, _ in head.named_buffers()}
    assert not found.shift.requires_grad


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_members_agree_where_they_were_taught_and_only_priors_differ_elsewhere(prior):
    torch.manual_seed(0)
    head = EnsembleHead(MEMBERS, 2, 32, 51, prior).train()
    atoms = support(-10.0, 10.0, 51)
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    seen = torch.rand(256, 2)
    for _ in range(400):
        optimizer.zero_grad()
        head(seen, atoms).loss(seen.sum(1)).mean().backward()
        optimizer.step()
    head.eval()
    taught, elsewhere = head(seen, atoms), head(torch.tensor([[4.0, -4.0], [-3.0, 5.0], [6.0, 6.0]]), atoms)
    assert (taught.mean - seen.sum(1)).abs().mean() < 0.1
    assert taught.epistemic.mean() < 0.1
    if prior:
        assert elsewhere.epistemic.min() > 5 * taught.epistemic.mean()


def spec(shape):
    return GameSpec("g", shape, "float32", Discrete(3), (0.0, 1.0))


def test_an_ensemble_has_a_value_and_a_reward_of_each_member():
    model = VectorModel(spec((4,)), members=3)
    latent = observe_first(model, torch.randn(2, 4))
    assert model.predict(latent).value.members.shape == (3, 2)
    assert model.imagine(latent, torch.tensor([0, 2]))[1].reward.members.shape == (3, 2)
    assert model.imagine(latent, torch.tensor([0, 2]))[1].discount.members is None


def test_a_prefix_is_refused_beside_an_ensemble():
    with pytest.raises(ConfigError, match=r"members = 2 with value_prefix = 5.*set value_prefix = 0"):
        SpatialModel(spec((3, 6, 6)), members=2, value_prefix=5)

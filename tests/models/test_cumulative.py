"""What heads say about the place of a number in their distribution: conformance, and distributions that are known."""

import pytest
import torch
from uncertain import Ensemble

from muzero.interfaces.heads import Joined
from muzero.models.heads import Certain, TwoHot, support
from muzero.models.value_prefix import StepOfPrefix, StepsOfPrefix

BATCH, ATOMS = 6, support(-4.0, 9.0, 7)


def two_hot(seed=0, batch=BATCH):
    return TwoHot(torch.randn(batch, len(ATOMS), generator=torch.Generator().manual_seed(seed)), ATOMS)


def step(seed):
    return StepOfPrefix(two_hot(seed), torch.linspace(-1, 1, BATCH))


HEADS = {
    "two-hot": two_hot(),
    "certain": Certain(torch.linspace(-3, 3, BATCH)),
    "a step of a prefix": step(0),
    "joined": Joined([two_hot(1), two_hot(2)]),
    "steps of a prefix": StepsOfPrefix([step(3), step(4)], [torch.ones(BATCH, dtype=torch.bool)] * 2),
    "an ensemble": Ensemble(torch.randn(5, BATCH, generator=torch.Generator().manual_seed(5))),
}
every_head = pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())


@every_head
def test_it_grows_from_zero_to_one(head):
    ones = torch.ones_like(head.mean)
    found = torch.stack([head.cumulative(number * ones) for number in torch.linspace(-12, 12, 200)])
    assert found.shape == (200, *head.mean.shape)
    assert (found[0] == 0).all() and torch.allclose(found[-1], ones) and (found.diff(dim=0) >= 0).all()


@every_head
def test_ties_count_in_part_and_lose_nothing(head):
    ones = torch.ones_like(head.mean)
    for number in torch.linspace(-6, 11, 30):
        found = torch.stack([head.cumulative(number * ones, tie * ones) for tie in (1e-6, 0.25, 0.5, 0.75, 1 - 1e-6)])
        assert (found.diff(dim=0) >= 0).all() and found.min() >= 0 and found.max() <= 1 + 1e-6
        # The atoms around a number are those that ties share: none further down, and none further up.
        assert (found[0] <= head.cumulative(number * ones) + 1e-5).all()


@every_head
def test_its_steps_have_the_mean_and_the_variance_of_the_head(head):
    """So it is of the mixture: the variance within the members, and that between them."""
    ones, grid = torch.ones_like(head.mean).double(), torch.linspace(-12, 12, 2401, dtype=torch.float64)
    mass = torch.stack([head.cumulative(number * ones) for number in grid]).double().diff(dim=0)
    place = (grid[1:] - grid.diff() / 2)[:, None]
    mean = (mass * place).sum(0)
    variance = (mass * (place - mean).square()).sum(0)
    between = 0 if head.members is None else head.members.var(0, correction=0)
    torch.testing.assert_close(mean, head.mean.double(), atol=0.01, rtol=0)
    torch.testing.assert_close(variance, (head.aleatoric.square() + between).double(), atol=0.02, rtol=0.01)


def test_it_sums_the_atoms_up_to_a_number():
    head = two_hot()
    chances = head.logits.softmax(-1)
    for place, atom in enumerate(ATOMS):
        at, above = head.cumulative(atom.expand(BATCH)), head.cumulative(atom.expand(BATCH) + 1e-4)
        assert torch.allclose(at, chances[:, : place + 1].sum(-1)) and torch.equal(at, above)
    assert (head.cumulative(ATOMS[:1].expand(BATCH) - 1e-4) == 0).all()


def test_a_tie_at_an_atom_is_the_share_of_that_atom():
    head, tie = two_hot(), torch.linspace(0.1, 0.9, BATCH)
    chances = head.logits.softmax(-1)
    for place, atom in enumerate(ATOMS):
        wanted = chances[:, :place].sum(-1) + tie * chances[:, place]
        torch.testing.assert_close(head.cumulative(atom.expand(BATCH), tie), wanted)


def test_a_number_between_atoms_that_is_taught_alone_is_as_likely_everywhere():
    """The head that fits it best puts it at two atoms; that is not doubt."""
    for number in (-3.3, 0.1, 1.0, 8.9):
        above = int(torch.searchsorted(ATOMS, torch.tensor(number)))
        share = (number - ATOMS[above - 1]) / (ATOMS[above] - ATOMS[above - 1])
        chances = torch.zeros(50, len(ATOMS))
        chances[:, above - 1], chances[:, above] = 1 - share, share
        tie = torch.linspace(0.01, 0.99, 50)
        head = TwoHot(chances.log().clamp(min=-60), ATOMS)
        torch.testing.assert_close(head.cumulative(torch.full((50,), number), tie), tie, atol=1e-5, rtol=0)


@pytest.mark.parametrize("spread", [0.3, 3.0])
def test_what_is_taught_is_uniform_however_coarse_the_atoms_are(spread):
    stats = pytest.importorskip("scipy.stats")
    generator = torch.Generator().manual_seed(1)
    taught = (1.7 + spread * torch.randn(4000, generator=generator)).clamp(ATOMS[0], ATOMS[-1])
    above = torch.searchsorted(ATOMS, taught).clamp(1, len(ATOMS) - 1)
    share = (taught - ATOMS[above - 1]) / (ATOMS[above] - ATOMS[above - 1])
    chances = torch.zeros(len(taught), len(ATOMS))
    chances.scatter_(1, above[:, None], share[:, None]).scatter_(1, above[:, None] - 1, 1 - share[:, None])
    head = TwoHot(chances.mean(0).log().clamp(min=-60).expand(4000, -1), ATOMS)
    found = head.cumulative(taught, torch.rand(4000, generator=generator))
    assert stats.kstest(found.numpy(), "uniform").pvalue > 0.01

"""Figures about predictions: data whose distribution is known, and what statistics packages say."""

import math

import numpy as np
import pytest
import torch

from muzero.evaluation.calibration import SHOWN, Predicted, TooFewTargets, auroc, figures, share_interval, spearman
from muzero.evaluation.intervals import wilson
from muzero.models.heads import TwoHot, support, two_hot_cumulative

stats = pytest.importorskip("scipy.stats")
COUNT = 3000
ATOMS = support(-12.0, 12.0, 201)
MEANS, DEVIATIONS = np.array([-3.0, 0.0, 1.5, 4.0]), np.array([0.3, 0.6, 1.0, 2.0])  # of each kind of inputs


class Normals:
    """The mixture of members [M, B] with normal distributions."""

    def __init__(self, means, deviations):
        self.members, self.deviations = means, deviations
        self.mean, self.epistemic = means.mean(0), means.std(0, correction=0)
        self.aleatoric = deviations.square().mean(0).sqrt()

    def cumulative(self, target, tie=None):
        return (0.5 + 0.5 * torch.erf((target - self.members) / self.deviations / math.sqrt(2))).mean(0)


class TwoHots:
    """The mixture of members [M, B, atoms]."""

    def __init__(self, logits, atoms):
        self.logits, self.atoms = logits, atoms
        chances = logits.softmax(-1)
        self.members = (chances * atoms).sum(-1)
        self.mean, self.epistemic = self.members.mean(0), self.members.std(0, correction=0)
        self.aleatoric = (chances * (atoms - self.members[..., None]).square()).sum(-1).mean(0).sqrt()

    def cumulative(self, target, tie=None):
        return two_hot_cumulative(self.logits, self.atoms, target, tie).mean(0)


def predicted(head, target, game=None, seed=100):  # ties of another seed than the data
    game = np.arange(len(target)) if game is None else game
    return Predicted.of(head, target, game, np.random.default_rng(seed))


def heteroscedastic(count=COUNT, seed=0):
    """Four kinds of inputs, and numbers whose mean and deviation depend on them."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(4, size=count)
    mean, deviation = MEANS[kind], DEVIATIONS[kind]
    return kind, torch.tensor(mean + deviation * rng.standard_normal(count)).float(), torch.tensor(deviation)


def taught(kind, target):
    """For each kind of inputs, the logits [4, atoms] that minimise the loss of a two-hot head."""
    above = torch.searchsorted(ATOMS, target).clamp(1, len(ATOMS) - 1)
    share = (target - ATOMS[above - 1]) / (ATOMS[above] - ATOMS[above - 1])
    encoded = torch.zeros(len(target), len(ATOMS))
    encoded.scatter_(1, above[:, None], share[:, None]).scatter_(1, above[:, None] - 1, 1 - share[:, None])
    return torch.stack([encoded[kind == each].mean(0) for each in range(4)]).clamp(min=1e-9).log()


def test_a_head_that_learned_noisy_data_covers_new_ones_and_knows_the_noise():
    logits = taught(*heteroscedastic(40_000, seed=1)[:2])
    kind, target, deviation = heteroscedastic()
    head = TwoHot(logits[kind], ATOMS)
    found = figures(predicted(head, target))
    for level in SHOWN:
        low, high = found["coverage_interval_95"][f"{level:.0%}"]
        assert low <= level <= high, level
    assert found["calibration_error"] < 0.02 and found["epistemic_share"] is found["spearman"] is None
    for each in range(4):
        assert head.aleatoric[kind == each].mean().item() == pytest.approx(deviation[kind == each][0].item(), rel=0.1)
    assert found["error"] == pytest.approx(deviation.square().mean().sqrt().item(), rel=0.05)


def test_a_head_is_calibrated_where_its_distribution_is_the_true_one():
    kind, target, deviation = heteroscedastic()
    mean = torch.tensor(MEANS[kind])
    said = predicted(Normals(mean[None], deviation[None]), target.double())
    assert stats.kstest(said.place, "uniform").pvalue > 0.01
    found = figures(said)
    assert sum(found["places"]) == pytest.approx(1) and max(found["places"]) < 0.07
    assert found["sharpness"] == pytest.approx(deviation.mean().item())


@pytest.mark.parametrize(("factor", "side"), [(0.5, -1), (2.0, 1)])
def test_a_head_that_is_too_sure_covers_too_little_and_one_that_is_too_unsure_too_much(factor, side):
    kind, target, deviation = heteroscedastic()
    mean = torch.tensor(MEANS[kind])
    found = figures(predicted(Normals(mean[None], factor * deviation[None]), target.double()))
    for level in SHOWN:
        low, high = found["coverage_interval_95"][f"{level:.0%}"]
        assert high < level if side < 0 else low > level, level
    assert found["calibration_error"] > 0.1


def test_the_variances_of_a_head_add_up_to_that_of_its_mixture():
    generator = torch.Generator().manual_seed(0)
    atoms = support(-12.0, 12.0, 21).double()
    head = TwoHots(torch.randn(5, 300, len(atoms), generator=generator, dtype=torch.float64), atoms)
    chances = torch.stack([head.cumulative(atom.expand(300)) for atom in atoms]).diff(
        dim=0, prepend=torch.zeros(1, 300)
    )
    mean = (chances * atoms[:, None]).sum(0)
    variance = (chances * (atoms[:, None] - mean).square()).sum(0)
    said = predicted(head, mean.clone())
    np.testing.assert_allclose(said.variance, variance, rtol=1e-6)
    np.testing.assert_allclose(said.epistemic**2 + said.aleatoric**2, variance, rtol=1e-6)
    found = figures(said)
    assert found["epistemic_share"] == pytest.approx(float((said.epistemic**2).sum() / variance.sum()))


def test_a_mixture_of_members_that_differ_is_calibrated_as_a_mixture():
    generator, rng = torch.Generator().manual_seed(2), np.random.default_rng(2)
    means = torch.randn(5, COUNT, generator=generator, dtype=torch.float64)
    drawn = means[torch.from_numpy(rng.integers(5, size=COUNT)), torch.arange(COUNT)]
    target = drawn + 0.3 * torch.from_numpy(rng.standard_normal(COUNT))
    assert figures(predicted(Normals(means, torch.full_like(means, 0.3)), target))["calibration_error"] < 0.02
    alone = figures(predicted(Normals(means[:1], torch.full_like(means[:1], 0.3)), target))
    assert alone["calibration_error"] > 0.1 and alone["epistemic_share"] == 0


def test_doubt_that_follows_the_error_has_a_rank_correlation():
    rng = np.random.default_rng(3)
    doubt = rng.gamma(2.0, size=COUNT)
    means = torch.from_numpy(doubt * np.array([[-1.0], [1.0]]))  # their mean is 0, their deviation the doubt
    target = torch.from_numpy(doubt * rng.standard_normal(COUNT))
    found = figures(predicted(Normals(means, torch.full_like(means, 0.01)), target))
    assert found["spearman"] == pytest.approx(stats.spearmanr(target.abs().numpy(), doubt).statistic)
    assert found["spearman"] > 0.3 and found["epistemic_share"] > 0.99


@pytest.mark.parametrize("kinds", [3, 10_000])
def test_rank_correlations_are_those_of_scipy_with_ties_and_without(kinds):
    rng = np.random.default_rng(4)
    x = rng.integers(kinds, size=500) / kinds
    y = np.round(x + rng.integers(-kinds, kinds, size=500) / kinds, 3)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert spearman(x, -x) == pytest.approx(-1) and spearman(x, np.ones(500)) is None


def doubting(epistemic, games=None):
    nothing = np.zeros(len(epistemic))
    game = np.arange(len(epistemic)) if games is None else games
    return Predicted(nothing, nothing, nothing, nothing, np.asarray(epistemic, float), game)


@pytest.mark.parametrize("kinds", [2, 10_000])
def test_the_area_under_the_curve_is_the_statistic_of_mann_and_whitney(kinds):
    rng = np.random.default_rng(5)
    inside, outside = rng.integers(kinds, size=400), rng.integers(kinds, size=300) + kinds // 3
    area, (low, high) = auroc(doubting(inside), doubting(outside), rng)
    assert area == pytest.approx(stats.mannwhitneyu(outside, inside).statistic / (400 * 300), abs=1e-12)
    assert low < area < high and high - low < 0.12


def test_the_area_is_one_where_doubt_separates_a_half_where_it_is_the_same_and_games_are_drawn_whole():
    rng = np.random.default_rng(6)
    assert auroc(doubting([1, 2, 3]), doubting([4, 5]), rng) == (1.0, (1.0, 1.0))
    assert auroc(doubting([2, 2]), doubting([2]), rng)[0] == 0.5
    numbers = rng.standard_normal((2, 40))
    alone = auroc(*(doubting(row) for row in numbers), rng)[1]
    repeated = auroc(*(doubting(np.tile(row, 50), np.tile(np.arange(40), 50)) for row in numbers), rng)[1]
    assert repeated[1] - repeated[0] == pytest.approx(alone[1] - alone[0], rel=0.25)


def test_intervals_are_binomial_for_games_of_one_number_and_as_wide_for_repeated_ones():
    hits = np.random.default_rng(7).random(400) < 0.8
    share = hits.mean()
    found = share_interval(hits, np.arange(400))
    assert found == pytest.approx(wilson(share, 400), abs=1e-3)
    assert share_interval(np.repeat(hits, 10), np.repeat(np.arange(400), 10)) == pytest.approx(found, abs=1e-3)
    assert share_interval(np.ones(400, bool), np.arange(400) % 40) == wilson(1.0, 40)


def test_fewer_than_two_hundred_targets_say_nothing():
    kind, target, deviation = heteroscedastic(250)
    mean = torch.tensor(MEANS[kind])
    head, unknown = Normals(mean[None], deviation[None]), target.double()
    unknown[:51] = torch.nan
    with pytest.raises(TooFewTargets, match="199 targets, expected at least 200"):
        figures(predicted(head, unknown))
    unknown[0] = 0.0
    assert figures(predicted(head, unknown))["targets"] == 200

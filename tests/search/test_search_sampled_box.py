"""A search over sampled real-valued actions: what it draws, what its prior corrects, and what it finds."""

import re
from statistics import NormalDist

import numpy as np
import pytest

from muzero import search
from muzero.search.sampled_box import points

MEANS, DEVIATIONS = [0.2, -0.4], [0.5, 1.5]


def rng(seed=0):
    return np.random.default_rng(seed)


def roots(batch, size=1):
    return np.tile(np.array(MEANS[:size] + DEVIATIONS[:size], np.float32), (batch, 1))


def nothing(*edges):
    raise AssertionError("no simulation was asked for")


def before(actions):
    """The normal variables of which actions are the tanh, as far as float32 keeps them."""
    return np.arctanh(actions.astype(np.float64).clip(-1 + 1e-7, 1 - 1e-7))


def near(found, truth, axis=None):
    """Whether the mean of samples lies within 4 standard errors of what it should be."""
    error = found.std(axis) / np.sqrt(found.shape[0] if axis == 0 else found.size)
    return (np.abs(found.mean(axis) - truth) <= 4 * error + 1e-6).all()


def share_below(value, mean, deviation):
    return NormalDist(mean, deviation).cdf(value)


@pytest.mark.parametrize(("wide", "width"), [(0.0, 3.0), (0.75, 3.0), (0.5, 2.0), (1.0, 4.0)])
def test_samples_have_the_distribution_of_the_mixture(wide, width):
    sampled = search.SampledBox(roots(5000), nothing, 8, rng(), wide, width)
    drawn = before(sampled.actions)[:, :, 0]
    for place in (-1.5, -0.3, 0.2, 0.4, 1.7):
        policy, wider = (share_below(place, MEANS[0], factor * DEVIATIONS[0]) for factor in (1, width))
        assert near((drawn < place).astype(float), (1 - wide) * policy + wide * wider)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(("wide", "width"), [(0.0, 3.0), (0.75, 3.0), (0.5, 2.0)])
def test_the_prior_over_samples_has_the_expectations_of_the_policy(size, wide, width):
    sampled = search.SampledBox(roots(20_000, size), nothing, 8, rng(), wide, width)
    prior = np.exp(sampled.prior_logits.astype(np.float64))
    # Not of actions, but of what they were made of: its moments are known.
    drawn = before(sampled.actions)
    assert near(prior.sum(1), 1.0)
    for place in range(size):
        mean, deviation = MEANS[place], DEVIATIONS[place]
        inside = np.abs(drawn[:, :, place] - mean) < deviation
        assert near((prior * inside).sum(1), 0.682689)
        if deviation < 1:  # where hardly anything is beyond what float32 tells from 1
            assert near((prior * drawn[:, :, place]).sum(1), mean)
            assert near((prior * (drawn[:, :, place] - mean) ** 2).sum(1), deviation**2)


def test_actions_drawn_by_the_policy_itself_count_alike():
    sampled = search.SampledBox(roots(3, 2), nothing, 8, rng(), wide=0)
    np.testing.assert_allclose(np.exp(sampled.prior_logits), 1 / 8, rtol=1e-6)
    assert sampled.legal.all()


def bandit(worth):
    """A game of one move, which pays worth(action) [B]."""

    def expand(parent, action, node):
        assert action.dtype == np.float32
        zero = np.zeros(len(node), np.float32)
        return worth(action).astype(np.float32), zero, zero, np.tile(np.array([0, 1], np.float32), (len(node), 1))

    return expand


@pytest.mark.parametrize("wide", [0.0, 0.75])
def test_the_improved_policy_is_that_of_quadrature(wide):
    """r = -(a - 0.3)^2: softmax(log pi + 20 r) has a mean that a sum over a fine grid gives."""
    batch, count, scale = 10_000, 16, 20.0
    sampled = search.SampledBox(roots(batch), bandit(lambda a: -((a[:, 0] - 0.3) ** 2)), count, rng(), wide)
    value = np.zeros(batch, np.float32)
    settings = {"considered": count, "value_scale": scale, "visit_offset": 0.0, "rescale": False}
    result = sampled.resolved(search.gumbel(sampled.prior_logits, value, sampled.expand, count, **settings))
    assert (result.visits == 1).all()
    grid = np.linspace(MEANS[0] - 8 * DEVIATIONS[0], MEANS[0] + 8 * DEVIATIONS[0], 20_001)
    action = np.tanh(grid)
    weight = np.exp(-(((grid - MEANS[0]) / DEVIATIONS[0]) ** 2) / 2 - scale * (action - 0.3) ** 2)
    # Weights of a row are normalised, which biases few samples: undone by the sums that they were divided by.
    total = np.exp(sampled.prior_logits.astype(np.float64) + scale * result.q).sum(1)
    for power in (1, 2):
        truth = (weight * action**power).sum() / weight.sum()
        found = (result.policy * sampled.actions[:, :, 0].astype(np.float64) ** power).sum(1)
        assert near(total / total.mean() * (found - truth), 0.0)
    assert result.chosen.shape == (batch, 1) and result.chosen.dtype == np.float32
    assert np.median(np.abs(result.chosen - 0.3)) < 0.1


def walk(batch, calls=None):
    """A game of steps on a line, [B, D]: the nearer to 0.5 the better; means follow the place."""
    places = np.zeros((64, batch, 2), np.float32)

    def expand(parent, action, node):
        rows = np.arange(batch)
        places[node, rows] = places[parent, rows] + action / 4
        if calls is not None:
            calls.append((action.copy(), node.copy()))
        reward = -((places[node, rows] - 0.5) ** 2).sum(1)
        normals = np.concatenate([-places[node, rows], np.full((batch, 2), 0.5, np.float32)], 1)
        return reward, np.full(batch, 0.9, np.float32), reward, normals

    return expand


def play(batch=3, seed=0, calls=None, normals=None, **options):
    given = roots(batch, 2) if normals is None else normals
    expand, source = walk(len(given), calls), None if seed is None else rng(seed)
    sampled = search.SampledBox(given, expand, 6, source, **options)
    value = np.zeros(len(given), np.float32)
    result = search.gumbel(sampled.prior_logits, value, sampled.expand, 40)
    return sampled, sampled.resolved(result), source


def test_every_node_takes_the_same_number_of_random_numbers():
    *_, source = play()
    same = rng(0)
    same.standard_normal((41, 3, 6, 2))
    assert source.bit_generator.state == same.bit_generator.state


def test_a_row_does_not_depend_on_what_other_rows_hold():
    other = roots(3, 2)
    other[[0, 2]] = [[1.5, 0.3, 0.2, 0.9]]
    one, two = play()[1], play(normals=other)[1]
    for name in ("visits", "policy", "value", "q", "chosen"):
        assert getattr(one, name)[1].tobytes() == getattr(two, name)[1].tobytes()
    assert one.value[0] != two.value[0]


def test_without_a_source_a_batch_is_its_rows_and_nothing_is_random():
    given = rng(2).uniform(0.1, 1, (4, 4)).astype(np.float32)
    together = play(normals=given, seed=None)[1]
    for row in range(4):
        alone = play(normals=given[row : row + 1], seed=None)[1]
        for name in ("visits", "policy", "value", "q", "chosen"):
            assert getattr(alone, name)[0].tobytes() == getattr(together, name)[row].tobytes()


def test_without_a_source_the_first_sample_is_the_middle_of_the_policy():
    sampled = search.SampledBox(roots(2, 2), nothing, 6, None, wide=0)
    np.testing.assert_allclose(sampled.actions[:, 0], np.tanh([MEANS, MEANS]), rtol=1e-6)
    assert (sampled.actions[0] == sampled.actions[1]).all() and len(np.unique(sampled.actions[0], axis=0)) == 6


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_fixed_points_are_spread_like_normal_numbers(size):
    table = points(401, size)
    assert (table[0] == 0).all() and np.abs(table.mean(0)).max() < 1e-12
    np.testing.assert_allclose(table.std(0), 1, atol=0.03)
    assert np.abs(np.corrcoef(table.T) - np.eye(size)).max() < 0.15
    for place in (-1.0, 0.5, 2.0):
        np.testing.assert_allclose((table < place).mean(0), share_below(place, 0, 1), atol=0.02)
    assert points(1, size).tolist() == [[0.0] * size]


def test_the_tree_says_what_its_slots_stand_for():
    calls = []
    sampled, result, _ = play(calls=calls)
    np.testing.assert_array_equal(result.chosen, sampled.action(result.action))
    for row in range(3):
        for action, node in calls:
            made = result.tree.node(row, int(node[row]))
            np.testing.assert_array_equal(result.tree.action_at(row, made.parent, made.action), action[row])
    assert len(np.unique(np.concatenate([action[0] for action, _ in calls]))) > 40


def test_extreme_policies_are_searched():
    given = np.array([[50, -50, 1e-6, 1e6], [3e38, -3e38, 1e-30, 3e38]], np.float32)
    sampled, result, _ = play(normals=given)
    assert np.isfinite(sampled.prior_logits).all() and (np.abs(sampled.actions) <= 1).all()
    np.testing.assert_array_equal(result.visits.sum(1), 40)


NORMALS = roots(2)
NAN = np.array([[0, 1], [np.nan, 1]], np.float32)
WRONG_OPTIONS = [
    ({"normals": NAN}, "normals[1] holds a number that is not finite"),
    ({"normals": NORMALS.astype(float)}, "normals: expected float32 of shape (batch, actions), got float64"),
    ({"normals": NORMALS[:, :1].copy()}, "normals: expected means and as many deviations, got 1 columns"),
    ({"normals": NORMALS * [[1, 1], [1, 0]]}, "normals: expected float32 of shape (batch, actions), got float64"),
    ({"normals": np.float32([[0, 1], [0, 0]])}, "normals[1] holds a deviation that is not above 0"),
    ({"samples": 0}, "samples: expected an integer from 1 to 1000000, got 0"),
    ({"rng": 0}, "rng: expected a numpy.random.Generator, got 0"),
    ({"wide": 1.5}, "wide: expected a number from 0 to 1, got 1.5"),
    ({"width": 0.5}, "width: expected a finite number, 1 or more, got 0.5"),
]


@pytest.mark.parametrize(("options", "message"), WRONG_OPTIONS)
def test_options_out_of_range_are_refused_by_name(options, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        search.SampledBox(**{"normals": NORMALS, "expand": nothing, "samples": 2, "rng": rng(), **options})


ZERO = np.zeros(2, np.float32)
WRONG_ANSWERS = [
    (None, "expand: expected the tuple (reward, discount, value, prior_logits), got <class 'NoneType'>"),
    ((ZERO, ZERO, ZERO, NORMALS[:1]), "expand: normals: expected float32 of shape (2, 2), got float32"),
    ((ZERO, ZERO, ZERO, NAN), "expand: normals[1] holds a number that is not finite"),
    ((ZERO, ZERO, ZERO, -NORMALS), "expand: normals[0] holds a deviation that is not above 0"),
    ((ZERO * np.nan, ZERO, ZERO, NORMALS), "expand: reward[0]"),
]


@pytest.mark.parametrize(("answer", "message"), WRONG_ANSWERS)
def test_what_expand_must_not_return_is_refused_by_name(answer, message):
    sampled = search.SampledBox(NORMALS, lambda *edges: answer, 2, rng())
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        search.gumbel(sampled.prior_logits, ZERO, sampled.expand, 3)

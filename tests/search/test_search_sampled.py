"""A search over sampled actions is a search over all of them, up to the noise of sampling."""

import re

import numpy as np
import pytest
import reference_search as reference

from muzero import search

A = 12


def rng(seed=0):
    return np.random.default_rng(seed)


def softmax(logits):
    power = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)


def roots(batch=1, actions=A, seed=1):
    return np.tile(rng(seed).normal(0, 1.5, actions).astype(np.float32), (batch, 1))


def nothing(*edges):
    raise AssertionError("no simulation was asked for")


@pytest.mark.parametrize("options", [{}, {"temperature": 3.0}, {"temperature": 0.7}, {"fraction": 0.4, "alpha": 0.5}])
@pytest.mark.parametrize("samples", [1, 7])
def test_the_prior_over_samples_has_the_expectations_of_the_policy(options, samples):
    logits, legal, worth = roots(20_000), np.arange(A) % 4 != 1, rng(2).normal(size=A)
    sampled = search.Sampled(logits, nothing, samples, rng(), np.tile(legal, (20_000, 1)), **options)
    prior = np.where(sampled.legal, np.exp(sampled.prior_logits.astype(np.float64)), 0)
    found = (prior * worth[sampled.actions]).sum(axis=1)
    truth = softmax(np.where(legal, logits[0].astype(np.float64), -np.inf)) @ worth
    assert abs(found.mean() - truth) <= 4 * found.std() / np.sqrt(len(found)) + 1e-6


@pytest.mark.parametrize("options", [{}, {"temperature": 2.0}, {"fraction": 0.3, "temperature": 0.8}])
def test_with_many_samples_the_prior_is_the_policy(options):
    logits = roots(3)
    sampled = search.Sampled(logits, nothing, 200_000, rng(), **options)
    prior = sampled.full(np.where(sampled.legal, np.exp(sampled.prior_logits), 0))
    np.testing.assert_allclose(prior, softmax(logits), rtol=0.15, atol=2e-3)


def test_actions_drawn_by_the_policy_itself_count_as_often_as_drawn():
    logits = roots(500)
    sampled = search.Sampled(logits, nothing, 8, rng())
    counts = np.where(sampled.legal, 8 * np.exp(sampled.prior_logits), 0)
    np.testing.assert_allclose(counts, counts.round(), atol=1e-5)
    np.testing.assert_array_equal(counts.round().sum(axis=1), 8)
    assert counts.max() > 1.5


def test_an_action_drawn_twice_has_one_slot():
    sampled = search.Sampled(roots(500), nothing, 8, rng())
    for actions, legal in zip(sampled.actions, sampled.legal, strict=True):
        used = legal.sum()
        assert legal[:used].all() and (np.diff(actions[:used]) > 0).all() and (actions[used:] == -1).all()
    assert not sampled.legal.all()


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_an_action_that_is_not_legal_is_never_drawn(fraction):
    legal = rng().random((300, A)) < 0.4
    legal[:, 5] = True
    sampled = search.Sampled(np.where(legal, 0, 50).astype(np.float32), nothing, 20, rng(), legal, fraction=fraction)
    rows, slots = np.nonzero(sampled.legal)
    assert legal[rows, sampled.actions[rows, slots]].all()


def test_noise_draws_unlikely_actions_and_gives_them_no_weight():
    logits = np.zeros((50, 4), np.float32)
    logits[:, 1:] = -40
    assert (search.Sampled(logits, nothing, 10, rng(), temperature=1.0).actions[:, 1:] == -1).all()
    sampled = search.Sampled(logits, nothing, 10, rng(), fraction=0.5)
    unlikely = sampled.prior_logits[sampled.legal & (sampled.actions > 0)]
    assert len(unlikely) > 10 and (unlikely < -30).all()


def bandit(reward):
    """A game of one move, which pays the reward [A] of its action."""

    def expand(parent, action, node):
        zero = np.zeros(len(node), np.float32)
        return reward[action], zero, zero, np.zeros((len(node), len(reward)), np.float32)

    return expand


@pytest.mark.parametrize("rule", [search.puct, search.gumbel])
def test_the_best_of_a_thousand_actions_is_found_among_twenty_samples(rule):
    logits, reward = np.zeros((16, 1000), np.float32), rng(3).random(1000).astype(np.float32)
    logits[:, 700], reward[700] = 7, 2
    sampled = search.Sampled(logits, bandit(reward), 20, rng())
    result = rule(sampled.prior_logits, np.zeros(16, np.float32), sampled.expand, 60, legal=sampled.legal)
    assert (sampled.action(result.action) == 700).all()
    assert (sampled.full(result.policy).argmax(axis=1) == 700).all()


def test_a_search_over_samples_is_the_full_search_with_others_illegal():
    logits, reward = roots(8, 1000), rng(3).random(1000).astype(np.float32)
    value = np.zeros(8, np.float32)
    sampled = search.Sampled(logits, bandit(reward), 20, rng(), temperature=2.0, fraction=0.2)
    found = search.puct(sampled.prior_logits, value, sampled.expand, 100, sampled.legal, max_depth=1)
    legal, prior = sampled.full(sampled.legal), sampled.full(sampled.prior_logits)
    full = search.puct(prior, value, bandit(reward), 100, legal, max_depth=1)
    np.testing.assert_array_equal(sampled.full(found.visits), full.visits)
    np.testing.assert_array_equal(sampled.action(found.action), full.action)

    def columns(parent, action, node):  # the same slots by hand, without what `Sampled` does in a simulation
        return *bandit(reward)(parent, sampled.actions[np.arange(8), action], node)[:3], np.zeros((8, 20), np.float32)

    alone = search.puct(sampled.prior_logits, value, columns, 100, sampled.legal, max_depth=1)
    assert alone.visits.tobytes() == found.visits.tobytes()


def play(table, samples=6, simulations=60, seed=0, **options):
    logits, value = table.root
    sampled = search.Sampled(logits, table.expand, samples, None if seed is None else rng(seed), **options)
    return sampled, search.puct(sampled.prior_logits, value, sampled.expand, simulations, legal=sampled.legal)


def test_below_the_root_every_node_has_slots_of_its_own():
    table = reference.Table.random(rng(4), 3, 30)
    _, result = play(table)
    children, orders = result.tree.children, set()
    for row in range(3):
        action_of = {int(node[row]): int(action[row]) for _, action, node in table.calls}
        for below in children[row]:
            order = [action_of[int(node)] for node in below if node >= 0]
            assert order == sorted(set(order))
            orders.add(tuple(order))
    assert len(orders) > 10


def test_actions_that_the_model_says_do_not_exist_are_never_drawn():
    table = reference.Table.random(rng(5), 4, 10)
    table.logits[:, [0, 3, 4, 9]] = -np.inf
    logits, value = np.zeros((4, 10), np.float32), np.zeros(4, np.float32)
    sampled = search.Sampled(logits, table.expand, 5, rng())
    search.puct(sampled.prior_logits, value, sampled.expand, 60, legal=sampled.legal)
    below = [action[parent > 0] for parent, action, _ in table.calls]
    assert set(np.concatenate(below).tolist()) == {1, 2, 5, 6, 7, 8}


def test_the_tree_says_what_its_slots_stand_for():
    table = reference.Table.random(rng(4), 3, 30)
    sampled, result = play(table)
    result = sampled.resolved(result)
    np.testing.assert_array_equal(result.chosen, sampled.action(result.action))
    assert result.chosen.dtype == np.int64
    for row in range(3):
        for _, action, node in table.calls:
            made = result.tree.node(row, int(node[row]))
            assert result.tree.action_at(row, made.parent, made.action) == action[row]


def test_the_same_source_gives_the_same_bytes_and_another_gives_others():
    first, again, other = (play(reference.Table.random(rng(6), 3, 30), seed=seed)[1] for seed in (0, 0, 1))
    assert first.visits.tobytes() == again.visits.tobytes() and first.value.tobytes() == again.value.tobytes()
    assert first.value.tobytes() != other.value.tobytes()


def test_without_a_source_the_samples_are_quantiles():
    logits = np.log(np.array([[0.1, 0.5, 0.03, 0.37], [0.97, 0.01, 0.01, 0.01]], np.float32))
    sampled = search.Sampled(logits, nothing, 10, None)
    counts = sampled.full(10 * np.exp(sampled.prior_logits))
    np.testing.assert_allclose(counts, [[1, 5, 0, 4], [10, 0, 0, 0]], atol=1e-5)
    results = [play(reference.Table.random(rng(6), 3, 30), seed=None)[1] for _ in range(2)]
    assert results[0].value.tobytes() == results[1].value.tobytes()


def test_a_row_does_not_depend_on_what_other_rows_hold():
    one, two = (reference.Table.random(rng(7), 3, 30) for _ in range(2))
    two.roots[0], two.roots[2] = 77, 99
    two.states[0, 0], two.states[2, 0] = 77, 99
    one, two = play(one, fraction=0.3)[1], play(two, fraction=0.3)[1]
    for name in ("visits", "policy", "value", "q"):
        assert getattr(one, name)[1].tobytes() == getattr(two, name)[1].tobytes()
    assert one.value[0] != two.value[0]


def test_extreme_logits_and_temperatures_are_searched():
    for temperature in (1e-300, 1e300):
        table = reference.Table.random(rng(8), 3, 30)
        table.logits[::2] = np.where(table.logits[::2] > 0, 3.4e38, -3.4e38)
        sampled, result = play(table, temperature=temperature, fraction=0.25)
        assert np.isfinite(sampled.prior_logits).all() and np.isfinite(result.value).all()
        np.testing.assert_array_equal(result.visits.sum(axis=1), 60)


def test_a_density_is_corrected_by_the_formula_alone():
    """A normal distribution, sampled by a wider one: the mean and the variance come out."""
    points = rng().normal(0, 2, (1, 200_000))
    policy, sampling = -0.5 * points**2, -0.5 * (points / 2) ** 2 - np.log(2)
    prior = np.exp(search.sampled_prior(policy, sampling, np.ones(points.shape, np.int64)).astype(np.float64))
    assert [prior.sum(), (prior * points).sum(), (prior * points**2).sum()] == pytest.approx([1, 0, 1], abs=0.02)


def test_what_was_not_drawn_has_no_prior():
    lot = np.array([[0.5, np.nan, -1.0]])
    prior = search.sampled_prior(lot, lot, np.array([[3, 0, 1]]))
    np.testing.assert_allclose(np.exp(prior), [[0.75, 0, 0.25]], rtol=1e-6)


LOGITS, COUNTS = np.zeros((2, 3), np.float32), np.ones((2, 3), np.int64)
NAN = np.array([[0, 0, 0], [0, np.nan, 0]], np.float32)
WRONG_PRIORS = [
    (LOGITS, LOGITS, COUNTS[:, :2], "policy_logits: expected floats of shape (2, 2), got float32 of shape (2, 3)"),
    (LOGITS, LOGITS, LOGITS, "counts: expected integers of shape (batch, actions), got float32"),
    (LOGITS, LOGITS, COUNTS - [[1], [2]], "counts[1] holds a negative number; expected 0 or more"),
    (LOGITS, LOGITS, COUNTS * [[1], [0]], "counts[1] holds no sample; expected one at least"),
    (NAN, LOGITS, COUNTS, "policy_logits[1] holds a number that is not finite"),
    (LOGITS, NAN, COUNTS, "sampling_logits[1] holds a number that is not finite"),
    (LOGITS, None, COUNTS, "sampling_logits: expected floats of shape (2, 3), got <class 'NoneType'>"),
]


@pytest.mark.parametrize(("policy", "sampling", "counts", "message"), WRONG_PRIORS)
def test_samples_without_a_prior_are_refused_by_name(policy, sampling, counts, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        search.sampled_prior(policy, sampling, counts)


WRONG_OPTIONS = [
    ({"prior_logits": NAN}, "prior_logits[1] holds a number that is not finite"),
    ({"prior_logits": LOGITS.astype(float)}, "prior_logits: expected float32 of shape (batch, actions), got float64"),
    ({"samples": 0}, "samples: expected an integer from 1 to 1000000, got 0"),
    ({"samples": 2.0}, "samples: expected an integer from 1 to 1000000, got 2.0"),
    ({"legal": LOGITS > 0}, "legal[0] allows no action"),
    ({"temperature": 0}, "temperature: expected a finite number above 0, got 0"),
    ({"fraction": 1.5}, "fraction: expected a number from 0 to 1, got 1.5"),
    ({"fraction": 0.5, "alpha": 0}, "alpha: expected a number above 0, got 0"),
    ({"rng": 0}, "rng: expected a numpy.random.Generator, got 0"),
    ({"rng": None, "fraction": 0.5}, "rng: expected a numpy.random.Generator, got None"),
]


@pytest.mark.parametrize(("options", "message"), WRONG_OPTIONS)
def test_options_out_of_range_are_refused_by_name(options, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        search.Sampled(**{"prior_logits": LOGITS, "expand": nothing, "samples": 2, "rng": rng(), **options})


ZERO = np.zeros(2, np.float32)
WRONG_ANSWERS = [
    (None, "expand: expected the tuple (reward, discount, value, prior_logits), got <class 'NoneType'>"),
    ((ZERO, ZERO, ZERO, LOGITS[:, :2].copy()), "expand: prior_logits: expected float32 of shape (2, 3), got float32"),
    ((ZERO, ZERO, ZERO, NAN), "expand: prior_logits[1] holds a number that is neither finite nor -inf"),
    ((ZERO, ZERO, ZERO, LOGITS - np.inf), "expand: prior_logits[0] holds no action: all are -inf"),
    ((ZERO, ZERO[:1], ZERO, LOGITS), "expand: discount: expected float32 of shape (2,), got float32 of shape (1,)"),
]


@pytest.mark.parametrize(("answer", "message"), WRONG_ANSWERS)
def test_what_expand_must_not_return_is_refused_by_name(answer, message):
    sampled = search.Sampled(LOGITS, lambda *edges: answer, 2, rng())
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        search.puct(sampled.prior_logits, ZERO, sampled.expand, 3, legal=sampled.legal)

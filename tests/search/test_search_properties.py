"""Properties of every search, over random problems."""

from functools import partial

import numpy as np
import pytest
import reference_search as reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from muzero import search

CLEAR = 3e-6  # closer decisions than this may fall differently in single precision
FIELDS = ("action", "policy", "value", "visits", "q")

rules = st.one_of(
    st.builds(
        partial,
        st.just(search.puct),
        c_init=st.sampled_from([0.5, 1.25, 10.0]),
        normalize=st.sampled_from(["siblings", "tree", (-2.0, 3.0)]),
    ),
    st.builds(
        partial,
        st.just(search.gumbel),
        considered=st.integers(1, 20),
        value_scale=st.sampled_from([0.1, 1.0]),
        rescale=st.booleans(),
        least_range=st.sampled_from([1e-8, 0.3]),
    ),
)
seeds = st.integers(0, 2**32 - 1)
simulations = st.integers(1, 60)


class Problem:
    """Roots, a mask, noise for Gumbel, and a model that is a table of numbers."""

    def __init__(self, seed, batch=3, most_actions=20, sharpness=1.0):
        rng = np.random.default_rng(seed)
        actions = int(rng.integers(1, most_actions + 1))
        self.table = reference.Table.random(rng, batch, actions, sharpness=sharpness)
        self.legal = rng.random((batch, actions)) < 0.6
        self.legal[np.arange(batch), rng.integers(0, actions, batch)] = True
        self.noise = rng.gumbel(size=(batch, actions)).astype(np.float32)
        self.max_depth = rng.choice([None, None, 1, 3])

    def rows(self, rows):
        """The same problem with these rows only, in this order."""
        other = object.__new__(Problem)
        table = self.table
        roots = [table.roots[row] for row in rows]
        other.table = reference.Table(table.logits, table.value, table.reward, table.discount, roots)
        other.legal, other.noise, other.max_depth = self.legal[rows].copy(), self.noise[rows].copy(), self.max_depth
        return other

    def run(self, rule, simulations, expand=None):
        options = {"noise": self.noise} if rule.func is search.gumbel else {}
        expand = expand or self.table.expand
        return rule(*self.table.root, expand, simulations, legal=self.legal, max_depth=self.max_depth, **options)


def assert_same_bytes(one, other, fields=FIELDS):
    for name in fields:
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


@settings(max_examples=100, deadline=None)
@given(seeds, rules, simulations)
def test_every_simulation_is_a_visit_of_a_legal_action(seed, rule, simulations):
    problem = Problem(seed)
    result = problem.run(rule, simulations)
    np.testing.assert_array_equal(result.visits.sum(axis=1), simulations)
    for forbidden in (result.visits, result.policy, result.q):
        assert not forbidden[~problem.legal].any()
    np.testing.assert_allclose(result.policy.sum(axis=1), 1, atol=1e-6)
    assert (result.visits[np.arange(3), result.action] > 0).all()


@settings(max_examples=100, deadline=None)
@given(seeds, rules, simulations, st.permutations(range(4)))
def test_rows_in_another_order_or_alone_give_the_same_bytes(seed, rule, simulations, order):
    problem = Problem(seed, batch=4)
    together = problem.run(rule, simulations)
    for rows in (order, order[:1]):
        other = problem.rows(rows).run(rule, simulations)
        for name in FIELDS:
            assert getattr(other, name).tobytes() == getattr(together, name)[rows].tobytes()


@settings(max_examples=100, deadline=None)
@given(seeds, rules, simulations)
def test_renamed_actions_are_searched_alike(seed, rule, simulations):
    problem, renamed = Problem(seed, batch=1), Problem(seed, batch=1)
    new = np.random.default_rng(seed).permutation(problem.legal.shape[1])  # action i of one is new[i] of the other
    old = np.argsort(new)
    renamed.legal, renamed.noise = problem.legal[:, old], problem.noise[:, old]
    renamed.table.logits = np.ascontiguousarray(problem.table.logits[:, old])
    result = problem.run(rule, simulations)
    other = renamed.run(rule, simulations, lambda parent, action, node: renamed.table.expand(parent, old[action], node))
    assume(margin(problem, rule, simulations) > CLEAR)
    if rule.func is search.gumbel or (result.visits == result.visits.max()).sum() == 1:  # equal visits go by index
        np.testing.assert_array_equal(other.action, new[result.action])
    np.testing.assert_array_equal(other.visits[:, new], result.visits)
    np.testing.assert_allclose(other.policy[:, new], result.policy, atol=2e-4)
    np.testing.assert_allclose(other.q[:, new], result.q, atol=1e-5)
    np.testing.assert_allclose(other.value, result.value, atol=1e-5)


def margin(problem, rule, simulations):
    """How clear the closest decision of the first row's search is."""
    if rule.func is search.gumbel:
        slow = reference.Gumbel(simulations, problem.noise[0], **rule.keywords)
    else:
        slow = reference.Puct(**rule.keywords)
    return reference.search(problem.table, 0, slow, simulations, problem.legal[0], problem.max_depth).margin


@settings(max_examples=100, deadline=None)
@given(seeds, rules, simulations, st.integers(-1000, 1000))
def test_a_constant_added_to_all_logits_changes_nothing(seed, rule, simulations, constant):
    problem, shifted = Problem(seed), Problem(seed)
    for each in (problem, shifted):
        each.table.logits = np.round(each.table.logits * 64) / 64  # so that the sum is exact
    shifted.table.logits = shifted.table.logits + np.float32(constant)
    assert_same_bytes(problem.run(rule, simulations), shifted.run(rule, simulations))


@settings(max_examples=100, deadline=None)
@given(seeds, rules, simulations)
def test_logits_of_actions_that_are_not_legal_change_nothing(seed, rule, simulations):
    problem = Problem(seed)
    result = problem.run(rule, simulations)
    logits, value = problem.table.root
    loud = np.where(problem.legal, logits, np.float32(1e30))
    noise = {"noise": np.where(problem.legal, problem.noise, np.float32(1e10))} if rule.func is search.gumbel else {}
    expand = problem.rows(range(3)).table.expand
    other = rule(loud, value, expand, simulations, legal=problem.legal, max_depth=problem.max_depth, **noise)
    assert_same_bytes(result, other)


@settings(max_examples=100, deadline=None)
@given(seeds, st.sampled_from(["siblings", "range", "gumbel"]), simulations, st.integers(0, 20))
def test_rewards_and_values_in_another_currency_give_the_same_search(seed, kind, simulations, doublings):
    """Powers of two are exact in every step.  Not for "tree", whose smallest range is absolute."""
    problem, other, rate = Problem(seed), Problem(seed), np.float32(2**doublings)
    other.table.value, other.table.reward = problem.table.value * rate, problem.table.reward * rate
    rules = {
        "siblings": lambda rate: partial(search.puct),
        "range": lambda rate: partial(search.puct, normalize=(-2.0 * rate, 3.0 * rate)),
        "gumbel": lambda rate: partial(search.gumbel),
    }
    result, converted = problem.run(rules[kind](1), simulations), other.run(rules[kind](2**doublings), simulations)
    assert_same_bytes(result, converted, ("action", "policy", "visits"))
    assert (result.value * rate).tobytes() == converted.value.tobytes()
    assert (result.q * rate).tobytes() == converted.q.tobytes()


@settings(max_examples=100, deadline=None)
@given(seeds, st.sampled_from(["siblings", "tree", (-2.0, 3.0)]), simulations, simulations)
def test_a_longer_search_by_puct_begins_as_the_shorter_one(seed, normalize, simulations, more):
    short, long = Problem(seed), Problem(seed)
    short.run(partial(search.puct, normalize=normalize), simulations)
    long.run(partial(search.puct, normalize=normalize), simulations + more)
    for one, other in zip(short.table.calls, long.table.calls, strict=False):
        assert all(np.array_equal(x, y) for x, y in zip(one, other, strict=True))


@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(1, 40), simulations)
def test_actions_that_do_not_exist_take_no_part_in_puct(seed, absent, simulations):
    problem, wider = Problem(seed), Problem(seed)
    actions = problem.legal.shape[1]
    wider.legal = np.pad(problem.legal, ((0, 0), (0, absent)))
    wider.table.logits = np.pad(problem.table.logits, ((0, 0), (0, absent)), constant_values=-np.inf)
    logits, value = problem.table.root
    roots = np.pad(logits, ((0, 0), (0, absent))), value
    result = problem.run(partial(search.puct), simulations)
    other = search.puct(*roots, wider.table.expand, simulations, legal=wider.legal, max_depth=wider.max_depth)
    assert result.value.tobytes() == other.value.tobytes()
    for name in ("visits", "policy", "q"):
        assert getattr(result, name).tobytes() == getattr(other, name)[:, :actions].tobytes()
    assert other.visits[:, actions:].sum() == 0


@pytest.mark.parametrize("threads", [2, 3])
@settings(max_examples=100, deadline=None)
@given(seeds, rules, simulations)
def test_threads_change_nothing(threads, seed, rule, simulations):
    one, other = Problem(seed, batch=5), Problem(seed, batch=5)
    assert_same_bytes(one.run(rule, simulations), other.run(partial(rule, threads=threads), simulations))


@settings(max_examples=100, deadline=None)
@given(seeds, rules, simulations, st.integers(1, 5))
def test_parts_of_a_batch_in_turns_find_what_the_whole_batch_finds(seed, rule, simulations, count):
    problem = Problem(seed, batch=5)
    whole = problem.run(rule, simulations)
    launched = []

    def launcher(part, rows):
        expand = problem.rows(range(5)[rows]).table.expand

        def launch(*edges):
            launched.append(part)
            found = expand(*edges)
            return lambda: found

        return launch

    launches = [launcher(part, rows) for part, rows in enumerate(search.rows_of_parts(5, count))]
    parts = problem.run(rule, simulations, launches)
    assert launched == list(range(count)) * simulations  # each part's next is under way before another is waited for
    assert_same_bytes(parts, whole)
    assert_same_bytes(parts.tree, whole.tree, ("parent", "action", "visits", "value", "prior_logits", "children"))


def test_parts_are_checked_as_a_whole():
    logits, value = np.zeros((4, 2), np.float32), np.zeros(4, np.float32)
    with pytest.raises(ValueError, match="expand: expected a function, or 1 to 4 of them for 4 rows, got 0"):
        search.puct(logits, value, [], 8)
    with pytest.raises(ValueError, match=r"value: .*4"):
        search.puct(logits, np.zeros(5, np.float32), [None, None], 8)
    with pytest.raises(TypeError, match="prior_logits"):
        search.gumbel(None, value, [None, None], 8)

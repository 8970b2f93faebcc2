"""A search equals a slow reference in Python."""

import numpy as np
import reference_search as reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from muzero import search

CLEAR = 3e-6  # closer decisions than this may fall differently in single precision


@st.composite
def problems(draw, most_actions=70):
    """A table, the roots' legal actions, and the sizes of a search."""
    batch, actions = draw(st.integers(1, 4)), draw(st.integers(1, most_actions))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    table = reference.Table.random(
        rng, batch, actions, drift=draw(st.sampled_from([0, 7])), sharpness=draw(st.sampled_from([0.3, 1.0, 4.0]))
    )
    legal = np.ones((batch, actions), bool)
    if draw(st.booleans()):
        legal = rng.random((batch, actions)) < 0.5
        legal[np.arange(batch), rng.integers(0, actions, batch)] = True
    sizes = {
        "simulations": draw(st.one_of(st.integers(1, 8), st.integers(9, 90))),
        "max_depth": draw(st.sampled_from([None, None, 1, 2, 3])),
    }
    return table, legal, sizes, rng


puct_settings = st.fixed_dictionaries(
    {
        "c_init": st.sampled_from([0.5, 1.25, 2.5, 40.0]),  # the last visits many actions of a node
        "c_base": st.sampled_from([50.0, 19652.0]),
        "normalize": st.sampled_from(["siblings", "tree", (-2.0, 3.0)]),
    }
)
gumbel_settings = st.fixed_dictionaries(
    {
        "considered": st.integers(1, 40),
        "value_scale": st.sampled_from([0.0, 0.1, 1.0]),
        "visit_offset": st.sampled_from([0.0, 50.0]),
        "rescale": st.booleans(),
        "least_range": st.sampled_from([1e-8, 0.5, 10.0]),
    }
)


def assert_equals_reference(result, table, legal, sizes, rule_of_row):
    found = [
        reference.search(table, row, rule_of_row(row), sizes["simulations"], legal[row], sizes["max_depth"])
        for row in range(len(legal))
    ]
    assume(min(each.margin for each in found) > CLEAR)
    decisions = result.visits.shape[1]
    np.testing.assert_array_equal(result.visits, [each.visits[:decisions] for each in found])
    np.testing.assert_array_equal(result.action, [each.action for each in found])
    np.testing.assert_allclose(result.policy, [each.policy[:decisions] for each in found], atol=2e-4)
    np.testing.assert_allclose(result.value, [each.value for each in found], atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(result.q, [each.q[:decisions] for each in found], atol=1e-5, rtol=1e-5)


@settings(max_examples=200, deadline=None)
@given(problems(), puct_settings)
def test_puct_equals_the_slow_reference(problem, options):
    table, legal, sizes, _ = problem
    result = search.puct(*table.root, table.expand, legal=legal, **sizes, **options)
    assert_equals_reference(result, table, legal, sizes, lambda row: reference.Puct(**options))


@settings(max_examples=200, deadline=None)
@given(problems(), gumbel_settings)
def test_gumbel_equals_the_slow_reference(problem, options):
    table, legal, sizes, rng = problem
    noise = rng.gumbel(size=legal.shape).astype(np.float32)
    result = search.gumbel(*table.root, table.expand, legal=legal, noise=noise, **sizes, **options)
    rule = lambda row: reference.Gumbel(sizes["simulations"], noise[row], **options)  # noqa: E731
    assert_equals_reference(result, table, legal, sizes, rule)


@settings(max_examples=200, deadline=None)
@given(problems(), st.integers(1, 20), puct_settings)
def test_a_search_with_chance_equals_the_slow_reference(problem, chance, options):
    table, legal, sizes, rng = problem
    outcomes = rng.normal(0, 1, (len(table.value), chance)).astype(np.float32)
    logits, value = table.root
    table.logits = np.concatenate([table.logits, outcomes], axis=1)
    result = search.stochastic(logits, value, table.expand, chance=chance, legal=legal, **sizes, **options)
    rule = lambda row: reference.Stochastic(legal.shape[1], **options)  # noqa: E731
    assert_equals_reference(result, table, np.pad(legal, ((0, 0), (0, chance))), sizes, rule)


@settings(max_examples=100, deadline=None)
@given(problems(), puct_settings)
def test_an_action_whose_logit_is_minus_infinity_does_not_exist(problem, options):
    table, legal, sizes, rng = problem
    remove_actions(table, rng)
    logits, value = table.root
    legal = legal & (logits > -np.inf)
    assume(legal.any(axis=1).all())
    result = search.puct(np.where(legal, logits, 0), value, table.expand, legal=legal, **sizes, **options)
    assert_equals_reference(result, table, legal, sizes, lambda row: reference.Puct(**options))


def remove_actions(table, rng):
    """About half of the actions of each row are gone; one is left at least."""
    gone = rng.random(table.logits.shape) < 0.5
    gone[np.arange(len(gone)), rng.integers(0, table.actions, len(gone))] = False
    table.logits = np.where(gone, np.float32(-np.inf), table.logits)

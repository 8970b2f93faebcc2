"""What a search promises: it equals a slow reference, and a row knows nothing of the batch around it."""

import gc
import threading
import weakref

import numpy as np
import pytest
import reference_search as reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from muzero import _tree, search
from muzero.search.loop import finish

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


RULES = ["gumbel", "siblings", "tree", "range"]


WITH_CHANCE = ["chance siblings", "chance tree", "chance range"]


def run(rule, table, simulations, legal=None, noise=None, max_depth=None, path=None):
    """A search on one instruction set; noise is used by Gumbel only."""
    logits, value = table.root
    normalize = (0.0, 3.0) if rule.endswith("range") else rule.split()[-1]
    if rule in WITH_CHANCE:  # the last action of the table is the one outcome of chance
        roots, allowed = np.ascontiguousarray(logits[:, :-1]), None if legal is None else legal[:, :-1].copy()
        trees = _tree.stochastic(roots, value, simulations, 1, allowed, 1.25, 19652.0, normalize, max_depth, path=path)
    elif rule == "gumbel":
        trees = _tree.gumbel(logits, value, simulations, legal, noise, 16, 0.1, 50.0, True, max_depth, path=path)
    else:
        trees = _tree.puct(logits, value, simulations, legal, 1.25, 19652.0, normalize, max_depth, path=path)
    return search.policies.found([finish(trees, table.expand, simulations)])


def random_table(seed, batch=5, actions=19):
    return reference.Table.random(np.random.default_rng(seed), batch, actions)


def bytes_of(result):
    arrays = [result.action, result.policy, result.value, result.visits, result.q]
    tree = result.tree
    arrays += [tree.parent, tree.action, tree.visits, tree.value, tree.raw_value, tree.reward, tree.discount]
    return [array.tobytes() for array in [*arrays, tree.prior_logits, tree.children]]


@pytest.mark.parametrize("rule", RULES + WITH_CHANCE)
def test_a_row_of_a_batch_equals_a_batch_of_one_in_every_byte(rule):
    rng = np.random.default_rng(3)
    legal = rng.random((5, 19)) < 0.6
    legal[:, 7] = True
    noise = rng.gumbel(size=(5, 19)).astype(np.float32)
    together = run(rule, random_table(4), 40, legal, noise, max_depth=4)
    for row in range(5):
        one = slice(row, row + 1)
        alone = run(rule, random_table(4).only(row), 40, legal[one], noise[one], max_depth=4)
        for name in ("action", "policy", "value", "visits", "q"):
            assert getattr(alone, name).tobytes() == getattr(together, name)[one].tobytes()
        for name in ("visits", "value", "prior_logits", "children"):
            assert getattr(alone.tree, name).tobytes() == getattr(together.tree, name)[one].tobytes()


@pytest.mark.parametrize("rule", RULES + WITH_CHANCE)
@pytest.mark.parametrize("actions", [2, 3, 16, 17, 40])
def test_the_same_inputs_give_the_same_bytes_on_every_instruction_set(rule, actions):
    noise = np.random.default_rng(5).gumbel(size=(5, actions)).astype(np.float32)
    results = [
        bytes_of(run(rule, random_table(6, actions=actions), 60, noise=noise, path=path))
        for path in [*_tree.paths(), None]
    ]
    assert all(each == results[0] for each in results)


def visited_at_the_root(table):
    return [int(action[0]) for parent, action, _ in table.calls if parent[0] == 0]


@pytest.mark.parametrize("rule", RULES)
def test_ties_go_to_the_lowest_index(rule):
    table = random_table(0, batch=1, actions=40)
    table.logits[:], table.value[:], table.reward[:], table.discount[:] = 0, 0, 0, 1
    legal = np.ones((1, 40), bool)
    legal[0, :3] = False
    result = run(rule, table, 74, legal, max_depth=1)
    order = 2 * [range(3, 40)]
    if rule == "gumbel":  # sixteen are considered, the first half of them twice more, and so on
        order = [range(3, 19)] + 2 * [range(3, 11)] + 4 * [range(3, 7)] + 13 * [range(3, 5)]
    assert visited_at_the_root(table) == [action for part in order for action in part]
    assert result.action.tolist() == [3]


def test_an_action_without_visits_wins_a_tie_against_a_higher_index():
    """Where the third simulation is at the root, all three actions score exactly 0."""
    q = np.sqrt(np.float32(3)) / 4
    table = reference.Table(
        np.array([[-200, 0, 0]], np.float32), np.zeros(1, np.float32), np.array([-q]), np.ones(1, np.float32), [0]
    )
    search.puct(*table.root, table.expand, 3, c_init=1, c_base=1e12, normalize=(0, 1), max_depth=1)
    assert visited_at_the_root(table) == [1, 2, 0]


def test_noise_can_choose_an_action_whose_prior_is_zero():
    table = random_table(0, batch=1, actions=3)
    table.logits[:] = [0, -1e30, -200]
    noise = np.array([[0, 0, 1e6]], np.float32)
    result = search.gumbel(*table.root, table.expand, 8, noise=noise, considered=1)
    assert result.visits.tolist() == [[0, 0, 8]] and result.action.tolist() == [2]
    rule = reference.Gumbel(8, noise[0].astype(float), considered=1)
    found = reference.search(table, 0, rule, 8, np.ones(3, bool))
    np.testing.assert_allclose(result.policy, [found.policy], atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("simulations", [1, 2, 50])
def test_expand_is_called_exactly_once_per_simulation_with_nodes_in_order(rule, simulations):
    table = random_table(1)
    run(rule, table, simulations)
    assert [node.tolist() for _, _, node in table.calls] == [[s + 1] * 5 for s in range(simulations)]
    for parent, action, node in table.calls:
        assert parent.dtype == action.dtype == node.dtype == np.int32
        assert (parent < node).all()


@pytest.mark.parametrize("rule", RULES)
def test_illegal_actions_are_never_visited_at_the_root(rule):
    rng = np.random.default_rng(2)
    for seed in range(20):
        legal = rng.random((5, 19)) < 0.3
        legal[:, 4] = True
        result = run(rule, random_table(seed), 30, legal)
        assert (result.visits[~legal] == 0).all()
        assert (result.policy[~legal] == 0).all()
        assert legal[np.arange(5), result.action].all()
        np.testing.assert_array_equal(result.visits.sum(axis=1), 30)
        np.testing.assert_allclose(result.policy.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_the_tree_can_be_read_node_by_node(rule):
    table = random_table(8)
    result = run(rule, table, 30)
    tree = result.tree
    np.testing.assert_array_equal(tree.visits[:, 0], 31)
    np.testing.assert_array_equal(tree.value[:, 0], result.value)
    np.testing.assert_array_equal(tree.parent[:, 0], -1)
    for row in range(5):
        for index in range(1, 31):
            parent, action = tree.parent[row, index], tree.action[row, index]
            assert tree.children[row, parent, action] == index
            if parent == 0:
                assert tree.visits[row, index] == result.visits[row, action]
            entry = table.row(table.states[row, index])
            assert tree.raw_value[row, index] == table.value[entry]
            assert tree.reward[row, index] == table.reward[entry]
            assert tree.discount[row, index] == table.discount[entry]
            logits = table.logits[entry]
            np.testing.assert_allclose(tree.prior_logits[row, index], logits - logits.max(), atol=1e-6)


def test_at_max_depth_a_node_is_evaluated_again_under_its_own_index():
    table = random_table(9, batch=2, actions=2)
    result = run("siblings", table, 12, max_depth=1)
    np.testing.assert_array_equal(result.visits.sum(axis=1), 12)
    assert (result.tree.visits > 0).sum(axis=1).tolist() == [3, 3]  # the root and one node per action
    assert all((parent == 0).all() for parent, _, _ in table.calls)
    assert (result.tree.children[result.tree.visits == 0] == -1).all()


@pytest.mark.parametrize("rule", RULES)
def test_extreme_but_finite_numbers_never_give_nan(rule):
    for seed, big in enumerate([1e15, 1e8, 1e-30, 0.0] * 3):
        table = random_table(seed, batch=3, actions=18)
        table.value *= np.float32(big)
        table.value.clip(-1e15, 1e15, out=table.value)
        table.reward[:] = np.where(table.reward > 0, big, -big)
        table.discount[:] = np.where(table.discount == 0, 0, np.sign(table.discount))
        table.logits[::2] = np.where(table.logits[::2] > 0, 3.4e38, -3.4e38)
        result = run(rule, table, 50)
        for array in (result.policy, result.value, result.q, result.tree.value):
            assert np.isfinite(array).all()
        np.testing.assert_array_equal(result.visits.sum(axis=1), 50)


def test_a_search_on_a_solved_game_finds_the_best_move():
    """Take one or two stones, the last one wins: leave a multiple of three."""

    def expand(parent, action, node):
        stones[np.arange(4), node] = left = stones[np.arange(4), parent] - action - 1
        reward = (left == 0).astype(np.float32)
        discount = np.where(left <= 0, 0, -1).astype(np.float32)
        return reward, discount, np.zeros(4, np.float32), np.zeros((4, 2), np.float32)

    roots = np.array([4, 5, 7, 8])
    for rule in (search.puct, search.gumbel):
        stones = np.zeros((4, 401), np.int64)
        stones[:, 0] = roots
        result = rule(np.zeros((4, 2), np.float32), np.zeros(4, np.float32), expand, 400)
        assert result.action.tolist() == (roots % 3 - 1).tolist()
    assert (search.puct(np.zeros((4, 2), np.float32), np.zeros(4, np.float32), expand, 400).value > 0.5).all()


def test_dirichlet_noise_stays_on_legal_actions_and_mixes_by_its_fraction():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 10)).astype(np.float32)
    legal = rng.random((3, 10)) < 0.5
    legal[:, 0] = True
    prior = np.where(legal, np.exp(logits), 0)
    prior /= prior.sum(axis=1, keepdims=True)
    without = np.exp(search.dirichlet(logits, legal, 0.0, 0.3, rng))
    np.testing.assert_allclose(without, prior, atol=1e-6)
    mixed = np.mean([np.exp(search.dirichlet(logits, legal, 0.25, 0.3, rng)) for _ in range(3000)], axis=0)
    np.testing.assert_allclose(mixed, 0.75 * prior + 0.25 * legal / legal.sum(axis=1, keepdims=True), atol=0.02)
    np.testing.assert_allclose(mixed[~legal], 0, atol=1e-30)
    tiny = search.dirichlet(logits, legal, 1.0, 1e-300, rng)
    assert np.isfinite(tiny).all()


def test_an_interrupt_in_expand_propagates_and_the_trees_are_freed():
    table = random_table(0)
    trees = _tree.puct(*table.root, 50, None, 1.25, 19652.0, "siblings", None)
    gone = weakref.ref(trees)

    def expand(parent, action, node):
        if node[0] == 20:
            raise KeyboardInterrupt
        return table.expand(parent, action, node)

    with pytest.raises(KeyboardInterrupt):
        search.policies.found([finish(trees, expand, 50)])
    del trees
    gc.collect()
    assert gone() is None


def test_many_searches_in_many_threads_give_what_one_thread_gives():
    want = bytes_of(run("siblings", random_table(0, batch=40), 40))
    got = [None] * 6

    def work(slot):
        got[slot] = bytes_of(run("siblings", random_table(0, batch=40), 40))

    threads = [threading.Thread(target=work, args=(slot,)) for slot in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(each == want for each in got)

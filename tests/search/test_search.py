"""Properties of a search that examples can show: bytes, ties, nodes, limits, interrupts."""

import gc
import threading
import weakref

import numpy as np
import pytest
import reference_search as reference

from muzero import _tree, search
from muzero.search.loop import finish

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
        trees = _tree.gumbel(logits, value, simulations, legal, noise, 16, 0.1, 50.0, True, 1e-8, max_depth, path=path)
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

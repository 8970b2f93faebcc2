"""Reading a tree: nodes agree with the result, the line is the winning one, drawings show the visited nodes."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import reference_search as reference

from muzero import search

HOSTILE = '<script>"&\\\n</details>'


def nim(stones, simulations=400, rule=search.puct, **settings):
    """Take one or two stones, the last one wins; an untrained network."""
    left = np.zeros((1, simulations + 1), np.int64)
    left[:, 0] = stones

    def expand(parent, action, node):
        left[0, node] = after = left[0, parent] - action - 1
        discount = np.where(after <= 0, 0, -1).astype(np.float32)
        return (after == 0).astype(np.float32), discount, np.zeros(1, np.float32), np.zeros((1, 2), np.float32)

    return rule(np.zeros((1, 2), np.float32), np.zeros(1, np.float32), expand, simulations, **settings)


def random(seed=0, simulations=60, rule=search.puct, batch=3, actions=6, **settings):
    table = reference.Table.random(np.random.default_rng(seed), batch, actions)
    return rule(*table.root, table.expand, simulations, **settings), table


def made(tree, row):
    return [tree.node(row, index) for index in np.flatnonzero(tree.visits[row])]


@pytest.mark.parametrize("rule", [search.puct, search.gumbel])
def test_the_children_of_the_root_are_what_the_result_says(rule):
    legal = np.random.default_rng(1).random((3, 6)) < 0.6
    legal[:, 2] = True
    result, table = random(rule=rule, legal=legal)
    logits, value = table.root
    for row in range(3):
        root = result.tree.node(row, 0)
        children = [result.tree.node(row, index) for index in root.children]
        assert {child.action for child in children} == set(np.flatnonzero(result.visits[row]).tolist())
        allowed = np.where(legal[row], np.exp(logits[row].astype(float)), 0)
        for child in children:
            assert child.visits == result.visits[row, child.action]
            assert child.q == pytest.approx(result.q[row, child.action], abs=1e-6)
            assert child.prior == pytest.approx(allowed[child.action] / allowed.sum(), abs=1e-6)
        assert (root.value, root.raw_value) == (result.value[row], value[row])
        assert (root.parent, root.action, root.depth, root.prior, root.turn) == (-1, -1, 0, 1.0, 1)
        assert root.q == root.value and not root.over


def test_every_node_agrees_with_its_parent_and_children():
    tree = random(simulations=200)[0].tree
    for row in range(3):
        for node in made(tree, row):
            children = [tree.node(row, index) for index in node.children]
            assert all((child.parent, child.depth) == (node.index, node.depth + 1) for child in children)
            assert [(-child.visits, child.action) for child in children] == sorted(
                (-child.visits, child.action) for child in children
            )
            assert node.visits == 1 + sum(child.visits for child in children)
            assert all(child.turn == node.turn * np.sign(child.discount) for child in children)
            if node.parent >= 0:
                assert node.q == pytest.approx(node.reward + node.discount * node.value, abs=1e-6)


@pytest.mark.parametrize("index", [(1, 0), (-1, 0), (0, 401), (0, -1)])
def test_a_node_that_is_not_there_is_named(index):
    with pytest.raises(IndexError, match="rows 0 to 0, nodes 0 to 400"):
        nim(4).tree.node(*index)


@pytest.mark.parametrize("stones", [4, 5, 7, 8])
def test_the_principal_variation_of_nim_leaves_multiples_of_three(stones):
    line = nim(stones).tree.principal_variation()
    for number, move in enumerate(line):
        stones -= move.action + 1
        assert move.turn == (0 if stones == 0 else -1 if number % 2 == 0 else 1)
        if number % 2 == 0:
            assert stones % 3 == 0
    assert stones == 0 and len(line) % 2 == 1 and line[-1].over
    assert not any(move.over for move in line[:-1])


def test_the_principal_variation_can_begin_with_a_given_action():
    tree = nim(4).tree
    line = tree.principal_variation(action=1)  # a mistake: it leaves two, and the opponent takes both
    assert [move.action for move in line] == [1, 1]
    with pytest.raises(ValueError, match="action 1 was never visited"):
        nim(4, legal=np.array([[True, False]])).tree.principal_variation(action=1)


def test_a_discount_near_0_of_either_sign_ends_the_game():
    def expand(parent, action, node):
        one = np.ones(1, np.float32)
        return 0 * one, np.where(parent == 1, 0.02, -0.97).astype(np.float32), 0 * one, np.zeros((1, 1), np.float32)

    tree = search.puct(np.zeros((1, 1), np.float32), np.zeros(1, np.float32), expand, 4).tree
    assert [tree.node(0, index).turn for index in range(5)] == [1, -1, 0, 0, 0]
    assert [node.over for node in tree.principal_variation()] == [False, True]


def test_the_principal_variation_takes_the_lowest_of_equal_actions():
    result = nim(4, simulations=16, rule=search.gumbel, visit_offset=0.0, value_scale=0.0)
    assert result.visits[0, 0] == result.visits[0, 1]
    assert result.tree.principal_variation()[0].action == 0


def test_an_excerpt_holds_the_most_visited_nodes_with_all_above_them():
    tree = random(simulations=300)[0].tree
    for row in range(3):
        shown, line = tree.excerpt(row, most_nodes=20)
        least = np.sort(tree.visits[row])[-20]
        assert set(np.flatnonzero(tree.visits[row] > least)) <= set(shown) and set(line) <= set(shown)
        assert all(index == 0 or tree.parent[row, index] in shown for index in shown)
        assert len(shown) <= 20 + len(line)
    assert tree.excerpt(0)[0] == np.flatnonzero(tree.visits[0]).tolist()


class Page(HTMLParser):
    """Elements of a page; fails if they are not nested."""

    VOID = ("meta",)

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.nodes, self.above, self.words = [], [], [], {}, []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append((tag, values))
        name = values.get("id", "")
        if re.fullmatch(r"n\d+", name):
            index = int(name[1:])
            self.nodes.append(index)
            self.above[index] = next((each for _, each in reversed(self.open) if each is not None), -1)
        if tag not in self.VOID:
            self.open.append((tag, int(name[1:]) if tag == "details" else None))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize("rule", [search.puct, search.gumbel])
@pytest.mark.parametrize("max_depth", [None, 2])
def test_a_page_shows_every_visited_edge_once_under_its_parent(rule, max_depth):
    tree = random(rule=rule, max_depth=max_depth)[0].tree
    for row in range(3):
        page = Page(search.to_html(tree, row))
        assert sorted(page.nodes) == np.flatnonzero(tree.visits[row]).tolist()
        assert all(page.above[index] == tree.parent[row, index] for index in page.nodes)


def test_a_page_asks_for_nothing_from_outside_and_runs_nothing():
    page = Page(search.to_html(random()[0].tree))
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "form"}
    targets = [values["href"] for _, values in page.tags if "href" in values]
    assert targets and all(re.fullmatch(r"#n\d+", target) for target in targets)
    assert not any("src" in values or any(name.startswith("on") for name in values) for _, values in page.tags)
    assert "url(" not in "".join(page.words)


def test_the_principal_variation_is_open_on_a_page_and_nothing_else_is():
    tree = random(simulations=200)[0].tree
    page = Page(search.to_html(tree))
    opened = {values["id"] for tag, values in page.tags if tag == "details" and "open" in values}
    line = [node for node in tree.principal_variation() if node.children]
    assert opened == {"n0", *(f"n{node.index}" for node in line)}


def test_hostile_names_are_text_on_a_page_and_in_a_graph():
    tree = nim(4, 10).tree
    plain = Page(search.to_html(tree, facts={"game": "x"}))
    page = Page(
        search.to_html(
            tree, action_name=lambda node, action: HOSTILE, title=HOSTILE, facts={HOSTILE: HOSTILE.strip("\n")}
        )
    )
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    text = "".join(page.words)
    assert text.count(HOSTILE) >= 10 + 4
    dot = search.to_dot(tree, action_name=lambda node, action: HOSTILE)
    assert dot.count('label="<script>\\"&amp;\\\\\\n</details>\\n') == 10
    statements(dot)


def statements(dot):
    """Nodes and edges of a DOT text; fails if the text is not valid."""
    string, attributes = r'"(?:[^"\\\n]|\\.)*"', r"\[[^\]\"]*(?:\"(?:[^\"\\\n]|\\.)*\"[^\]\"]*)*\]"
    lines = dot.rstrip("\n").split("\n")
    assert lines[0] == "digraph tree {" and lines[-1] == "}"
    nodes, edges = [], []
    for line in lines[1:-1]:
        line = line.strip()
        if found := re.fullmatch(rf"n(\d+) {attributes};", line):
            nodes.append(int(found[1]))
        elif found := re.fullmatch(rf"n(\d+) -> n(\d+) {attributes};", line):
            edges.append((int(found[1]), int(found[2])))
        else:
            assert re.fullmatch(rf"(graph|node|edge) {attributes};|label={string};", line), line
    return nodes, edges


def test_a_graph_has_every_node_and_edge_of_the_tree_or_the_most_visited():
    tree = random(simulations=80)[0].tree
    nodes, edges = statements(search.to_dot(tree, 1))
    assert nodes == np.flatnonzero(tree.visits[1]).tolist()
    assert sorted(edges) == sorted((tree.parent[1, index], index) for index in nodes[1:])
    few = tree.excerpt(1, least_visits=3, most_nodes=10)[0]
    assert statements(search.to_dot(tree, 1, least_visits=3, most_nodes=10))[0] == few
    assert len(few) < len(nodes)


def test_what_a_page_leaves_out_it_counts():
    tree = random(simulations=300)[0].tree
    page = Page(search.to_html(tree, most_nodes=40))
    assert f"{301 - len(page.nodes):,} of 301 nodes are left out" in "".join(page.words)
    assert len(page.nodes) < 60
    assert "left out" not in "".join(Page(search.to_html(tree)).words)


def test_legal_actions_never_tried_are_named_at_their_node():
    legal = np.array([[True, True, True, False, False, False]])
    logits = np.array([[0.0, 5.0, -5.0, 9.0, 9.0, 9.0]], np.float32)

    def expand(parent, action, node):
        return np.zeros(1, np.float32), np.ones(1, np.float32), np.zeros(1, np.float32), np.zeros((1, 6), np.float32)

    tree = search.puct(logits, np.zeros(1, np.float32), expand, 1, legal).tree
    words = "".join(Page(search.to_html(tree, action_name=lambda node, action: f"move{action}")).words)
    assert "2 actions never tried, prior 0.7%: move0, move2" in words
    assert "move3" not in words
    for allowed, said in (
        ([2], "2 actions never tried, 1 of them not legal, prior 0.7%: move2"),
        ([], "2 actions never tried, not legal, prior 0.7%"),
    ):
        page = search.to_html(tree, 0, lambda _, action: f"move{action}", allowed=lambda *_, found=allowed: found)
        assert said in (words := "".join(Page(page).words)) and "move0" not in words


def test_no_name_turns_the_text_behind_it_around():
    page = search.to_html(
        nim(4).tree, 0, lambda node, action: f"\u202e{action}", title="\u2067t", facts={"\u202e": "\u202d"}
    )
    assert not set("\u202d\u202e\u2067") & set(page)


def test_a_tree_as_deep_as_it_is_large_can_be_drawn():
    def expand(parent, action, node):
        one = np.ones(1, np.float32)
        return 0 * one, one, 0 * one, np.zeros((1, 1), np.float32)

    tree = search.puct(np.zeros((1, 1), np.float32), np.zeros(1, np.float32), expand, 3000).tree
    assert tree.node(0, 3000).depth == len(tree.principal_variation()) == 3000
    page = Page(search.to_html(tree))
    assert len(page.nodes) == 201 and "2,800 of 3,001 nodes are left out" in "".join(page.words)


def test_who_moves_is_shown_only_where_the_turn_passes():
    assert "us" in {values.get("class") for _, values in Page(search.to_html(nim(4).tree)).tags}
    alone = reference.Table.random(np.random.default_rng(0), 1, 3, discounts=(0.997, 0.0))
    tree = search.puct(*alone.root, alone.expand, 30).tree
    assert not {"us", "them"} & {values.get("class") for _, values in Page(search.to_html(tree)).tags}

"""A tree as text for Graphviz."""

from __future__ import annotations

from muzero.search.tree import ActionName, Node, Tree, number_of

STYLE = """\
  graph [rankdir=LR, fontname="sans-serif", ranksep=1.2, nodesep=0.15];
  node [shape=box, style="rounded,filled", fillcolor="#f4f6f8", color="#8a94a0", fontname="sans-serif", fontsize=11];
  edge [color="#8a94a0", fontname="sans-serif", fontsize=10, arrowsize=0.6];"""


def to_dot(
    tree: Tree,
    row: int = 0,
    action_name: ActionName = number_of,
    action: int | None = None,
    least_visits: int = 1,
    most_nodes: int = 100,
) -> str:
    """The tree as text for Graphviz: `dot -Tsvg` draws it.

    Args:
        tree: of a finished search.
        row: of the batch.
        action_name: names actions; their numbers by default.
        action: where the principal variation begins, see `Tree.principal_variation`.
        least_visits: nodes with fewer are left out.
        most_nodes: the number of most visited nodes that are drawn; the principal variation always is.
    """
    shown, line = tree.excerpt(row, action, least_visits, most_nodes)
    caption = f"{len(shown):,} of {tree.size(row):,} nodes; "
    caption += "a value is seen by the player to move at its node, q by the mover"
    parts = ["digraph tree {", STYLE, f"  label={quoted(caption)};"]
    simulations = max(1, int(tree.visits[row, 0]) - 1)
    for index in shown:
        node = tree.node(row, index)
        parts.append(f"  n{index} [{_look(node, index == 0 or index in line)}];")
        if node.parent >= 0:
            label = f"{action_name(node.parent, node.action)}\nprior {node.prior:.1%}\nq {node.q:+z.3f}"
            width = 0.5 + 5 * node.visits / simulations
            bold = ', color="#b45309"' if index in line else ""
            parts.append(f"  n{node.parent} -> n{index} [label={quoted(label)}, penwidth={width:.2f}{bold}];")
    return "\n".join([*parts, "}"]) + "\n"


def _look(node: Node, on_line: bool) -> str:
    visits = f"{node.visits:,} visit{'s' * (node.visits != 1)}"
    label = f"{visits}\nvalue {node.value:+z.3f}"
    if node.reward:
        label += f"\nreward {node.reward:+z.3f}"
    if node.over:
        label += "\ngame over"
    marks = ', color="#b45309", fillcolor="#fff3e0", penwidth=2' if on_line else ""
    return f"label={quoted(label)}{marks}" + (", peripheries=2" if node.over else "")


def quoted(text: str) -> str:
    """A string of the DOT language that draws this text unchanged: nothing in it acts as an escape or entity."""
    for character, spelt in (("\\", "\\\\"), ('"', '\\"'), ("&", "&amp;"), ("\n", "\\n")):
        text = text.replace(character, spelt)
    return f'"{text}"'

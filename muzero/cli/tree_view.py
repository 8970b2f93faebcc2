"""The tree of a search in the terminal: facts, the actions of the root, the principal variation, the upper tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree as Drawing

from muzero.planners.searching import improved_value

if TYPE_CHECKING:
    from muzero.agent import Agent
    from muzero.play.position import Position, TreeNames
    from muzero.search import Node, Result

ROWS = 20  # of the table of actions
BRANCHES = 30  # nodes of the tree in the terminal
POLICY = 5  # actions of the improved policy that the page names


def describe(agent: Agent, position: Position, result: Result, names: TreeNames) -> dict[str, str]:
    """What was searched and what was chosen, as name: text; the policy is the improved one."""
    settings = ", ".join(f"{key} = {value}" for key, value in vars(agent.player.planner).items())
    policy = result.policy[0]
    best = [int(action) for action in (-policy).argsort(kind="stable")[:POLICY] if policy[action] >= 0.001]
    return {
        "game": f"{agent.spec.name}, after {' '.join(position.played) or 'no moves'}",
        "position": position.text,
        "checkpoint": f"step {agent.step:,}",
        "planner": f"{agent.config.kind('planner')}: {settings}",
        "action": names(0, int(result.action[0])),
        "policy": ", ".join(f"{names(0, action)} {policy[action]:.1%}" for action in best)
        + f", worth {improved_value(result)[0]:+z.3f}",
    }


def show(console: Console, facts: dict[str, str], result: Result, names: TreeNames, depth: int) -> None:
    """Everything in the terminal: facts, the actions of the root, the principal variation, the upper tree."""
    table = Table.grid(padding=(0, 2))
    for key, text in facts.items():
        table.add_row(Text(key, style="dim"), Text(text))
    root, line = result.tree.node(0, 0), result.tree.principal_variation(0, int(result.action[0]))
    values = f"{root.raw_value:+z.3f} by the network, {root.value:+z.3f} by the mean of the simulations"
    table.add_row(Text("value", style="dim"), Text(values))
    table.add_row(Text("line", style="dim"), Text(" ".join(names(node.parent, node.action) for node in line)))
    console.print(table, actions(result, names), branches(result, {node.index for node in line}, names, depth))


def actions(result: Result, names: TreeNames) -> Table:
    """The legal actions of the root, the most visited first."""
    table = Table(title="actions")
    for column in ("action", "number", "visits", "prior", "q", "policy"):
        table.add_column(column, justify="left" if column == "action" else "right")
    tree, visits, policy = result.tree, result.visits[0], result.policy[0]
    prior = tree.prior(0, 0)
    legal = np.flatnonzero(np.isfinite(tree.prior_logits[0, 0])).tolist()
    legal.sort(key=lambda action: (-visits[action], -prior[action]))
    for action in legal[:ROWS]:
        q = f"{result.q[0, action]:+z.3f}" if visits[action] else ""
        cells = (str(action), f"{visits[action]:,}", f"{prior[action]:.1%}", q, f"{policy[action]:.1%}")
        table.add_row(Text(names(0, action)), *cells, style="bold" if action == result.action[0] else "")
    if len(legal) > ROWS:
        rest = legal[ROWS:]
        cells = ("", f"{visits[rest].sum():,}", f"{prior[rest].sum():.1%}", "", f"{policy[rest].sum():.1%}")
        table.add_row(Text(f"{len(rest)} more"), *cells, style="dim")
    return table


def branches(result: Result, line: set[int], names: TreeNames, depth: int) -> Drawing:
    """The most visited nodes as a tree; the principal variation is bold."""
    tree = result.tree
    shown = set(tree.excerpt(0, int(result.action[0]), most_nodes=BRANCHES)[0])
    root = tree.node(0, 0)
    drawing = Drawing(Text(f"{root.visits - 1:,} simulations"))
    waiting: list[tuple[Drawing, Node]] = [(drawing, root)]
    while waiting:
        branch, node = waiting.pop()
        for child in (tree.node(0, index) for index in node.children if index in shown):
            if child.depth <= depth:
                label = (
                    f"{names(child.parent, child.action)}  {child.visits:,} of {node.visits - 1:,}  q {child.q:+z.3f}"
                )
                label += f"  prior {child.prior:.1%}" + ("  end" if child.over else "")
                waiting.append((branch.add(Text(label, style="bold" if child.index in line else "")), child))
    return drawing

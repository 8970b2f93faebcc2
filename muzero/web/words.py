"""What an agent thinks, and nodes of its search tree, as plain values for the page."""

from __future__ import annotations

from typing import Any

import numpy as np

from muzero.interactive.thoughts import Thoughts
from muzero.search import Node
from muzero.search.drawing.html import COLUMNS

MOST_MOVES = 400  # of a position that are listed
MOST_CHILDREN = 100  # of a node that are listed
MOST_UNTRIED = 6  # actions without visits that are named at a node
MOST_LINE = 30  # moves of the expected line

MEANINGS = COLUMNS
"""What the columns of the tree mean."""


def described(thoughts: Thoughts, ply: int) -> dict[str, Any]:
    """What the agent thinks of the position after `ply` moves."""
    return {
        "ply": ply,
        "action": number(thoughts.action, thoughts.edge),
        "value": thoughts.value,
        "network": thoughts.network_value,
        "simulations": thoughts.simulations,
        "moves": [
            {
                "action": number(move.action, move.edge),
                "name": move.name,
                "prior": move.prior,
                "visits": move.visits,
                "policy": move.policy,
                "value": move.value,
            }
            for move in thoughts.moves[:MOST_MOVES]
        ],
        "line": list(thoughts.line[:MOST_LINE]),
        "tree": thoughts.result is not None,
    }


def number(action: int | np.ndarray, edge: int) -> int | None:
    """The number by which the page knows an action: its own, or that of its sample; None if it has neither."""
    if isinstance(action, int):
        return action
    return edge if edge >= 0 else None


def node(thoughts: Thoughts, index: int) -> dict[str, Any] | None:
    """A node of the tree and its children, the most visited first; None if there is no such node."""
    if thoughts.result is None or thoughts.names is None:
        return None
    tree = thoughts.result.tree
    if not 0 <= index < tree.visits.shape[1] or tree.visits[0, index] < 1:
        return None
    above = tree.node(0, index)
    line = {each.index for each in tree.principal_variation(0, thoughts.edge)}
    shown = [tree.node(0, child) for child in above.children[:MOST_CHILDREN]]
    untried = tree.untried(0, index)
    allowed = thoughts.names.allowed(index, [action for action, _ in untried])
    return {
        "node": index,
        "name": "" if index == 0 else thoughts.names(above.parent, above.action),
        "value": above.value,
        "network": above.raw_value,
        "visits": above.visits,
        "children": [row(thoughts, child, above, child.index in line) for child in shown],
        "more": len(above.children) - len(shown),
        "untried": {
            "count": len(untried),
            "prior": sum(prior for _, prior in untried),
            "names": [thoughts.names(index, action) for action in allowed[:MOST_UNTRIED]],
            "allowed": len(allowed),
        },
    }


def row(thoughts: Thoughts, child: Node, above: Node, expected: bool) -> dict[str, Any]:
    """A node as a row of the page.  expected: whether it is on the line of most visits."""
    assert thoughts.names is not None
    return {
        "node": child.index,
        "name": thoughts.names(child.parent, child.action),
        "turn": above.turn,  # whose move it is: 1 of the player at the root, -1 of the opponent, 0 after the end
        "visits": child.visits,
        "share": child.visits / max(1, above.visits - 1),
        "q": child.q,
        "value": child.value,
        "network": child.raw_value,
        "prior": child.prior,
        "reward": child.reward,
        "discount": child.discount,
        "over": child.over,
        "children": len(child.children),
        "expected": expected,
    }

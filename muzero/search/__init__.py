"""Batched tree search over any model: `puct` as in MuZero, `gumbel` as in Gumbel MuZero.

The trees live in C++, the model with the caller: `expand` is called once per simulation for the whole batch.  Nothing
here is random and a row does not depend on the rest of its batch: the same inputs give the same bytes.  The turn is a
sign: an edge with a negative discount passes it to the opponent, and a value is seen by the player to move.

Sizes in shapes: B searches side by side, A actions, N = simulations + 1 nodes of a tree.
"""

from muzero.search.drawing.graphviz import to_dot
from muzero.search.drawing.html import to_html
from muzero.search.exploration import dirichlet, sample_action
from muzero.search.loop import Evaluation, Expand, Launch, rows_of_parts
from muzero.search.policies import Result, gumbel, puct, stochastic
from muzero.search.sampled import Sampled, Slots, sampled_prior
from muzero.search.sampled_box import SampledBox
from muzero.search.tree import ActionName, Node, Tree

__all__ = [
    "ActionName",
    "Evaluation",
    "Expand",
    "Launch",
    "Node",
    "Result",
    "Sampled",
    "SampledBox",
    "Slots",
    "Tree",
    "dirichlet",
    "gumbel",
    "puct",
    "rows_of_parts",
    "sample_action",
    "sampled_prior",
    "stochastic",
    "to_dot",
    "to_html",
]

"""The trees of a finished search, to be read."""

from functools import cached_property

import numpy as np

from muzero import _tree


class Tree:
    """The trees of a finished search, node by node.  Node 0 is the root; a node with 0 visits was never made."""

    def __init__(self, search: _tree.Search) -> None:
        self._search = search

    @cached_property
    def parent(self) -> np.ndarray:
        """[B, N] int32, the node above, -1 at the root."""
        return self._search.parent()

    @cached_property
    def action(self) -> np.ndarray:
        """[B, N] int32, the parent's action that leads here, -1 at the root."""
        return self._search.action()

    @cached_property
    def visits(self) -> np.ndarray:
        """[B, N] int32, its own evaluation included; below the root also the visits of the edge that leads here."""
        return self._search.visits()

    @cached_property
    def value(self) -> np.ndarray:
        """[B, N] float32, mean of the network's value and all returns backed up, for the player to move here."""
        return self._search.value()

    @cached_property
    def raw_value(self) -> np.ndarray:
        """[B, N] float32, the network's value."""
        return self._search.raw_value()

    @cached_property
    def reward(self) -> np.ndarray:
        """[B, N] float32, of the edge that leads here, to the player who moved."""
        return self._search.reward()

    @cached_property
    def discount(self) -> np.ndarray:
        """[B, N] float32, of the edge that leads here."""
        return self._search.discount()

    @cached_property
    def prior_logits(self) -> np.ndarray:
        """[B, N, A] float32, shifted so that the largest is 0; -inf where an action is not legal at the root."""
        return self._search.prior_logits()

    @cached_property
    def children(self) -> np.ndarray:
        """[B, N, A] int32, the node that each action leads to, -1 where none was made."""
        return self._search.children()

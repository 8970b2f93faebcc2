"""The trees of a finished search: arrays over all nodes, one node at a time, or an excerpt to draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from muzero import _tree

ActionName = Callable[[int, int], str]
"""action_name(node, action): what to call an action of a node, or an outcome where the node is one of chance."""

ENDS_BELOW = 0.5  # a learned discount is a mean: if it is nearer to 0 than this, the game has probably ended


def number_of(node: int, action: int) -> str:
    """The default name of an action: its number."""
    return str(action)


@dataclass(frozen=True)
class Node:
    """A node and the edge that leads to it.

    A value is seen by the player to move at the node; q, and so the reward, by the player to move at its parent.
    """

    index: int
    parent: int  # -1 at the root
    action: int  # the parent's action that leads here, -1 at the root
    depth: int  # edges from the root
    visits: int  # 0: never made, and the other fields mean nothing
    value: float  # mean of the network's value and all returns backed up
    raw_value: float  # the network's value
    prior: float  # probability of the action before the search; 1 at the root
    reward: float
    discount: float
    q: float  # reward + discount * value; at the root its value
    turn: int  # 1: the root's player is to move, -1: the opponent, 0: the game ended on the way
    children: tuple[int, ...]  # the most visited first, ties by the lowest action

    @property
    def over(self) -> bool:
        """Whether the game probably ends with the edge that leads here."""
        return self.parent >= 0 and abs(self.discount) < ENDS_BELOW


class Tree:
    """The trees of a finished search, node by node.  Node 0 is the root; a node with 0 visits was never made."""

    def __init__(self, searches: Sequence[_tree.Search], sampled: np.ndarray | None = None) -> None:
        """Read finished searches.

        Args:
            searches: of the parts of a batch, in the order of their rows.
            sampled: [N or more, B, A, *shape of an action], what the actions of nodes stand for where they are slots of
                a search over sampled actions; None: action a is a.
        """
        self._searches, self.sampled = searches, sampled

    def standing_for(self, sampled: np.ndarray) -> Tree:
        """The same trees, whose actions are slots; see the constructor."""
        return Tree(self._searches, sampled)

    def action_at(self, row: int, index: int, action: int) -> int | np.ndarray:
        """What an action of a node stands for: itself, or in a search over sampled actions the action of that slot.

        Returns:
            the number of an action, or an array [*shape of an action] where actions cannot be listed.
        """
        if self.sampled is None:
            return action
        found = self.sampled[index, row, action]
        return found if found.ndim else int(found)

    def _read(self, field: str) -> np.ndarray:
        parts = [getattr(search, field)() for search in self._searches]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @cached_property
    def parent(self) -> np.ndarray:
        """[B, N] int32, the node above, -1 at the root."""
        return self._read("parent")

    @cached_property
    def action(self) -> np.ndarray:
        """[B, N] int32, the parent's action that leads here, -1 at the root."""
        return self._read("action")

    @cached_property
    def visits(self) -> np.ndarray:
        """[B, N] int32, its own evaluation included; below the root also the visits of the edge that leads here."""
        return self._read("visits")

    @cached_property
    def value(self) -> np.ndarray:
        """[B, N] float32, mean of the network's value and all returns backed up, for the player to move here."""
        return self._read("value")

    @cached_property
    def raw_value(self) -> np.ndarray:
        """[B, N] float32, the network's value."""
        return self._read("raw_value")

    @cached_property
    def reward(self) -> np.ndarray:
        """[B, N] float32, of the edge that leads here, to the player who moved."""
        return self._read("reward")

    @cached_property
    def discount(self) -> np.ndarray:
        """[B, N] float32, of the edge that leads here."""
        return self._read("discount")

    @cached_property
    def prior_logits(self) -> np.ndarray:
        """[B, N, A] float32, shifted so that the largest is 0; -inf where an action is not legal at the root."""
        return self._read("prior_logits")

    @cached_property
    def children(self) -> np.ndarray:
        """[B, N, A] int32, the node that each action leads to, -1 where none was made."""
        return self._read("children")

    @cached_property
    def _place(self) -> tuple[np.ndarray, np.ndarray]:
        """depth [B, N] int32 and turn [B, N] int8 of all nodes, see `Node`."""
        batch, count = self.parent.shape
        depth, turn = np.zeros((batch, count), np.int32), np.ones((batch, count), np.int8)
        rows = np.arange(batch)
        sign = np.where(np.abs(self.discount) < ENDS_BELOW, 0, np.sign(self.discount)).astype(np.int8)
        for index in range(1, count):  # a parent comes before its children
            above = self.parent[:, index]
            depth[:, index] = depth[rows, above] + 1
            turn[:, index] = turn[rows, above] * sign[:, index]
        return depth, turn

    def prior(self, row: int, index: int) -> np.ndarray:
        """[A] float64, probabilities of a node's actions before the search; 0 where not legal at the root."""
        weights = np.exp(self.prior_logits[row, index], dtype=np.float64)
        return weights / weights.sum()

    def untried(self, row: int, index: int) -> list[tuple[int, float]]:
        """The actions of a node that were never visited, with their priors, the likeliest first."""
        prior = self.prior(row, index)
        prior[self.children[row, index] >= 0] = 0
        return [(int(action), float(prior[action])) for action in (-prior).argsort(kind="stable") if prior[action] > 0]

    def node(self, row: int, index: int) -> Node:
        """One node of a tree.

        Raises:
            IndexError: if row or index does not exist.
        """
        batch, count = self.parent.shape
        if not (0 <= row < batch and 0 <= index < count):
            raise IndexError(f"row {row}, node {index}: this search has rows 0 to {batch - 1}, nodes 0 to {count - 1}")
        at, parent, action = (row, index), int(self.parent[row, index]), int(self.action[row, index])
        made = self.children[at][self.children[at] >= 0]
        return Node(
            index=index,
            parent=parent,
            action=action,
            depth=int(self._place[0][at]),
            visits=int(self.visits[at]),
            value=float(self.value[at]),
            raw_value=float(self.raw_value[at]),
            prior=float(self.prior(row, parent)[action]) if parent >= 0 else 1.0,
            reward=float(self.reward[at]),
            discount=float(self.discount[at]),
            q=float(self.reward[at] + self.discount[at] * self.value[at] if parent >= 0 else self.value[at]),
            turn=int(self._place[1][at]),
            children=tuple(made[np.argsort(-self.visits[row, made], kind="stable")].tolist()),
        )

    def principal_variation(self, row: int = 0, action: int | None = None) -> list[Node]:
        """The nodes below the root on the line of most visits, up to the end of the game.

        Args:
            row: of the batch.
            action: the first action, such as the one that the search chose; the most visited if None.

        Raises:
            ValueError: if the search never visited that action.
        """
        following = self.node(row, 0).children
        if action is not None:
            first = int(self.children[row, 0, action])
            if first < 0:
                raise ValueError(f"action {action} was never visited in row {row}")
            following = (first,)
        line: list[Node] = []
        while following and not (line and line[-1].over):
            line.append(self.node(row, following[0]))
            following = line[-1].children
        return line

    def size(self, row: int) -> int:
        """The number of nodes that the search made in a row of the batch."""
        return int((self.visits[row] > 0).sum())

    def excerpt(
        self, row: int = 0, action: int | None = None, least_visits: int = 1, most_nodes: int | None = None
    ) -> tuple[list[int], list[int]]:
        """The nodes worth drawing; with a node also those above it.

        Args:
            row: of the batch.
            action: where the principal variation begins, see `principal_variation`.
            least_visits: nodes with fewer are left out.
            most_nodes: the number of nodes with the most visits; all if None.

        Returns:
            The indices of the nodes with the most visits and of the principal variation, in the order they were made;
            the indices of the principal variation, in its order.
        """
        visits = self.visits[row]
        # Every node has fewer visits than its parent, so the most visited nodes are connected.
        order = np.argsort(-visits, kind="stable")[:most_nodes]
        line = [node.index for node in self.principal_variation(row, action)]
        return sorted({0, *line, *order[visits[order] >= max(1, least_visits)].tolist()}), line

"""What an agent thinks of a position: each move with its prior, visits, policy and value, and the expected line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from muzero.agent import Agent
from muzero.interfaces import Rules
from muzero.planners.searching import TreePlanner, improved_value
from muzero.play.position import TreeNames, action_name
from muzero.search import Result


@dataclass(frozen=True)
class Move:
    """A legal move, as the search sees it; of a search over sampled actions one of those that the root drew."""

    action: int | np.ndarray  # an array [*shape of an action] where actions cannot be listed
    name: str  # in the game's own notation
    prior: float  # probability by the network
    visits: int
    policy: float  # probability by the search; without search, the prior
    value: float | None  # reward and discounted value of what follows, for the player to move; None: not visited
    edge: int = -1  # the number by which the tree knows it; -1 without a tree


@dataclass(frozen=True)
class Thoughts:
    """What the agent would play in a position, and why."""

    action: int | np.ndarray  # what it plays; an array [*shape of an action] where actions cannot be listed
    value: float  # of the position for the player to move, by the search or else by the network
    network_value: float  # by the network alone
    moves: Sequence[Move]  # the best first; empty where actions cannot be listed, and none were sampled
    line: Sequence[str]  # what it expects to be played, the chosen move first
    result: Result | None  # the search, with its tree in row 0; None without search
    names: TreeNames | None  # of the actions in that tree
    edge: int = -1  # the number by which the tree knows the chosen action; -1 without a tree

    @property
    def simulations(self) -> int:
        """Simulations of the search; 0 without search."""
        return sum(move.visits for move in self.moves)

    def chose(self, move: Move) -> bool:
        """Whether a move is the chosen one."""
        return move.edge == self.edge if self.result is not None else np.array_equal(move.action, self.action)


def think(agent: Agent, observation: np.ndarray, legal: np.ndarray, rules: Rules | None) -> Thoughts:
    """Search a position with an agent's planner, or ask its policy where the planner does not search.

    Args:
        agent: thinks.
        observation: [1, *observation] of the player to move.
        legal: [1, A] bool.
        rules: the position, for the names of moves; None where the rules cannot be consulted.

    Raises:
        ValueError: if the model remembers earlier observations, see `Agent.session`.
        NonFiniteError: if the model makes NaN or infinity of the observation.
    """
    space = agent.spec.actions
    policy, value = agent.predict(observation, legal)
    if not isinstance(agent.player.planner, TreePlanner):
        action = agent.decide(observation, legal)[0]
        moves = [
            Move(int(a), action_name(rules, space, int(a)), float(policy[0, a]), 0, float(policy[0, a]), None)
            for a in (np.flatnonzero(legal[0]) if space.columns else ())
        ]
        line = [action_name(rules, space, int(action))] if space.columns else []
        chosen = int(action) if space.columns else action
        return Thoughts(chosen, float(value[0]), float(value[0]), ordered(moves), line, None, None)
    result = agent.search(observation, legal)
    names, prior = TreeNames(result.tree, rules, space), result.tree.prior(0, 0)
    moves = [
        Move(
            result.tree.action_at(0, 0, edge),
            names(0, edge),
            float(prior[edge]),
            int(result.visits[0, edge]),
            float(result.policy[0, edge]),
            float(result.q[0, edge]) if result.visits[0, edge] else None,
            edge,
        )
        for edge in map(int, np.flatnonzero(np.isfinite(result.tree.prior_logits[0, 0])))
    ]
    line = [names(node.parent, node.action) for node in result.principal_variation()]
    best, edge = float(improved_value(result)[0]), int(result.action[0])
    chosen = result.tree.action_at(0, 0, edge)
    return Thoughts(chosen, best, float(value[0]), ordered(moves), line, result, names, edge)


def ordered(moves: Sequence[Move]) -> list[Move]:
    """The best first: by the search's policy, then visits; of equal ones, in the order that they have."""
    return sorted(moves, key=lambda move: (-move.policy, -move.visits))

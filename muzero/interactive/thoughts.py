"""What an agent thinks of a position: each move with its prior, visits, policy and value, and the expected line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from muzero.agent import Agent
from muzero.inference import to_numpy
from muzero.interfaces import Decision, Rules, observe_first
from muzero.planners.reactive import ReactivePlanner
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
    policy: float  # probability by the search, or by another planner; without either, the prior
    value: float | None  # reward and discounted value of what follows, for the player to move; None: not visited
    edge: int = -1  # the number by which the tree knows it; -1 without a tree


@dataclass(frozen=True)
class Number:
    """One of the numbers of an action that cannot be listed, from -1 to 1."""

    name: str
    network: float  # what the network alone would play
    chosen: float


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
    reward: float | None = None  # that the model expects of the chosen action; None: the search did not visit it
    planned: bool = False  # whether a planner without a tree improved on the network's policy
    numbers: Sequence[Number] = ()  # of the chosen action, where actions cannot be listed and there is no tree

    @property
    def simulations(self) -> int:
        """Simulations of the search; 0 without search."""
        return sum(move.visits for move in self.moves)

    def chose(self, move: Move) -> bool:
        """Whether a move is the chosen one."""
        return move.edge == self.edge if self.result is not None else np.array_equal(move.action, self.action)


def think(
    agent: Agent, observation: np.ndarray, legal: np.ndarray, rules: Rules | None, decision: Decision | None = None
) -> Thoughts:
    """Search a position with an agent's planner, or ask the planner alone where it searches no tree.

    Args:
        agent: thinks.
        observation: [1, *observation] of the player to move.
        legal: [1, A] bool.
        rules: the position, for the names of moves; None where the rules cannot be consulted.
        decision: of a planner without a tree, which it made by what it remembers of the game; None: it makes one now.

    Raises:
        ValueError: if the model remembers earlier observations, see `Agent.session`.
        NonFiniteError: if the model makes NaN or infinity of the observation.
    """
    if not isinstance(agent.player.planner, TreePlanner):
        return without_tree(agent, observation, legal, rules, decision or agent.plan(observation, legal))
    space, value = agent.spec.actions, agent.predict(observation, legal)[1]
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
    chosen, child = result.tree.action_at(0, 0, edge), int(result.tree.children[0, 0, edge])
    reward = float(result.tree.reward[0, child]) if child >= 0 else None
    return Thoughts(chosen, best, float(value[0]), ordered(moves), line, result, names, edge, reward)


@torch.inference_mode()
def without_tree(
    agent: Agent, observation: np.ndarray, legal: np.ndarray, rules: Rules | None, decision: Decision
) -> Thoughts:
    """What a planner that searches no tree decided, beside what the network alone says."""
    space, model, device = agent.spec.actions, agent.player.model, agent.player.device
    policy, network_value = agent.predict(observation, legal)
    action, value = decision.action[0], float(decision.value[0])
    root = observe_first(model, torch.from_numpy(observation).to(device))
    _, transition = model.imagine(root, torch.from_numpy(np.asarray(action)[None]).to(device))
    known = {
        "planned": not isinstance(agent.player.planner, ReactivePlanner),
        "reward": float(to_numpy(transition.reward.mean)[0]),
    }
    if not space.columns:
        would = to_numpy(model.predict(root).policy.mode())[0]
        known["numbers"] = [
            Number(str(place), float(each), float(chosen))
            for place, (each, chosen) in enumerate(zip(would, action, strict=True))
        ]
        return Thoughts(action, value, float(network_value[0]), (), (), None, None, **known)
    moves = [
        Move(int(a), action_name(rules, space, int(a)), float(policy[0, a]), 0, float(decision.weights[0, a]), None)
        for a in np.flatnonzero(legal[0])
    ]
    line = [action_name(rules, space, int(action))]
    return Thoughts(int(action), value, float(network_value[0]), ordered(moves), line, None, None, **known)


def ordered(moves: Sequence[Move]) -> list[Move]:
    """The best first: by the search's policy, then visits; of equal ones, in the order that they have."""
    return sorted(moves, key=lambda move: (-move.policy, -move.visits))

"""A slow, plain search, one tree at a time in double precision: the oracle for `muzero.search`.

It follows the papers and mctx literally and shares nothing with the C++.  Single and double precision can disagree
where two actions are nearly equal, so a search also says how clear its closest decision was (`Found.margin`).
"""

import math
from dataclasses import dataclass, field

import numpy as np

TINY = float(np.finfo(np.float32).tiny)


class Table:
    """A batch of models that are tables of numbers: a state is an integer, and its row says everything.

    With `drift`, what a row says changes with every simulation, as when a network is replaced during a search.
    """

    def __init__(self, logits, value, reward, discount, roots, drift=0):
        self.logits, self.value, self.reward, self.discount = logits, value, reward, discount
        self.roots, self.drift = [int(root) for root in roots], drift
        self.states = {(b, 0): root for b, root in enumerate(self.roots)}
        self.calls = []

    @property
    def actions(self):
        """Those of the player and the outcomes of chance."""
        return self.logits.shape[1]

    @classmethod
    def random(cls, rng, batch, actions, rows=31, drift=0, discounts=(0.997, -1.0, 0.0), sharpness=1.0):
        """A table of random numbers."""
        return cls(
            rng.normal(0, sharpness, (rows, actions)).astype(np.float32),
            rng.normal(0, 1, rows).astype(np.float32),
            np.where(rng.random(rows) < 0.5, rng.normal(0, 1, rows), 0).astype(np.float32),
            rng.choice(np.array(discounts, np.float32), rows),
            rng.integers(0, 2**32, batch),
            drift,
        )

    def only(self, row):
        """The same model with a batch of one."""
        return Table(self.logits, self.value, self.reward, self.discount, self.roots[row : row + 1], self.drift)

    def row(self, state, simulation=0):
        return ((state >> 8) + simulation * self.drift) % len(self.value)

    @staticmethod
    def child(state, action):
        return (state * 1664525 + action * 1013904223 + 12345) % 2**32

    @property
    def root(self):
        """prior_logits [B, A] and value [B] of the roots."""
        rows = [self.row(state) for state in self.roots]
        return self.logits[rows], self.value[rows]

    def expand(self, parent, action, node):
        """What `muzero.search` calls."""
        rows = np.empty(len(parent), np.int64)
        for b, (p, a, n) in enumerate(zip(parent.tolist(), action.tolist(), node.tolist(), strict=True)):
            self.states[b, n] = self.child(self.states[b, p], a)
            rows[b] = self.row(self.states[b, n], len(self.calls) + 1)
        self.calls.append((parent.copy(), action.copy(), node.copy()))
        return self.reward[rows], self.discount[rows], self.value[rows], self.logits[rows]


@dataclass
class Node:
    state: int
    logits: np.ndarray
    raw_value: float
    value: float
    visits: int = 1
    reward: float = 0.0
    discount: float = 0.0
    action: int = -1
    children: dict = field(default_factory=dict)

    def edges(self):
        """visits and q of all edges, 0 where there is no child."""
        visits, q = np.zeros(len(self.logits)), np.zeros(len(self.logits))
        for action, child in self.children.items():
            visits[action] = child.visits
            q[action] = child.reward + child.discount * child.value
        return visits, q


@dataclass
class Found:
    action: int
    policy: np.ndarray
    value: float
    visits: np.ndarray
    q: np.ndarray
    margin: float  # of the closest decision, in units of q before it was scaled


def softmax(logits):
    power = np.exp(logits - logits.max())
    return power / power.sum()


class Rule:
    """Without chance, all actions are a node's own, and a step is what the model says."""

    def own(self, action, logits):
        return logits

    def step(self, action, reward, discount):
        return reward, discount


class Puct(Rule):
    def __init__(self, c_init=1.25, c_base=19652.0, normalize="siblings"):
        self.c_init, self.c_base, self.normalize = c_init, c_base, normalize

    def scores(self, search, node):
        visits, q = node.edges()
        if self.normalize == "siblings":
            known = np.append(q[visits > 0], node.value)
            low, size = known.min(), max(known.max() - known.min(), 1e-8)
        elif self.normalize == "tree":
            low, size = (search.low, max(search.high - search.low, 0.01)) if search.low < math.inf else (0.0, 0.01)
        else:
            low, size = self.normalize[0], self.normalize[1] - self.normalize[0]
        scaled = (np.where(visits > 0, q, low) - low) / size
        explore = self.c_init + math.log((node.visits + self.c_base + 1) / self.c_base)
        return scaled + math.sqrt(node.visits) * explore * softmax(node.logits) / (1 + visits), 1 / size

    def finish(self, search):
        visits, _ = search.root.edges()
        return int(np.argmax(np.where(search.legal, visits, -1))), visits / visits.sum()


class Stochastic(Puct):
    """The first `decisions` actions are the player's; each leads to a node where chance has the others."""

    def __init__(self, decisions, **options):
        super().__init__(**options)
        self.decisions = decisions

    def own(self, action, logits):
        """The logits of a node to which `action` leads: those of the outcomes after a decision, and so on."""
        chance = 0 <= action < self.decisions
        return np.where((np.arange(len(logits)) >= self.decisions) == chance, logits, -np.inf)

    def step(self, action, reward, discount):
        return (0.0, 1.0) if action < self.decisions else (reward, discount)

    def scores(self, search, node):
        if node is search.root or node.action >= self.decisions:
            return super().scores(search, node)
        visits, _ = node.edges()
        return softmax(node.logits) / (1 + visits), 1.0


class Gumbel(Rule):
    def __init__(
        self, simulations, noise, considered=16, value_scale=0.1, visit_offset=50.0, rescale=True, least_range=1e-8
    ):
        self.simulations, self.noise, self.considered = simulations, noise, considered
        self.value_scale, self.visit_offset, self.rescale = value_scale, visit_offset, rescale
        self.least_range = least_range

    @staticmethod
    def sequence(considered, simulations):
        """By simulation, the number of visits that a considered action of the root has."""
        if considered <= 1:
            return list(range(simulations))
        phases = math.ceil(math.log2(considered))
        visits, size, result = [0] * considered, considered, []
        while len(result) < simulations:
            for _ in range(max(1, int(simulations / (phases * size)))):
                result.extend(visits[:size])
                visits[:size] = [count + 1 for count in visits[:size]]
            size = max(2, size // 2)
        return result[:simulations]

    def sigma(self, node):
        """Scaled q of all actions, and how much the scale stretches."""
        visits, q = node.edges()
        prior = np.maximum(TINY, softmax(node.logits))
        seen = visits > 0
        weighted = (prior * q)[seen].sum() / prior[seen].sum() if seen.any() else 0.0
        mixed = (node.raw_value + visits.sum() * weighted) / (1 + visits.sum())
        completed = np.where(seen, q, mixed)
        factor = (self.visit_offset + visits.max()) * self.value_scale
        if self.rescale:
            size = max(completed.max() - completed.min(), self.least_range)
            completed, factor = completed - completed.min(), factor / size
        return completed * factor, factor

    def root_scores(self, search, considered_visits):
        visits, _ = search.root.edges()
        sigma, factor = self.sigma(search.root)
        score = np.maximum(-1e9, self.noise + search.root.logits - search.root.logits.max() + sigma)
        return np.where((visits == considered_visits) & search.legal, score, -np.inf), factor

    def scores(self, search, node):
        visits, _ = node.edges()
        if node is search.root:
            sequence = self.sequence(min(self.considered, int(search.legal.sum())), self.simulations)
            return self.root_scores(search, sequence[int(visits.sum())])
        sigma, factor = self.sigma(node)
        return softmax(node.logits + sigma) - visits / (1 + visits.sum()), factor

    def finish(self, search):
        visits, _ = search.root.edges()
        action = search.choose(*self.root_scores(search, visits.max()))
        return action, softmax(np.where(search.legal, search.root.logits + self.sigma(search.root)[0], -np.inf))


class Search:
    """One tree."""

    def __init__(self, table, row, rule, legal):
        state = table.roots[row]
        entry = table.row(state)
        logits = rule.own(-1, np.where(legal, table.logits[entry].astype(float), -np.inf))
        value = float(table.value[entry])
        self.table, self.rule, self.legal = table, rule, legal
        self.root = Node(state, logits, value, value)
        self.low, self.high, self.margin = math.inf, -math.inf, math.inf

    def choose(self, scores, stretch):
        """The lowest index of the best; remembers how far behind the next was that is not exactly as good."""
        behind = scores.max() - scores[(scores < scores.max()) & (scores > -np.inf)]
        if len(behind):
            self.margin = min(self.margin, behind.min() / max(1.0, stretch))
        return int(np.argmax(scores))

    def simulate(self, simulation, max_depth):
        path, node = [], self.root
        while True:
            scores, stretch = self.rule.scores(self, node)
            action = self.choose(np.where(node.logits > -np.inf, scores, -np.inf), stretch)
            path.append((node, action))
            if action not in node.children or len(path) == max_depth:
                break
            node = node.children[action]
        leaf = self.evaluate(node, action, simulation)
        result = leaf.value
        for node, action in reversed(path):
            child = node.children[action]
            q = child.reward + child.discount * child.value
            self.low, self.high = min(self.low, q), max(self.high, q)
            result = child.reward + child.discount * result
            node.value = (node.value * node.visits + result) / (node.visits + 1)
            node.visits += 1

    def evaluate(self, node, action, simulation):
        state = self.table.child(node.state, action)
        row = self.table.row(state, simulation + 1)
        visits = node.children[action].visits + 1 if action in node.children else 1
        value, reward, discount = (float(x[row]) for x in (self.table.value, self.table.reward, self.table.discount))
        logits = self.rule.own(action, self.table.logits[row].astype(float))
        leaf = Node(state, logits, value, value, visits, *self.rule.step(action, reward, discount), action)
        node.children[action] = leaf
        return leaf


def search(table, row, rule, simulations, legal, max_depth=None):
    """Search tree `row` of a table.  legal: [A] bool."""
    tree = Search(table, row, rule, legal)
    for simulation in range(simulations):
        tree.simulate(simulation, max_depth)
    action, policy = rule.finish(tree)
    visits, q = tree.root.edges()
    return Found(action, policy, tree.root.value, visits, q, tree.margin)

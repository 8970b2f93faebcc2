"""Play with the exported agent of this folder: numpy and onnxruntime are all that it needs.

    python play.py                             a game, where the game's own library is installed
    python play.py --observations FILE.npy     the moves for observations [B, ...] of a file

`Agent(folder).choose(observation, legal)` is what other programs use.  The search is that of the agent, written for
reading: Gumbel MuZero (Danihelka et al. 2022) or pUCT (Schrittwieser et al. 2020).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import onnxruntime

TINY = float(np.finfo(np.float32).tiny)
LATENT, NEXT = "latent.", "next."  # prefixes of a latent's parts, as a network takes them and as it gives them


class Network:
    """A file of ONNX as a function of named arrays."""

    def __init__(self, file: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one position is too little for several
        self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.inputs = {each.name for each in self.session.get_inputs()}
        self.outputs = [each.name for each in self.session.get_outputs()]

    def __call__(self, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = self.session.run(self.outputs, {name: given[name] for name in given if name in self.inputs})
        return {name: np.asarray(array) for name, array in zip(self.outputs, found, strict=True)}


class Node:
    """A state of a tree, as the network imagines it, and the edge that leads to it."""

    def __init__(self, found: dict[str, np.ndarray], prefix: str) -> None:
        """Read what a network says of one state.  prefix: of its latent."""
        self.latent = {name.removeprefix(prefix): part for name, part in found.items() if name.startswith(prefix)}
        self.logits = found["policy"][0].astype(np.float64)
        self.raw_value = self.value = float(found["value"][0])  # of the network, and the mean that the search makes
        self.reward = float(found["reward"][0]) if "reward" in found else 0.0
        self.discount = float(found["discount"][0]) if "discount" in found else 0.0  # negative: the turn passes
        self.visits = 1
        self.children: dict[int, Node] = {}
        self.actions: np.ndarray | None = None  # what the numbers of actions stand for, where they are samples

    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Visits and returns of all actions; 0 where an action was not tried."""
        visits, q = np.zeros(len(self.logits)), np.zeros(len(self.logits))
        for action, child in self.children.items():
            visits[action], q[action] = child.visits, child.reward + child.discount * child.value
        return visits, q


class Agent:
    """Plays by the networks of a folder, always the same move in the same position."""

    def __init__(self, folder: Path | str, simulations: int | None = None) -> None:
        """Read an export.

        Args:
            folder: with manifest.json.
            simulations: of each search; None: as the agent was trained; 0: the policy alone.
        """
        self.about: dict[str, Any] = json.loads(Path(folder, "manifest.json").read_text("utf-8"))
        if self.about["format"] != "muzero-onnx" or self.about["version"] != 1:
            raise ValueError(f"{folder}: written in a format that this program does not know")
        files = {name: Path(folder, network["file"]) for name, network in self.about["networks"].items()}
        self.initial, self.recurrent = Network(files["initial_inference"]), Network(files["recurrent_inference"])
        self.search: dict[str, Any] = dict(self.about["search"])
        if simulations is not None and self.search["rule"] != "policy":
            self.search |= {"simulations": simulations} if simulations else {"rule": "policy"}

    def choose(self, observation: np.ndarray, legal: np.ndarray | None = None) -> Any:
        """The action for one observation: its number, or numbers from -1 to 1.

        Args:
            observation: as "observation" of the manifest says.
            legal: [A] bool; None: all actions are legal.
        """
        expected = self.about["observation"]
        given = np.asarray(observation, expected["dtype"])
        if list(given.shape) != expected["shape"]:
            raise ValueError(f"an observation of shape {list(given.shape)}, expected {expected['shape']}")
        found = self.initial({"observation": given[None]})
        if not np.isfinite(found["policy"]).all():
            raise ValueError("the network makes NaN or infinity of this observation")
        box = self.about["actions"]["kind"] == "box"
        allowed = np.ones(len(found["policy"][0]), bool) if legal is None else np.asarray(legal, bool)
        if self.search["rule"] != "policy":
            return self.plan(found, allowed)
        if box:
            return np.tanh(normal(found["policy"][0])[0])
        return int(np.argmax(np.where(allowed, found["policy"][0], -np.inf)))

    def plan(self, found: dict[str, np.ndarray], legal: np.ndarray) -> Any:
        """The action that a search finds.  found: what the network says of the observation."""
        search = dict(self.search)
        rule: Any = {"gumbel": Gumbel, "puct": Puct, "sampled": Sampled}[search.pop("rule")]
        return rule(self.recurrent, Node(found, LATENT), legal, **search).run()

    def native(self, action: Any) -> Any:
        """An action as the game's own library takes it."""
        actions = self.about["actions"]
        if actions["kind"] == "discrete":
            return np.asarray(actions["native"][action]) if actions["native"] else action
        low, high = np.asarray(actions["low"]), np.asarray(actions["high"])
        value = low + (np.asarray(action).reshape(low.shape) + 1) / 2 * (high - low)
        dtype = np.dtype(actions["dtype"])
        return (np.rint(value) if dtype.kind in "iu" else value).astype(dtype)


# --- search --------------------------------------------------------------------------------------------------------


def normal(policy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and deviations [D] of the normal variables of which actions are the tanh, from what a network puts out."""
    mean, deviation = np.split(policy.astype(np.float64), 2)
    return 5 * np.tanh(mean / 5), np.logaddexp(0, deviation + 1) + 0.1


def softmax(logits: np.ndarray) -> np.ndarray:
    power = np.exp(logits - logits.max())
    return power / power.sum()


class Search:
    """A tree over imagined states.  Returns are seen by the player to move; an edge's discount turns them around."""

    def __init__(self, network: Network, root: Node, legal: np.ndarray, simulations: int) -> None:
        root.logits = np.where(legal, root.logits, -np.inf)
        self.network, self.root, self.legal, self.simulations = network, root, legal, simulations
        self.low, self.high = math.inf, -math.inf  # of all returns so far

    def scores(self, node: Node) -> np.ndarray:
        """[A] the action to follow has the highest."""
        raise NotImplementedError

    def decide(self) -> int:
        """The action to play, once all simulations are done."""
        raise NotImplementedError

    def seen(self, node: Node) -> Node:
        """A new node, as it becomes part of the tree."""
        return node

    def run(self) -> Any:
        for _ in range(self.simulations):
            self.simulate()
        return self.decide()

    def simulate(self) -> None:
        """Walk to an action that was not tried, imagine it, and pass its return up to the root."""
        node, path = self.root, []
        while True:
            action = int(np.argmax(np.where(node.logits > -np.inf, self.scores(node), -np.inf)))
            path.append((node, action))
            if action not in node.children:
                break
            node = node.children[action]
        meant = np.array(action) if node.actions is None else node.actions[action]
        given = {LATENT + name: part for name, part in node.latent.items()} | {"action": meant[None]}
        node.children[action] = self.seen(Node(self.network(given), NEXT))
        result = node.children[action].value
        for node, action in reversed(path):
            child = node.children[action]
            q = child.reward + child.discount * child.value
            self.low, self.high = min(self.low, q), max(self.high, q)
            result = child.reward + child.discount * result
            node.value = (node.value * node.visits + result) / (node.visits + 1)
            node.visits += 1


class Puct(Search):
    """The prior, weighed by visits, plus returns scaled to [0, 1]."""

    def __init__(self, network: Network, root: Node, legal: np.ndarray, *, simulations: int, c_init: float,
                 c_base: float, normalize: str) -> None:  # fmt: skip
        super().__init__(network, root, legal, simulations)
        self.c_init, self.c_base, self.normalize = c_init, c_base, normalize

    def scores(self, node: Node) -> np.ndarray:
        visits, q = node.edges()
        if self.normalize == "siblings":
            known = np.append(q[visits > 0], node.value)
            low, size = known.min(), max(known.max() - known.min(), 1e-8)
        else:
            low, size = (self.low, max(self.high - self.low, 0.01)) if self.low < math.inf else (0.0, 0.01)
        explore = self.c_init + math.log((node.visits + self.c_base + 1) / self.c_base)
        bonus = math.sqrt(node.visits) * explore * softmax(node.logits) / (1 + visits)
        return (np.where(visits > 0, q, low) - low) / size + bonus

    def decide(self) -> int:
        return int(np.argmax(np.where(self.legal, self.root.edges()[0], -1)))


class Gumbel(Search):
    """Sequential halving at the root; below it, visits follow the improved policy."""

    def __init__(self, network: Network, root: Node, legal: np.ndarray, *, simulations: int, considered: int,
                 value_scale: float, visit_offset: float, rescale: bool, least_range: float) -> None:  # fmt: skip
        super().__init__(network, root, legal, simulations)
        self.value_scale, self.visit_offset = value_scale, visit_offset
        self.rescale, self.least_range = rescale, least_range
        self.rounds = halving(min(considered, int(legal.sum())), simulations)

    def improved(self, node: Node) -> np.ndarray:
        """[A] logits plus scaled returns; an action that was not tried counts as the mixed value (eq. 33)."""
        visits, q = node.edges()
        tried, prior = visits > 0, np.maximum(TINY, softmax(node.logits))
        mean = (prior * q)[tried].sum() / prior[tried].sum() if tried.any() else 0.0
        mixed = (node.raw_value + visits.sum() * mean) / (1 + visits.sum())
        completed = np.where(tried, q, mixed)
        factor = (self.visit_offset + visits.max()) * self.value_scale
        if self.rescale:
            low = completed.min()
            completed, factor = completed - low, factor / max(completed.max() - low, self.least_range)
        return node.logits + completed * factor

    def among(self, count: float) -> np.ndarray:
        """[A] scores of the actions of the root with so many visits."""
        return np.where(self.root.edges()[0] == count, self.improved(self.root), -np.inf)

    def scores(self, node: Node) -> np.ndarray:
        if node is self.root:
            return self.among(self.rounds[node.visits - 1])
        visits, _ = node.edges()
        return softmax(self.improved(node)) - visits / (1 + visits.sum())

    def decide(self) -> int:
        return int(np.argmax(self.among(self.root.edges()[0].max())))


class Sampled(Gumbel):
    """Real-valued actions: Gumbel over fixed quantiles of each node's policy (Hubert et al. 2021)."""

    def __init__(self, network: Network, root: Node, legal: np.ndarray, *, samples: int, **settings: Any) -> None:
        self.points = points(samples, len(root.logits) // 2)
        super().__init__(network, self.seen(root), np.ones(samples, bool), considered=samples, **settings)

    def seen(self, node: Node) -> Node:
        mean, deviation = normal(node.logits)
        node.actions = np.tanh(mean + deviation * self.points).astype(np.float32)
        node.logits = np.zeros(len(node.actions))
        return node

    def run(self) -> Any:
        assert self.root.actions is not None
        return self.root.actions[super().run()]


def points(count: int, size: int) -> np.ndarray:
    """[count, size] numbers that are spread like standard normal ones: zeros, and pairs of a point and its opposite."""
    ratio = 2.0
    for _ in range(64):  # the root of x ** (size + 1) = x + 1
        ratio = (1 + ratio) ** (1 / (size + 1))
    shares = (0.5 + np.arange(1, count // 2 + 1)[:, None] * ratio ** -np.arange(1.0, size + 1)) % 1
    table = np.zeros((count, size))
    if count > 1:
        half = np.vectorize(NormalDist().inv_cdf)(shares.clip(1e-6, 1 - 1e-6))
        table[1::2], table[2::2] = half, -half[: (count - 1) // 2]
    return table


def halving(considered: int, simulations: int) -> list[int]:
    """By simulation, how many visits an action of the root has that may be tried."""
    if considered <= 1:
        return list(range(simulations))
    phases, visits, size = math.ceil(math.log2(considered)), [0] * considered, considered
    found: list[int] = []
    while len(found) < simulations:
        for _ in range(max(1, simulations // phases // size)):
            found.extend(visits[:size])
            visits[:size] = [count + 1 for count in visits[:size]]
        size = max(2, size // 2)
    return found[:simulations]


# --- games ---------------------------------------------------------------------------------------------------------


def play_gymnasium(agent: Agent, name: str, seed: int) -> str:
    """An episode of an environment of gymnasium whose observations are rows of numbers."""
    import gymnasium

    environment = gymnasium.make(name, **agent.about["environment"].get("kwargs", {}))
    shape, total, steps, over = agent.about["observation"]["shape"], 0.0, 0, False
    observation, _ = environment.reset(seed=seed)
    while not over:
        row = np.asarray(observation)
        if len(shape) != 1 or [row.size] != shape:
            raise SystemExit(f"{name} does not show rows of numbers; use Agent.choose with observations of {shape}")
        action = agent.native(agent.choose(row.reshape(shape)))
        observation, reward, terminated, truncated, _ = environment.step(action)
        total, steps, over = total + float(reward), steps + 1, terminated or truncated
    environment.close()
    return f"{steps} steps, score {total:g}"


def play_board(agent: Agent, name: str, seed: int) -> str:
    """A game of OpenSpiel, in which the agent makes the moves of both players."""
    import pyspiel

    game = pyspiel.load_game(name)
    state, shape, moves = game.new_initial_state(), agent.about["observation"]["shape"], []
    while not state.is_terminal():
        seat = state.current_player()
        board = np.asarray(state.observation_tensor(seat), np.float32)
        if game.num_players() == 2:  # the number of the player to move stands behind the board
            board = np.append(board, np.full(math.prod(shape) - board.size, seat, np.float32))
        action = agent.choose(board.reshape(shape), np.asarray(state.legal_actions_mask(), bool))
        moves.append(state.action_to_string(action))
        state.apply_action(action)
    return f"{state}\n{' '.join(moves)}\nreturns {state.returns()}"


PLAY = {"gym": play_gymnasium, "board": play_board}


def main(make: type[Agent] = Agent, words: Sequence[str] | None = None) -> None:
    """Play a game, or choose moves for observations of a file."""
    parser = argparse.ArgumentParser(description="Play with the exported agent of this folder.")
    parser.add_argument("--simulations", type=int, help="of each search (default: as trained; 0: the policy alone)")
    parser.add_argument("--seed", type=int, default=0, help="of the game (default 0)")
    parser.add_argument("--observations", type=Path, help="print moves for a .npy file [B, ...] instead")
    parser.add_argument("--legal", type=Path, help="a .npy file of the legal actions [B, A], true where legal")
    options = parser.parse_args(words)
    agent = make(Path(__file__).parent, options.simulations)
    if options.observations:
        seen = np.load(options.observations)
        legal = np.load(options.legal) if options.legal else [None] * len(seen)
        for observation, mask in zip(seen, legal, strict=True):
            print(np.asarray(agent.choose(observation, mask)).tolist())
        return
    kind, _, name = agent.about["game"].partition("/")
    if kind not in PLAY:
        raise SystemExit(f"{kind}/ needs its environment: give --observations, or call Agent.choose from your program")
    try:
        print(PLAY[kind](agent, name, options.seed))
    except ModuleNotFoundError as error:
        package = {"pyspiel": "open_spiel"}.get(str(error.name), error.name)
        raise SystemExit(
            f"the game itself is of {package}, which is not installed: pip install {package}\n"
            "the agent needs numpy and onnxruntime alone: give --observations, or call Agent.choose from your program"
        ) from None


if __name__ == "__main__":
    main()

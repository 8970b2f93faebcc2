"""Speed of a model's part of a search, on one core: microseconds per simulation by each path, and per new weights.

Then whole searches with a network: ours, the bare calls of onnxruntime that it makes, and mctx with the same network,
where that is installed (pip install mctx).  Rounds of all columns alternate, so that a busy machine slows all of them.

    muzero-bench inference [--rounds 15] [--only mlp]
"""

import os
import time
from functools import partial

import numpy as np
import torch
from torch import nn

from muzero import build, search
from muzero.actions import Discrete
from muzero.cli.parser import Parser
from muzero.config.shipped import CONFIGS
from muzero.inference import simulating
from muzero.inference.onnx_backend import OnnxModel, OnnxSimulator
from muzero.interfaces import GameSpec, Prediction, Transition, WorldModel, observe_first
from muzero.models.heads import Categorical, Certain
from muzero.util.allocator import keep_freed
from muzero.util.bfloat16 import device_has_bfloat16

SIMULATIONS = 32  # of one search without trees


class TwoLayers(WorldModel):
    """Two layers of dynamics, and one that reads off policy, value, reward and discount."""

    def __init__(self, actions, width=128):
        super().__init__()
        self.space, self.actions, self.width = Discrete(actions), actions, width
        self.enter = nn.Linear(width, width, bias=False)
        self.action = nn.Embedding(actions, width)
        self.leave = nn.Linear(width, width)
        self.judge = nn.Linear(width, 3 + actions)

    def memory(self, batch):
        return {}

    def encode(self, observation):
        return observation

    def update(self, memory, action, encoded, first, noise=None):
        return {"state": encoded}

    def imagine(self, latent, action, noise=None):
        state = torch.relu(self.leave(torch.relu(self.enter(latent["state"]) + self.action(action))))
        reward, discount, _, _ = self._read(state)
        return {"state": state}, Transition(Certain(reward), Certain(torch.sigmoid(discount)))

    def predict(self, latent):
        _, _, value, logits = self._read(latent["state"])
        return Prediction(Categorical(logits), Certain(value))

    def _read(self, state):
        *numbers, logits = self.judge(state).split([1, 1, 1, self.actions], 1)
        return *(number.squeeze(1) for number in numbers), logits


def two_layers(actions, batch):
    """The network of whole searches, and latents of roots."""
    torch.manual_seed(0)
    model = TwoLayers(actions).eval()
    return model, {"state": torch.randn(batch, model.width)}


def shipped(game, batch):
    """A game's shipped model, and latents of roots."""
    config = build.configure(game, [])
    games = build.games(config, 1, training=False)
    return of_spec(partial(build.model, config), games.spec, batch)


def of_spec(make, spec, batch):
    model = make(spec).eval()
    with torch.inference_mode():
        return model, observe_first(model, torch.rand(batch, *spec.observation).to(getattr(torch, spec.dtype)))


def atari(batch):
    """The shipped model of Atari games; the games themselves need not be installed."""
    from muzero.config import Layer, merge, read_layer

    spec = GameSpec("atari", (4, 96, 96), "uint8", Discrete(6), (0.0, 0.997))
    tables = {"model": {**read_layer(CONFIGS / "atari.toml").tables.get("model", {}), "kind": "spatial"}}
    config = merge([Layer("atari", tables)], {"model": build.SCHEMA["model"]})
    return of_spec(partial(build.model, config), spec, batch)


# --- one simulation ------------------------------------------------------------------------------------------------


def stepping(model, root, path, simulations=SIMULATIONS):
    """A function that makes the simulations of one search, without trees."""
    batch = len(next(iter(root.values())))
    rng = np.random.default_rng(0)
    edges = [
        [rng.integers(0, bound, batch).astype(np.int32) for bound in (node + 1, 2)]
        + [np.full(batch, node + 1, np.int32)]
        for node in range(simulations)
    ]

    def once():
        with simulating(model, root, simulations, path) as simulation:
            for edge in edges:
                simulation.expand(*edge)

    return once


@torch.inference_mode()
def plain(model, root):
    """Imagine and predict in torch on latents that are there: what a network costs without glue, unfolded."""
    action = torch.zeros(len(next(iter(root.values()))), dtype=torch.int64)

    def once():
        with torch.inference_mode():
            model.expand(root, action)

    return once


def renewal(model, root, path):
    """A function that changes the weights and searches once: what new weights cost."""
    weights = [parameter.data for parameter in model.parameters()]

    def once():
        weights[0].mul_(-1)
        with simulating(model, root, 1, path):
            pass

    return once


# --- whole searches ------------------------------------------------------------------------------------------------


def ours(model, root, simulations, path="auto", rule="gumbel"):
    """A function that searches once, the network's view of the root included."""
    batch = len(next(iter(root.values())))
    rng = np.random.default_rng(0)

    def once():
        with simulating(model, root, simulations, path) as (logits, value, expand):
            if rule == "gumbel":
                noise = rng.gumbel(size=logits.shape).astype(np.float32)
                return search.gumbel(logits, value, expand, simulations, noise=noise)
            return search.puct(logits, value, expand, simulations)

    assert batch == len(once().action)
    return once


def bare(model, root, simulations):
    """The calls of onnxruntime alone that a search makes: one for the roots and one for each simulation."""
    batch = len(next(iter(root.values())))
    with torch.inference_mode():
        compiled = OnnxModel(model, root, noise=0)
        made = OnnxSimulator(compiled, batch, simulations)
        made.begin(model, root, 0.0, None)
        nothing = np.zeros(batch, np.int32)
        for _ in range(simulations):
            made.expand(nothing, nothing, nothing)

    def once(made=made):
        made.run_root()
        for run in made.runs:
            run()

    return once


def theirs(model, root, simulations, rule="gumbel"):
    """mctx with the network of `TwoLayers`, compiled together, the network's view of the root included."""
    import jax
    import jax.numpy as jnp
    import mctx

    weights = {name: jnp.asarray(tensor.detach().numpy()) for name, tensor in model.named_parameters()}

    def judge(weights, state):
        out = state @ weights["judge.weight"].T + weights["judge.bias"]
        return out[:, 0], jax.nn.sigmoid(out[:, 1]), out[:, 2], out[:, 3:]

    def recurrent(weights, key, action, state):
        hidden = jax.nn.relu(state @ weights["enter.weight"].T + weights["action.weight"][action])
        state = jax.nn.relu(hidden @ weights["leave.weight"].T + weights["leave.bias"])
        reward, discount, value, logits = judge(weights, state)
        output = mctx.RecurrentFnOutput(reward=reward, discount=discount, prior_logits=logits, value=value)
        return output, state

    policy = mctx.muzero_policy if rule == "puct" else mctx.gumbel_muzero_policy
    extra = {"dirichlet_fraction": 0.0} if rule == "puct" else {}

    def run(weights, key, state):
        _, _, value, logits = judge(weights, state)
        begin = mctx.RootFnOutput(prior_logits=logits, value=value, embedding=state)
        result = policy(weights, key, begin, recurrent, simulations, **extra)
        return result.action, result.action_weights

    compiled = jax.jit(run)
    state, key = jnp.asarray(root["state"].numpy()), jax.random.PRNGKey(0)
    once = lambda: jax.block_until_ready(compiled(weights, key, state))  # noqa: E731
    once()
    return once


# --- tables --------------------------------------------------------------------------------------------------------


def alternate(functions, rounds, seconds=0.05):
    """Median and least microseconds of each function, measured in turns."""
    repeats = []
    for function in functions:
        function()
        begin = time.perf_counter()
        function()
        repeats.append(max(1, round(seconds / max(time.perf_counter() - begin, 1e-7))))
    taken = [[] for _ in functions]
    for _ in range(rounds):
        for function, repeat, figures in zip(functions, repeats, taken, strict=True):
            begin = time.perf_counter()
            for _ in range(repeat):
                function()
            figures.append((time.perf_counter() - begin) / repeat * 1e6)
    return [(float(np.median(figures)), min(figures)) for figures in taken]


def simulations_table(rounds, only):
    print("one simulation, us: median (least)          new weights, ms")
    paths = ["torch", "onnx", *(["torch_bf16"] if device_has_bfloat16(torch.device("cpu")) else [])]
    print(f"{'':28}{'plain torch':>20}{''.join(f'{path:>20}' for path in paths)}{''.join(f'{p:>11}' for p in paths)}")
    models = {
        "mlp128": lambda batch: two_layers(18, batch),
        "cartpole": partial(shipped, "gym/CartPole-v1"),
        "tic_tac_toe": partial(shipped, "board/tic_tac_toe"),
        "connect_four": partial(shipped, "board/connect_four"),
        "atari": atari,
    }
    for name, make in models.items():
        for batch in (1, 16, 64, 256):
            if only not in name:
                continue
            model, root = make(batch)
            functions = [plain(model, root), *(stepping(model, root, path) for path in paths)]
            figures = alternate(functions, rounds)
            each = [figures[0], *((median / SIMULATIONS, least / SIMULATIONS) for median, least in figures[1:])]
            fresh = alternate([renewal(model, root, path) for path in paths], rounds)
            cells = "".join(f"{f'{median:.1f} ({least:.1f})':>20}" for median, least in each)
            print(
                f"{name:16}{batch:>6} rows  {cells}" + "".join(f"{median / 1e3:11.2f}" for median, _ in fresh),
                flush=True,
            )


def searches_table(rounds, only):
    print("\nwhole searches, us per simulation: median (least)")
    print(f"{'':28}{'ours':>20}{'bare calls':>20}{'mctx':>20}   mctx / ours   ours / bare")
    try:
        import mctx  # noqa: F401

        others = True
    except ImportError:
        others = False
    cases = [("mlp128", 1, 4, 50), ("mlp128", 64, 18, 50), ("connect_four", 64, 7, 32)]
    for name, batch, actions, simulations in cases:
        if only not in name:
            continue
        mlp = name == "mlp128"
        model, root = two_layers(actions, batch) if mlp else shipped("board/connect_four", batch)
        functions = [ours(model, root, simulations), bare(model, root, simulations)]
        if others and mlp:
            functions.append(theirs(model, root, simulations))
        figures = [(m / simulations, low / simulations) for m, low in alternate(functions, rounds)]
        cells = "".join(f"{f'{median:.1f} ({least:.1f})':>20}" for median, least in figures)
        gain = f"{figures[2][0] / figures[0][0]:14.2f}" if len(figures) > 2 else f"{'':20}{'':14}"
        print(
            f"{f'{name} {batch}x{actions}x{simulations}':28}{cells}{gain}{figures[0][0] / figures[1][0]:14.2f}",
            flush=True,
        )


def main(arguments=None):
    """Measure each path of inference on one core, and print simulations and searches per second."""
    parser = Parser(prog="muzero-bench inference", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="models whose name contains this")
    parser.add_argument("--table", choices=["simulations", "searches", "all"], default="all")
    arguments = parser.parse_args(arguments)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    keep_freed()  # as actors do
    if arguments.table != "searches":
        simulations_table(arguments.rounds, arguments.only)
    if arguments.table != "simulations":
        searches_table(arguments.rounds, arguments.only)

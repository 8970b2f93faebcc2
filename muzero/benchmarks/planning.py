"""Decisions per second of the planners of real-valued actions, on one core, by CPU time.

Beside each stands the same planner of a well-known package, where that is installed: mbrl-lib's optimisers for cem,
icem and mppi (pip install mbrl), LightZero's search for sampled (pip install LightZero).  Both sides plan with the same
network, the one that is shipped for the game, and the same numbers of sequences, steps, rounds and simulations.
mbrl-lib plans for one position at a time, so 8 rows are eight calls.  Rounds of all columns alternate.

    muzero-bench planning [--game gym/Pendulum-v1] [--rounds 5] [--only mppi] [--set TABLE.KEY=VALUE]
"""

import importlib.util
import os
import time
from types import SimpleNamespace

import numpy as np
import torch
from rich.table import Table

from muzero import build
from muzero.cli.parser import Parser
from muzero.cli.tables import terminal
from muzero.config import parse_settings
from muzero.interfaces import observe_first
from muzero.util.allocator import keep_freed

PLANNERS = ("cem", "icem", "mppi", "sampled")
ROWS = (1, 8)
HEADS = ("here", "peer", "ratio")
LEAST = 0.2  # CPU seconds of a round


def prepared(game, kind, rows, settings):
    """The shipped model of a game, a planner, and latents of positions."""
    config = build.configure(game, [parse_settings([*settings, f"planner.kind={kind}"])])
    spec = build.spec(config)
    model = build.model(config, spec, 0).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        root = observe_first(model, torch.rand(rows, *spec.observation, generator=generator))
    return model, build.planner(config), root


def ours(model, planner, root):
    """A function that decides once for every row, exploring, as self-play does."""
    rows = len(next(iter(root.values())))
    legal, rng = np.ones((rows, model.space.columns), bool), np.random.default_rng(0)
    carry, first = planner.start(rows, model.space), np.zeros(rows, bool)

    def once():
        nonlocal carry
        _, carry = planner.plan(model, root, legal, carry, first, rng, True)

    return once


def optimiser(planner, kind, size):
    """The optimiser of mbrl-lib with a planner's numbers."""
    from mbrl.planning import trajectory_opt

    bounds = [[[limit] * size] * planner.horizon for limit in (-1.0, 1.0)]
    shared = {
        "num_iterations": planner.iterations,
        "population_size": planner.population,
        "lower_bound": bounds[0],
        "upper_bound": bounds[1],
        "device": torch.device("cpu"),
    }
    if kind == "mppi":
        return trajectory_opt.MPPIOptimizer(gamma=planner.temperature, sigma=planner.spread, beta=1.0, **shared)
    shared |= {"elite_ratio": planner.elites / planner.population, "alpha": planner.momentum}
    if kind == "cem":
        return trajectory_opt.CEMOptimizer(**shared)
    return trajectory_opt.ICEMOptimizer(
        population_decay_factor=planner.shrink,
        colored_noise_exponent=planner.colour,
        keep_elite_frac=0.5,
        **shared,
    )


def of_mbrl(model, planner, root, kind):
    """A function that decides once for every row with mbrl-lib, one row after the other."""
    rows, size = len(next(iter(root.values()))), model.space.shape[0]
    single = [{name: latent[row : row + 1] for name, latent in root.items()} for row in range(rows)]
    optimisers = [optimiser(planner, kind, size) for _ in range(rows)]
    start = torch.zeros(planner.horizon, size)

    def returns(of, sequences):
        latent = {name: part.expand(len(sequences), *part.shape[1:]) for name, part in of.items()}
        total, alive = torch.zeros(len(sequences)), torch.ones(len(sequences))
        for step in range(planner.horizon):
            latent, transition = model.imagine(latent, sequences[:, step])
            total = total + alive * transition.reward.mean
            alive = alive * transition.discount.mean
        return total + alive * model.predict(latent).value.mean

    def once():
        with torch.inference_mode():
            for of, search in zip(single, optimisers, strict=True):
                search.optimize(lambda sequences, of=of: returns(of, sequences), x0=start)

    return once


class Described:
    """A model as LightZero calls it: one latent tensor, and policies as means and deviations."""

    def __init__(self, model, name):
        self._model, self._name = model, name

    def eval(self):
        return self

    def recurrent_inference(self, latent, action):
        found = self._model.expand({self._name: latent.float()}, action.float())
        return SimpleNamespace(
            latent_state=found.latent[self._name],
            policy_logits=spread(found.parameters),
            value=found.value[:, None],
            reward=found.reward[:, None],
        )


def spread(parameters):
    """Means and deviations, as LightZero's trees draw from."""
    mean, raw = parameters.chunk(2, 1)
    return torch.cat([mean, torch.nn.functional.softplus(raw) + 0.1], 1)


def of_lightzero(model, planner, root, kind):
    """A function that decides once for all rows with the trees of LightZero's Sampled MuZero."""
    from easydict import EasyDict
    from lzero.mcts.tree_search.mcts_ctree_sampled import SampledMuZeroMCTSCtree as Trees

    (name, latent), size = next(iter(root.items())), model.space.shape[0]
    rows, samples, described = len(latent), planner.samples, Described(model, name)
    config = {
        "num_simulations": planner.simulations,
        "discount_factor": 0.98,
        "env_type": "not_board_games",
        "device": "cpu",
        "model": {"continuous_action_space": True, "support_scale": 300, "categorical_distribution": False},
    }
    trees, rng = Trees(EasyDict(config)), np.random.default_rng(0)
    with torch.inference_mode():
        policies = spread(model.expand(root, torch.zeros(rows, size)).parameters).tolist()

    def once():
        roots = Trees.roots(rows, [[-1] * samples for _ in range(rows)], size, samples, True)
        noise = rng.dirichlet([0.3] * samples, rows).tolist()
        roots.prepare(0.25, noise, [0.0] * rows, policies, [-1] * rows)
        trees.search(roots, described, latent.numpy(), [-1] * rows)
        roots.get_distributions()

    return once


PEERS = {kind: ("mbrl", "mbrl-lib", of_mbrl) for kind in ("cem", "icem", "mppi")}
PEERS["sampled"] = ("lzero", "LightZero", of_lightzero)


def rate(once, rows):
    """Decisions per second of CPU time."""
    calls, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < LEAST:
        once()
        calls += 1
    return calls * rows / spent


def main(arguments=None):
    """Measure planners on one core, and print decisions per second."""
    parser = Parser(prog="muzero-bench planning", description=__doc__.splitlines()[0])
    parser.add_argument("--game", default="gym/Pendulum-v1", help="with real-valued actions; its model plans")
    parser.add_argument("--rounds", type=int, default=5, help="of each column; the median counts")
    parser.add_argument("--only", default="", help="planners whose name contains this")
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE", help="a setting of the model")
    options = parser.parse_args(arguments)
    chosen = [kind for kind in PLANNERS if options.only in kind]
    if not chosen:
        parser.error(f"--only: no planner {options.only!r}; expected {', '.join(PLANNERS)}")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    keep_freed()
    table = Table("planner", *[f"{title}, {rows} row{'s' * (rows > 1)}" for rows in ROWS for title in HEADS], box=None)
    for kind in chosen:
        table.add_row(kind, *[figure for rows in ROWS for figure in figures(options, kind, rows)])
    print(f"decisions per second of CPU time, {options.game}, {torch.__version__} of torch")
    terminal().print(table)


def figures(options, kind, rows):
    """Decisions per second here and by the peer, and how many times as many."""
    model, planner, root = prepared(options.game, kind, rows, options.set)
    package, title, peer = PEERS[kind]
    columns = [ours(model, planner, root)]
    if importlib.util.find_spec(package):
        columns.append(peer(model, planner, root, kind))
    for once in columns:
        once()
    rates = np.median([[rate(once, rows) for once in columns] for _ in range(options.rounds)], 0)
    if len(rates) == 1:
        return f"{rates[0]:,.0f}", f"({title} is not installed)", ""
    return f"{rates[0]:,.0f}", f"{rates[1]:,.1f} ({title})", f"{rates[0] / rates[1]:.1f}"

"""What an ensemble costs: CPU time of updates and of simulations with several members, beside one, on one core.

    muzero-bench members [--game board/connect_four] [--members 5] [--rounds 24] [--set TABLE.KEY=VALUE]

Both sides have the settings that are shipped for the game, and take turns; each time is the least of all rounds, so
that other processes count little.  A simulation of an ensemble adds the deviation between its members, as with
planner.optimism.  The roots are those of self-play.
"""

import os
import time

import numpy as np
import torch
from rich.table import Table

from muzero import build
from muzero.benchmarks.update import prepared as learning
from muzero.cli.parser import Parser
from muzero.cli.tables import terminal
from muzero.config import parse_settings
from muzero.interfaces import observe_first
from muzero.util.allocator import keep_freed

GAMES = ["board/connect_four", "gym/CartPole-v1", "gym/Pendulum-v1", "minatar/breakout"]
ROOTS = 32


def update(game, settings):
    """A function that learns from a batch of windows of the game."""
    learner, replay = learning(game, settings)
    window = replay.sample(learner.batch, learner.objective.window)[1]
    return lambda: learner.update(window, 0.0)


def search(game, settings):
    """A function that plans from ROOTS positions, as self-play does."""
    config = build.configure(game, [parse_settings(settings)])
    spec, planner = build.spec(config), build.planner(config)
    model = build.model(config, spec, 0).eval()
    rng = np.random.default_rng(0)
    with torch.inference_mode():
        seen = torch.from_numpy(rng.random((ROOTS, *spec.observation)).astype(spec.dtype))
        root = observe_first(model, seen)
    legal, first = np.ones((ROOTS, model.space.columns), bool), np.ones(ROOTS, bool)
    return lambda: planner.plan(model, root, legal, planner.start(ROOTS, model.space), first, rng, True)


def least(functions, rounds):
    """CPU seconds of the fastest call of each function; they take turns."""
    found = [[] for _ in functions]
    for _ in range(rounds + 1):
        for function, times in zip(functions, found, strict=True):
            begin = time.process_time()
            function()
            times.append(time.process_time() - begin)
    return [min(times[1:]) for times in found]


def main(arguments):
    """Measure games, and print them as a table."""
    parser = Parser(prog="muzero-bench members", description=__doc__.splitlines()[0])
    parser.add_argument("--game", action="append")
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE")
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    keep_freed()  # as runs do
    more = f"{options.members} members, ms"
    table = Table("game", "what", "1 member, ms", more, "ratio")
    several = [*options.set, f"model.members={options.members}"]
    for game in options.game or GAMES:
        sides = (options.set, several), (options.set, [*several, "planner.optimism=1"])
        for what, function, settings in zip(("update", "search"), (update, search), sides, strict=True):
            one, all_of_them = least([function(game, side) for side in settings], options.rounds)
            figures = f"{one * 1e3:.2f}", f"{all_of_them * 1e3:.2f}", f"{all_of_them / one:.2f}"
            table.add_row(game, what, *figures)
    terminal().print(table)

"""Speed of the learner's update on one core, and its share of the rate at which the core computes convolutions.

    muzero-bench update [--game board/connect_four] [--config laptop/pong] [--parts]
                        [--rounds 24] [--set TABLE.KEY=VALUE]

GFLOP are those of convolutions and matrix products, backward included, as torch counts them.  The peak is the highest
rate of a convolution of the update computed forward on its own again and again; in models without convolutions, of a
linear layer.  Times are CPU time, the least of all rounds, so that other processes count little.  With --parts, a
second table says which part of an update takes how much, the drawing of its batch included.
"""

import os
import time
from pathlib import Path

import torch
from rich.table import Table
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from muzero import build
from muzero.cli.parser import Parser
from muzero.cli.presets import settings_from
from muzero.cli.tables import terminal
from muzero.config import parse_settings
from muzero.learning.follower import Follower
from muzero.objectives import value_equivalence
from muzero.planners.reactive import ReactivePlanner
from muzero.training.updates import Updates
from muzero.util.allocator import keep_freed

GAMES = ["board/connect_four", "minatar/breakout", "gym/CartPole-v1"]
STEPS = 2000  # of experience


class Recorder(TorchDispatchMode):
    """Keeps the convolutions and linear layers that are computed forward, by operator, with their arguments."""

    def __init__(self):
        super().__init__()
        self.calls = {torch.ops.aten.convolution.default: [], torch.ops.aten.addmm.default: []}

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        if operator in self.calls and not kwargs:
            self.calls[operator].append(args)
        return operator(*args, **(kwargs or {}))


def prepared(game, settings, configs=()):
    """A game's learner, and a replay with experience of a model that does not search, unless its actions need that."""
    config = build.configure(game, [*map(settings_from, configs), parse_settings(settings)])
    spec = build.spec(config)
    model = build.model(config, spec, 0)
    objective = build.objective(config, spec, model)
    learner = build.learner(config, model, objective, torch.device("cpu"), 0)
    games = build.games(config, 32, training=True)
    planner = ReactivePlanner() if spec.actions.columns else build.planner(config)
    selfplay, replay = build.selfplay(config, games, model, planner, 0, 0, 0), build.replay(config, spec, 0)
    while replay.steps < STEPS:
        for segment in selfplay.play(16).segments:
            replay.add(segment)
    return learner, replay


def least(function, rounds):
    """CPU seconds of the fastest call."""
    found = []
    for _ in range(rounds):
        begin = time.process_time()
        function()
        found.append(time.process_time() - begin)
    return min(found)


def flop(function):
    """Floating-point operations of the convolutions and matrix products of a call."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


@torch.no_grad()
def peak(update, rounds):
    """The highest rate in FLOP/s at which a layer of the update is computed alone."""
    with Recorder() as recorder:
        update()
    (operator, calls), *_ = [found for found in recorder.calls.items() if found[1]]
    shapes = {str([x.shape for x in call if isinstance(x, torch.Tensor)]): call for call in calls}
    return max(
        flop(lambda call=call: operator(*call)) / least(lambda call=call: operator(*call), 4 * rounds)
        for call in shapes.values()
    )


class Stopwatch:
    """CPU seconds inside functions, less those of functions of other parts that they call."""

    def __init__(self):
        self.spent, self.under_way, self.before = {}, [], 0.0

    def watch(self, owner, name, part):
        """Count the time of a function of this name for a part."""
        function = getattr(owner, name)

        def watched(*given, **named):
            self._turn()
            self.under_way.append(part)
            try:
                return function(*given, **named)
            finally:
                self._turn()
                self.under_way.pop()

        setattr(owner, name, watched)
        return lambda: setattr(owner, name, function)

    def _turn(self):
        now = time.process_time()
        if self.under_way:
            part = self.under_way[-1]
            self.spent[part] = self.spent.get(part, 0.0) + now - self.before
        self.before = now


def parts(learner, replay, rounds):
    """CPU seconds of the parts of an update, as means of some updates."""
    watch = Stopwatch()
    updates = Updates(learner, replay)
    undo = [
        watch.watch(updates, "make", "the rest: figures, statistics, priorities"),
        watch.watch(replay, "sample", "draw the batch"),
        watch.watch(learner.objective, "forward", "heads and losses"),
        watch.watch(learner.objective, "value_target", "value targets"),
        watch.watch(learner.objective, "imagine", "encode the first position, and imagine"),
        watch.watch(value_equivalence, "observed", "encode the positions after it, to compare"),
        watch.watch(torch.Tensor, "backward", "backward"),
        watch.watch(torch.nn.utils, "clip_grad_norm_", "clip"),
        watch.watch(learner.optimizer, "step", "optimiser"),
        watch.watch(Follower, "move", "averaged weights"),
    ]
    for _ in range(rounds):
        updates.make(0.0)
    for each in undo:
        each()
    return {part: seconds / rounds for part, seconds in watch.spent.items()}


def main(arguments):
    """Measure updates of games on one core, and print them as a table."""
    parser = Parser(prog="muzero-bench update", description=__doc__.splitlines()[0])
    parser.add_argument("--game", action="append")
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--config", type=Path, action="append", default=[], metavar="FILE", help="as of muzero-train")
    parser.add_argument("--parts", action="store_true", help="show what the parts of an update take, too")
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE")
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    keep_freed()  # as runs do
    table = Table("game", "numbers", "ms/update", "GFLOP/update", "GFLOP/s", "peak GFLOP/s", "share")
    shares = Table("game", "part", "ms/update", "share")
    for game in options.game or GAMES:
        learner, replay = prepared(game, options.set, options.config)
        window = replay.sample(learner.batch, learner.objective.window)[1]

        def update(learner=learner, window=window):
            learner.update(window, 0.0)

        update()
        needed, seconds, most = flop(update), least(update, options.rounds), peak(update, options.rounds)
        rate = needed / seconds
        figures = (f"{seconds * 1e3:.1f}", f"{needed / 1e9:.2f}", f"{rate / 1e9:.0f}", f"{most / 1e9:.0f}")
        table.add_row(game, "bfloat16" if learner.bfloat16 else "float32", *figures, f"{rate / most:.0%}")
        found = parts(learner, replay, options.rounds) if options.parts else {}
        for part, taken in found.items():
            shares.add_row(game, part, f"{taken * 1e3:.2f}", f"{taken / sum(found.values()):.0%}")
    terminal().print(table)
    if options.parts:
        terminal().print(shares)

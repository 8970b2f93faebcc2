"""What settings of the model, the objective and the learner are worth, learned from the experience of one run.

    muzero-bench offline --game board/connect_four --from runs/first [--positions FILE] [--seconds 100] [--seeds 1]
        [--set TABLE.KEY=VALUE] [--try "TABLE.KEY=VALUE ..."]

The first row is the configuration of the game with the settings of --set; each --try is one more row, with its settings
added.  All learn from the same stored games for as many CPU seconds, so that a setting that learns less from an update,
but takes less time, can win.  It costs a fraction of runs that play, and differences are less noisy; what a setting
changes in the games that are played, it does not show.  Given positions, moves are compared with the best ones, those
of the policy alone and those of a search of 64 simulations.
"""

import dataclasses
import shutil
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import torch
from rich.table import Table

from muzero import build
from muzero.cli.parser import Parser
from muzero.cli.tables import terminal
from muzero.config import parse_settings
from muzero.data.segment_log import SegmentLog
from muzero.evaluation import positions
from muzero.planners.reactive import ReactivePlanner
from muzero.players.planning import PlanningPlayer
from muzero.runs.folder import RunFolder
from muzero.util.allocator import keep_freed

SIMULATIONS = 64
LAST = 100  # updates over which losses are averaged


def stored(folder, config, spec, seed):
    """A replay with the experience of a run, whose files are not touched."""
    replay = build.replay(config, spec, seed)
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(RunFolder(folder).replay, copy, dirs_exist_ok=True)
        with closing(SegmentLog(Path(copy), spec, build.candidates(config, spec))) as log:
            for _, segment in log.scan():
                replay.add(segment)
    return replay


def learned(config, folder, seconds, seed):
    """A learner after CPU seconds of updates, the milliseconds of one, and the means of its last losses."""
    spec = build.spec(config)
    model = build.model(config, spec, seed)
    objective = build.objective(config, spec, model)
    learner = build.learner(config, model, objective, torch.device("cpu"), seed)
    replay = stored(folder, config, spec, seed)
    losses, begin, passed = [], time.process_time(), 0.0
    while passed < seconds:
        update = learner.update(replay.sample(learner.batch, objective.window)[1], passed / seconds)
        losses = [*losses[1 - LAST :], {name: float(update.metrics[name]) for name in update.terms}]
        passed = time.process_time() - begin
    means = {name: sum(each[name] for each in losses) / len(losses) for name in losses[0]}
    return learner, passed / learner.updates * 1e3, means


@torch.inference_mode()
def quality(model, config, start, asked):
    """Shares of optimal and of outcome-preserving moves, by the policy alone and by search, as words."""
    search = dataclasses.replace(build.planner(config), simulations=SIMULATIONS)
    for planner in (ReactivePlanner(), search):
        found = positions.quality(PlanningPlayer(model, planner), asked, start, 0).report()
        yield f"{found['optimal']:.3f} / {found['outcome_preserving']:.3f}"


def main(arguments):
    """Learn under each of the settings, and print what came of it as a table."""
    parser = Parser(prog="muzero-bench offline", description=__doc__.splitlines()[0])
    parser.add_argument("--game", required=True)
    parser.add_argument("--from", dest="run", type=Path, required=True, metavar="RUN")
    parser.add_argument("--positions", type=Path, metavar="FILE")
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE")
    parser.add_argument("--try", dest="tries", action="append", default=[], metavar="SETTINGS")
    options = parser.parse_args(arguments)
    if not RunFolder(options.run).replay.is_dir():
        parser.error(f"--from {options.run} has no stored games; expected the folder of a run")
    if options.seconds <= 0 or options.seeds < 1:
        parser.error(f"--seconds {options.seconds:g} --seeds {options.seeds}: expected more than 0 of both")
    configs = [
        build.configure(options.game, [parse_settings([*options.set, *t.split()])]) for t in ["", *options.tries]
    ]
    start = positions.start(configs[0]) if options.positions else None
    if options.positions and start is None:
        parser.error(f"--positions: the rules of {options.game} cannot be consulted; expected a board game")
    asked = positions.read(options.positions, start) if options.positions else []
    torch.set_num_threads(1)
    keep_freed()  # as runs do
    columns = ["policy alone", f"{SIMULATIONS} simulations"] if options.positions else []
    table = Table("settings", "seed", "updates", "ms/update", "losses", *columns)
    for tried, config in zip(["", *options.tries], configs, strict=True):
        for seed in range(options.seeds):
            learner, took, losses = learned(config, options.run, options.seconds, seed)
            shown = " ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
            moves = quality(learner.acting.eval(), config, start, asked) if asked else ()
            row = tried or "-", str(seed), str(learner.updates), f"{took:.1f}", shown, *moves
            table.add_row(*row)
            print(*row, sep="  ", file=sys.stderr)  # at once: the table is not seen before the end
    terminal().print(table)

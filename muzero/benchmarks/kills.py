"""What it costs the learner when actors are killed again and again: updates per second, disturbed and undisturbed.

    muzero-bench kills [--game gym/CartPole-v1] [--actors 2] [--seconds 60] [--pause 4.5] [--rounds 3]

Every round measures both, one after the other; what counts is the median of the ratios within rounds.
"""

import os
import random
import signal
import statistics
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from muzero import build
from muzero.cli.parser import Parser
from muzero.cli.tables import terminal
from muzero.config import ConfigError, parse_settings
from muzero.training.loop import Training
from muzero.training.progress import Progress

WARM = 200  # updates before it counts


class Disturber(threading.Thread):
    """Waits until a run is warm, measures it for a time, kills its actors meanwhile, and ends it."""

    def __init__(self, training, seconds, pause):
        super().__init__(daemon=True)
        self.training, self.seconds, self.pause = training, seconds, pause
        self.rate = self.kills = 0

    def run(self):
        training, woken, choose = self.training, threading.Event(), random.Random(1)
        while training.learner.updates < WARM:
            if training.stop.number is not None:
                return
            woken.wait(0.05)
        began, before = time.monotonic(), training.learner.updates
        while (left := began + self.seconds - time.monotonic()) > 0:
            woken.wait(min(left, self.pause or left))
            alive = [slot for slot in training.pool.slots if slot.alive]
            if self.pause and alive:
                with suppress(ProcessLookupError):  # it has ended, which the driver does not know yet
                    os.kill(int(choose.choice(alive).where.split()[-1]), signal.SIGKILL)
                    self.kills += 1
        self.rate = (training.learner.updates - before) / (time.monotonic() - began)
        os.kill(os.getpid(), signal.SIGTERM)  # shells let background processes ignore SIGINT


def measured(game, actors, seconds, pause, settings):
    """Updates per second, and how many actors died."""
    words = [f"actors.count={actors}", "run.steps=1000000000", *settings]
    with tempfile.TemporaryDirectory() as folder:
        training = Training(build.configure(game, [parse_settings(words)]), Path(folder))
        progress, disturber = Progress(Path(folder), Console(quiet=True)), Disturber(training, seconds, pause)
        try:
            training.open()
            training.save(wait=True)
            disturber.start()
            training.run(progress)
            disturber.join()
        finally:
            progress.close(training.status())
            training.close()
        if not disturber.rate:
            raise ConfigError([f"the run ended before its update {WARM}: nothing was measured"])
        return disturber.rate, disturber.kills


def main(arguments):
    """Measure updates per second with and without kills of actors, and print both as a table."""
    parser = Parser(prog="muzero-bench kills", description="What it costs the learner when actors are killed.")
    parser.add_argument("--game", default="gym/CartPole-v1")
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=4.5, help="seconds between kills")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE")
    options = parser.parse_args(arguments)
    common = (options.game, options.actors, options.seconds)
    rounds = [[measured(*common, pause, options.set) for pause in (0.0, options.pause)] for _ in range(options.rounds)]
    table = Table("undisturbed", "disturbed", "kills", "ratio", title=f"updates/s, {options.game}")
    for (quiet, _), (disturbed, kills) in rounds:
        table.add_row(f"{quiet:.1f}", f"{disturbed:.1f}", str(kills), f"{disturbed / quiet:.3f}")
    ratio = statistics.median(disturbed / quiet for (quiet, _), (disturbed, _) in rounds)
    table.add_row("", "", "median", f"{ratio:.3f}")
    terminal().print(table)

"""What it brings that a child process plays while a run learns: whole runs of muzero-train, side by side.

    muzero-bench overlap [--game board/connect_four] [--seconds 60] [--rounds 1] [--set TABLE.KEY=VALUE]

Every round makes a run with actors.overlap = "off" and one with "on".  On a machine that does something else too, look
at the balance: the ratio that the seconds of play and of learning, one after the other, give on two free cores.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.table import Table

from muzero.cli.parser import Parser
from muzero.cli.tables import terminal
from muzero.runs.folder import RunFolder

GAMES = ["gym/CartPole-v1", "board/connect_four", "minatar/breakout"]
TRAIN = "from muzero.cli.train import main; main()"
WITHOUT_END = ["run.evaluate_every=0", "run.evaluation_games=1", "run.steps=100000000"]


def trained(game, overlap, seconds, settings):
    """The last row of metrics of a run, with its figures per second since learning began."""
    sets = [f"actors.overlap={overlap}", f"run.seconds={seconds}", *WITHOUT_END, *settings]
    words = ["--game", game, "--device", "cpu", *(word for each in sets for word in ("--set", each))]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        subprocess.run([sys.executable, "-c", TRAIN, *words, "--run", run], check=True, stdout=subprocess.DEVNULL)
        rows = [json.loads(line) for line in RunFolder(run).metrics.read_text("utf-8").splitlines()]
    first, last = next(row for row in rows if row["updates"]), rows[-1]
    passed = {name: last[name] - first[name] for name in last if isinstance(first.get(name), int | float)}
    return passed | {f"{name}/s": passed[name] / passed["seconds"] for name in ("steps", "updates")}


def main(arguments):
    """Measure runs with and without a child process that plays, and print their rates as a table."""
    parser = Parser(prog="muzero-bench overlap", description="Runs that play and learn in turns, and at once.")
    parser.add_argument("--game", action="append")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE")
    options = parser.parse_args(arguments)
    rates = ["steps/s", "updates/s", "CPU s", "play s", "learn s"]
    table = Table("game", "overlap", *rates, "ratio of steps/s", "balance", title="medians of rounds")
    for game in options.game or GAMES:
        rounds = [
            [trained(game, overlap, options.seconds, options.set) for overlap in ("off", "on")]
            for _ in range(options.rounds)
        ]
        for place, overlap in enumerate(("off", "on")):
            found = [each[place] for each in rounds]
            names = ["steps/s", "updates/s", "cpu_seconds", "time/play", "time/learn"]
            figures = [statistics.median(each[name] for each in found) for name in names]
            ratio = statistics.median(each[place]["steps/s"] / each[0]["steps/s"] for each in rounds)
            play, learn = figures[3:]
            balance = f"{(play + learn) / max(play, learn):.2f}" if overlap == "off" else ""
            table.add_row(game, overlap, *(f"{figure:,.4g}" for figure in figures), f"{ratio:.2f}", balance)
    terminal().print(table)

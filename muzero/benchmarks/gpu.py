"""What a GPU makes of the package: its own rates, updates, searches, self-play, the emulator, and the kernels.

    muzero-bench gpu [--out gpu.jsonl] [--seconds 240] [--only update,search] [--set TABLE.KEY=VALUE]
    muzero-bench gpu --device cpu --tiny     to try the benchmark itself

Measured on Pong with frames of 64x64, 64 channels and batches of 256; on MinAtar's Breakout where ale-py is not
installed, and on Connect Four where minatar is not either.  Every figure is written at once as a line of JSON.  What
fails costs only itself, and so does what is under way when the seconds have passed; cases follow each other in the
order of their worth.  Cases of the update change nothing but the learner's settings.
"""

import gc
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from muzero import build
from muzero.benchmarks import gpu_learning, gpu_machine, gpu_playing
from muzero.benchmarks.gpu_bench import Bench, Case
from muzero.cli.parser import Parser, duration
from muzero.cli.tables import Figures, terminal
from muzero.util.provenance import provenance
from muzero.util.text import printable

PARTS = ("machine", "update", "agreement", "search", "play", "games", "kernels")


class Overdue(Exception):
    """The time of the whole benchmark has passed."""


@contextmanager
def until(end: float) -> Iterator[None]:
    """Raise Overdue in what is under way at this time of the monotonic clock."""

    def overdue(*_: object) -> None:
        raise Overdue("the seconds of the benchmark have passed")

    before = signal.signal(signal.SIGALRM, overdue)
    signal.setitimer(signal.ITIMER_REAL, max(end - time.monotonic(), 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(bench: Bench, case: Case) -> None:
    """Measure a case; a failure is written in place of its figures."""
    bench.part = case.part
    if bench.on_gpu:
        torch.cuda.reset_peak_memory_stats(bench.device)
    try:
        with until(bench.end):
            case.measure()
    except Exception as error:
        bench.failed.append((case.part, case.name, f"{type(error).__name__}: {error}".splitlines()[0]))
        bench.write({"part": case.part, "name": case.name, "failed": traceback.format_exc()[-4000:]})
        print(f"{case.part:10}{case.name:60}failed: {bench.failed[-1][2]}", flush=True)
    gc.collect()
    if bench.on_gpu:
        torch.cuda.empty_cache()


def report(bench: Bench) -> None:
    """Print all figures as a table, and what failed."""
    table = Figures(f"{bench.game} on {bench.device}", ["figure", "value", "unit"])
    for part, name, value, unit in bench.figures:
        table.add_row(f"{part}: {name}", f"{value:,.5g}", unit)
    terminal().print(table)
    for part, name, reason in bench.failed:
        sys.stderr.write(f"muzero-bench gpu: {part}: {name}: {reason}\n")


def main(arguments=None):
    """Measure all cases in the order of their worth, as far as the time lasts, and print the figures as a table."""
    parser = Parser(prog="muzero-bench gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu.jsonl"), metavar="FILE", help="lines are appended")
    parser.add_argument("--seconds", type=duration, default=240.0, help="of the whole benchmark")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PART,PART", help=f"parts: {','.join(PARTS)}")
    parser.add_argument("--device", default="cuda", choices=build.DEVICES)
    parser.add_argument("--tiny", action="store_true", help="small sizes, to try the benchmark itself")
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE")
    options = parser.parse_args(arguments)
    wanted = options.only.split(",")
    if unknown := [part for part in wanted if part not in PARTS]:
        parser.error(f"--only: no part {printable(unknown[0])!r}; expected {', '.join(PARTS)}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    bench = Bench(build.device(options.device), options.out, options.seconds, options.tiny, options.set)
    torch.set_num_threads(1)  # as runs do
    bench.write({"provenance": provenance(), "game": bench.game, "device": str(bench.device), "tiny": bench.tiny})
    cases = [*gpu_machine.cases(bench), *gpu_learning.cases(bench), *gpu_playing.cases(bench)]
    cases += gpu_learning.last_cases(bench)
    cases = [case for case in cases if case.part in wanted]
    for case in cases:
        if time.monotonic() > bench.end:
            bench.failed.append((case.part, case.name, "not reached"))
        else:
            run(bench, case)
    report(bench)
    if bench.failed:
        sys.exit(1)

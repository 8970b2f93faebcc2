"""muzero-bench."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from muzero.cli.exits import BAD_USAGE, guarded
from muzero.cli.parser import Parser
from muzero.util.text import nearest

BENCHMARKS = {
    "search": "the search without a network",
    "inference": "networks, and searches that use them",
    "update": "the learner's update, and its share of what the core can compute",
    "members": "what an ensemble of heads costs",
    "planning": "planners of real-valued actions, without learning",
    "offline": "settings, learned from the experience of one run",
    "overlap": "whole runs that play and learn in turns, and at once",
    "actors": "self-play in this process and by actors on Ray",
    "kills": "the cost to the learner when actors are killed",
    "gpu": "updates, searches and self-play on a GPU, and the GPU itself",
    "ingest": "how much experience one driver can receive",
}


def bench_command(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark that is named first."""
    if "_ARGCOMPLETE" in os.environ:
        parser = Parser(prog="muzero-bench")
        parser.add_argument("benchmark", choices=list(BENCHMARKS))
        parser.parse_args()
    name, *rest = [*(sys.argv[1:] if arguments is None else arguments), ""]
    if name in BENCHMARKS:
        import_module(f"muzero.benchmarks.{name}").main(rest[:-1])
        return 0
    listed = "\n".join(f"  muzero-bench {known:10} {what}" for known, what in BENCHMARKS.items())
    if name in ("-h", "--help"):
        sys.stdout.write(f"Measure speed on this machine, and that of mctx where it is installed.\n{listed}\n")
        return 0
    close = nearest(name, BENCHMARKS)
    hint = f"did you mean {close[0]}?" if close else "choose one of"
    problem = f"no benchmark {name!r}; {hint}" if name else "name a benchmark"
    sys.stderr.write(f"muzero-bench: {problem}\n{listed}\n")
    return BAD_USAGE


main = guarded(bench_command)

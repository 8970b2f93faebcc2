"""muzero-bench."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from muzero.cli.exits import BAD_USAGE, guarded
from muzero.util.text import nearest

BENCHMARKS = {
    "search": "the trees alone",
    "inference": "networks, and whole searches with them",
    "actors": "self-play in process and with actors on Ray",
    "kills": "what it costs the learner when actors die",
    "ingest": "how much experience one driver takes in",
}


def bench_command(arguments: Sequence[str] | None = None) -> int:
    """muzero-bench."""
    name, *rest = [*(sys.argv[1:] if arguments is None else arguments), ""]
    if name in BENCHMARKS:
        import_module(f"muzero.benchmarks.{name}").main(rest[:-1])
        return 0
    listed = "\n".join(f"  muzero-bench {known:10} {what}" for known, what in BENCHMARKS.items())
    if name in ("-h", "--help"):
        sys.stdout.write(f"Measures speed here, beside mctx where that is installed.\n{listed}\n")
        return 0
    close = nearest(name, BENCHMARKS)
    hint = f"did you mean {close[0]}?" if close else "expected one of"
    sys.stderr.write(f"muzero-bench: no benchmark {name!r}; {hint}\n{listed}\n")
    return BAD_USAGE


main = guarded(bench_command)

"""muzero-gtp: an agent that programs and graphical interfaces play by the Go Text Protocol."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from typing import BinaryIO

from muzero.cli.agent_options import EPILOG, add_agent_options, listing, load, refuse_absent
from muzero.cli.evaluate.options import count
from muzero.cli.exits import guarded
from muzero.cli.parser import Parser

LONGEST = 1 << 16  # bytes of a command that are read; the rest of a longer line is dropped
ABOUT = """
Commands are read from the standard input, answers go to the standard output: this is started by another program.
In GoGui or Sabaki add an engine with the command  muzero-gtp RUN
"""


def gtp_command(arguments: Sequence[str] | None = None) -> int:
    """Answer commands of the Go Text Protocol until the controller quits or leaves."""
    options = parsed(arguments)
    refuse_absent(options.run, lambda: listing(options.prog, options.kinds))  # before PyTorch is imported
    from muzero.interactive.gtp_engine import GtpEngine
    from muzero.util.provenance import versions

    player = load(options)
    engine = GtpEngine(
        player, f"{versions().get('muzero', '')} {options.run}".strip(), options.resign_below, options.seed
    )
    try:
        commands = open(0, "rb", closefd=False)  # noqa: SIM115  # bytes, in whatever encoding
        while not engine.over and (line := next_line(commands)) is not None:
            sys.stdout.write(engine.answer(line))
            sys.stdout.flush()
            if getattr(sys.stdout, "broken", None):
                break  # the reader is gone
    finally:
        engine.close()
    return 0


def next_line(commands: BinaryIO) -> str | None:
    """The next line, at most `LONGEST` bytes of it, whatever they are; None at the end."""
    raw = line = commands.readline(LONGEST)
    while line and not line.endswith(b"\n"):
        line = commands.readline(LONGEST)
    return raw.decode("utf-8", "replace").removesuffix("\n") if raw else None


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options of muzero-gtp."""
    parser = Parser(
        prog="muzero-gtp",
        example="zoo/connect_four",
        description="Let programs play a trained agent by the Go Text Protocol, version 2.",
        epilog=ABOUT + EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_agent_options(parser, required=True)
    parser.add_argument(
        "--resign-below",
        type=value,
        default=-math.inf,
        metavar="V",
        help="resign where the agent's value is below V, such as -0.95 (default: never)",
    )
    parser.add_argument("--seed", type=count, default=0, metavar="N", help="seed of what it draws (default 0)")
    options = parser.parse_args(arguments)
    options.prog, options.kinds = parser.prog, ("board",)
    return options


def value(text: str) -> float:
    """Parse a value of a position."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    raise argparse.ArgumentTypeError(f"{text!r}; expected a number, such as -0.95")


main = guarded(gtp_command)

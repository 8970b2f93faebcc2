"""muzero-export: writes the networks of a run as ONNX, with programs that play by them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from muzero.cli.agent_options import refuse_absent
from muzero.cli.exits import guarded
from muzero.cli.parser import Parser, add_consent
from muzero.config import ConfigError
from muzero.util.text import shell_word


def export_command(arguments: Sequence[str] | None = None) -> int:
    """Write what other programs need to play as a run does; returns the exit code."""
    parser = Parser(
        prog="muzero-export",
        example="zoo/connect_four --onnx agent",
        description="Write the networks of a run as ONNX, with a program that plays by them without muzero.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder, one of its checkpoints, or zoo/NAME")
    parser.add_argument("--onnx", type=Path, metavar="DIR", required=True, help="folder to write, which must be new")
    parser.add_argument("--checkpoint", metavar="STEP|best", help="which checkpoint: 3000, best (default: the newest)")
    add_consent(parser)
    options = parser.parse_args(arguments)
    refuse_absent(str(options.run))
    require_new(options.onnx)
    from muzero.agent import Agent
    from muzero.cli.export_files import about, contents, write

    agent = Agent.load(options.run, None, "cpu", options.checkpoint, options.trust, options.game)
    files = contents(agent)
    write(options.onnx, files)
    print(about(files))
    print(f"wrote {shell_word(options.onnx)}; python {shell_word(options.onnx / 'play.py')} plays")
    return 0


def require_new(folder: Path) -> None:
    """Refuse a folder that exists, before the work is done.

    Raises:
        ConfigError: naming it.
    """
    if os.path.lexists(folder):
        raise ConfigError([f"--onnx {folder} exists already; remove it first, or name another folder"])


main = guarded(export_command)

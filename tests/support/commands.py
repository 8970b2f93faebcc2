"""The commands as processes."""

import subprocess
import sys
from pathlib import Path

from killing import TINY

CODE = "import sys; from muzero.cli.{0} import main; sys.argv[0] = 'muzero-{1}'; main()"


def code(name):
    """A program that is a command."""
    return CODE.format("evaluate.command" if name == "evaluate" else name, name)


def command(*arguments, folder: Path, **settings):
    return subprocess.run(
        [sys.executable, "-c", code(arguments[0]), *arguments[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        **settings,
    )


def sets(*settings):
    return [word for setting in [*TINY, *settings] for word in ("--set", setting)]

"""muzero-completion: prints what a shell runs so that it completes the words of all commands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from muzero.cli.exits import BAD_USAGE, guarded
from muzero.cli.parser import Parser

SHELLS = {
    "bash": 'eval "$(muzero-completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(muzero-completion zsh)"    in ~/.zshrc, after compinit',
    "fish": "muzero-completion fish | source    in ~/.config/fish/config.fish",
}
MISSING = 'shell completion needs argcomplete: pip install "muzero[completion]"'


def completion_command(arguments: Sequence[str] | None = None) -> int:
    """Print what a shell runs to complete the words of all commands; returns the exit code."""
    how = "\n".join(f"  {line}" for line in SHELLS.values())
    parser = Parser(
        prog="muzero-completion",
        description="Print what a shell runs so that it completes games, agents, runs and settings.",
        epilog=f"Switch it on with one line:\n{how}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=list(SHELLS), help="the shell")
    options = parser.parse_args(arguments)
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError:
        sys.stderr.write(f"error: {MISSING}\n")
        return BAD_USAGE
    sys.stdout.write(shellcode(commands(), shell=options.shell) + "\n")
    return 0


def commands() -> list[str]:
    """The names of all commands: those that are installed, or in a checkout those that the shell finds."""
    installed = metadata.entry_points(group="console_scripts")
    names = {each.name for each in installed if each.value.startswith("muzero.cli.")}
    if not names:
        folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
        names = {path.name for folder in folders if folder.is_dir() for path in folder.glob("muzero-*")}
    return sorted(names)


main = guarded(completion_command)

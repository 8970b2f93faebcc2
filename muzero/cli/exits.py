"""How a command ends: messages and exit codes."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from typing import NoReturn

from muzero.cli.output import Outlet, occupy
from muzero.config import ConfigError
from muzero.util.signals import marked_interrupts
from muzero.util.text import printable

# Exit codes.
BAD_USAGE, BAD_CHECKPOINT, BAD_ENVIRONMENT, LOST_CLUSTER, NO_CHECKPOINT, BAD_NUMBERS, NO_CLUSTER = 2, 3, 4, 5, 6, 7, 8
INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it
LINE, LINES = 1000, 40  # the longest line and the most lines of an error that are printed
# New objects between two collections of garbage.  torch makes 300,000 objects that stay: with Python's 700, looking
# through them again and again is a tenth of a start.
COLLECT_AFTER = 5_000


def guarded(command: Callable[[Sequence[str] | None], int]) -> Callable[[], NoReturn]:
    """Make a command a program: what can go wrong for a user becomes a message and an exit code.

    The command imports what takes long itself, so that Ctrl-C is handled meanwhile and `--help` does not wait for it.
    """

    def run() -> NoReturn:
        try:
            with marked_interrupts():
                code = _run(command)
        except KeyboardInterrupt:
            code = INTERRUPTED
        sys.exit(code)

    return run


def _run(command: Callable[[Sequence[str] | None], int]) -> int:
    """The exit code of a command whose output may be closed or full."""
    gc.set_threshold(COLLECT_AFTER)
    occupy()
    warnings.showwarning = partial(show_warning, set())
    output, errors = Outlet(sys.stdout), Outlet(sys.stderr)
    with redirect_stdout(output), redirect_stderr(errors):
        code = outcome(command)
        output.finish()
        if output.incomplete:
            code = fail(OSError(f"the output could not be written: {output.incomplete}"), code or 1)
        errors.finish()
    return code


def show_warning(shown: set[str], message: Warning | str, category: type[Warning], *place: object) -> None:
    """Print a warning for a person, the first of its topic; of the package's own, the place in the code is left out.

    Args:
        shown: topics that were printed; the topic of this one is added.
        message: a warning, with or without a topic.
        category: its class.
        place: file and line where it was made, and what else `warnings.showwarning` gets.
    """
    topic = getattr(message, "topic", str(message))
    if topic in shown:
        return
    shown.add(topic)
    where = "" if category.__module__.startswith("muzero.") else f" ({place[0]}, line {place[1]})"
    sys.stderr.write(f"warning: {printable(str(message), LINE)}{where}\n")


def outcome(command: Callable[[Sequence[str] | None], int]) -> int:
    """The exit code of a command, after its error was printed if it ended with one."""
    try:
        return command(None)
    except SystemExit as end:  # of argparse
        return end.code if isinstance(end.code, int) else 0
    except ConfigError as error:
        return fail(error, BAD_USAGE)
    except Exception as error:
        code = code_of(error)
        if code is None:  # a fault of the program: the traceback helps to find it
            raise
        return fail(error, code)


def code_of(error: Exception) -> int | None:
    """The exit code of an error that a user can do something about; None of others."""
    from muzero.actors.tasks import LostCluster, NoCluster  # here: these modules import torch
    from muzero.data.segment_log import LogError
    from muzero.evaluation.positions import PositionsError
    from muzero.games.errors import UnknownGame
    from muzero.interfaces import EnvironmentFault, NonFiniteError, PlayerError
    from muzero.learning.parallel import LostLearner
    from muzero.runs.checkpoint import CheckpointError
    from muzero.runs.saving import SaveError
    from muzero.util.extras import MissingExtra

    codes: list[tuple[tuple[type[Exception], ...], int]] = [
        ((UnknownGame, MissingExtra, PlayerError, PositionsError), BAD_USAGE),
        ((CheckpointError, LogError), BAD_CHECKPOINT),
        ((EnvironmentFault,), BAD_ENVIRONMENT),
        ((LostCluster, LostLearner), LOST_CLUSTER),
        ((NoCluster,), NO_CLUSTER),
        ((SaveError,), NO_CHECKPOINT),
        ((NonFiniteError,), BAD_NUMBERS),
        ((OSError,), 1),
    ]
    return next((code for kinds, code in codes if isinstance(error, kinds)), None)


def fail(error: Exception, code: int) -> int:
    """Print an error for a person, bounded in length and without escape sequences."""
    problems = error.problems if isinstance(error, ConfigError) else capped(str(error).split("\n"))
    sys.stderr.write("error: " + "\n".join(printable(problem, LINE) for problem in problems) + "\n")
    return code


def capped(lines: list[str]) -> list[str]:
    """The lines of a text, which may be an environment's; of a long one its beginning."""
    return lines if len(lines) <= LINES else [*lines[:LINES], f"... and {len(lines) - LINES:,} more lines"]

"""How a command ends: messages and exit codes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import NoReturn

from muzero.cli.output import Outlet, occupy
from muzero.config import ConfigError
from muzero.interfaces import EnvironmentFault, NonFiniteError, PlayerError
from muzero.util.text import printable

# Exit codes.
BAD_USAGE, BAD_CHECKPOINT, BAD_ENVIRONMENT, LOST_CLUSTER, NO_CHECKPOINT, BAD_NUMBERS, NO_CLUSTER = 2, 3, 4, 5, 6, 7, 8
LINE, LINES = 1000, 40  # of an error, as far as it is printed


def guarded(command: Callable[[Sequence[str] | None], int]) -> Callable[[], NoReturn]:
    """Turn what can go wrong for a user into a message and an exit code."""

    def run() -> NoReturn:
        occupy()
        warnings.showwarning = show_warning
        output, errors = Outlet(sys.stdout), Outlet(sys.stderr)
        with redirect_stdout(output), redirect_stderr(errors):
            code = outcome(command)
            output.finish()
            # A reader who has seen enough is no error; an output that is incomplete for another reason is one.
            if output.broken and not isinstance(output.broken, BrokenPipeError):
                code = fail(OSError(f"the output could not be written: {output.broken}"), code or 1)
            errors.finish()
        sys.exit(code)

    return run


def show_warning(message: Warning | str, category: type[Warning], *place: object) -> None:
    """Print a warning for a person; of the package's own, where it was made does not matter."""
    where = "" if category.__module__.startswith("muzero.") else f" ({place[0]}, line {place[1]})"
    sys.stderr.write(f"warning: {printable(str(message), LINE)}{where}\n")


def outcome(command: Callable[[Sequence[str] | None], int]) -> int:
    """The exit code of a command, after its error was printed if it ended with one."""
    from muzero.actors.tasks import LostCluster, NoCluster
    from muzero.data.segment_log import LogError
    from muzero.evaluation.positions import PositionsError
    from muzero.games.errors import UnknownGame
    from muzero.runs.checkpoint import CheckpointError
    from muzero.runs.saving import SaveError
    from muzero.util.extras import MissingExtra

    try:
        return command(None)
    except SystemExit as end:  # of argparse
        return end.code if isinstance(end.code, int) else 0
    except (ConfigError, UnknownGame, MissingExtra, PlayerError, PositionsError) as error:
        return fail(error, BAD_USAGE)
    except (CheckpointError, LogError) as error:
        return fail(error, BAD_CHECKPOINT)
    except EnvironmentFault as error:
        return fail(error, BAD_ENVIRONMENT)
    except LostCluster as error:
        return fail(error, LOST_CLUSTER)
    except NoCluster as error:
        return fail(error, NO_CLUSTER)
    except SaveError as error:
        return fail(error, NO_CHECKPOINT)
    except NonFiniteError as error:
        return fail(error, BAD_NUMBERS)
    except OSError as error:
        return fail(error, 1)
    except KeyboardInterrupt:
        return 130


def fail(error: Exception, code: int) -> int:
    """Print an error for a person: nothing in it can steer the terminal or flood it."""
    problems = error.problems if isinstance(error, ConfigError) else capped(str(error).split("\n"))
    sys.stderr.write("\nerror: " + "\n".join(printable(problem, LINE) for problem in problems) + "\n")
    return code


def capped(lines: list[str]) -> list[str]:
    """The lines of a text that an environment may have made, if it is short, and else its beginning."""
    return lines if len(lines) <= LINES else [*lines[:LINES], f"... and {len(lines) - LINES:,} more lines"]

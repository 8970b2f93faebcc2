"""What the commands share: options, errors and exit codes, tables."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from muzero.config import ConfigError
from muzero.interfaces import BadNumbers, EnvironmentFault
from muzero.spelling import nearest

# Exit codes.
BAD_USAGE, BAD_CHECKPOINT, BAD_ENVIRONMENT, NO_CHECKPOINT, BAD_NUMBERS = 2, 3, 4, 6, 7


class Parser(argparse.ArgumentParser):
    """Names the nearest option where one is misspelt, and takes no abbreviations."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def parse_args(self, *args: Any, **keywords: Any) -> argparse.Namespace:  # type: ignore[override]
        """As argparse does it, but for unknown options."""
        parsed, unknown = self.parse_known_args(*args, **keywords)
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            close = nearest(unknown[0].split("=")[0], options)
            self.error(f"no option {unknown[0]}" + (f"; did you mean {close[0]}?" if close else ""))
        return parsed

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how to get help."""
        sys.stderr.write(f"{self.prog}: {message}\n({self.prog} --help lists the options)\n")
        sys.exit(BAD_USAGE)


def duration(text: str) -> float:
    """ "90", "90s", "20m", "1.5h", "1h30m" -> seconds."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", text)
    if not text or not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; expected something like 90s, 20m or 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def guarded(command: Callable[[Sequence[str] | None], int]) -> Callable[[], NoReturn]:
    """Turn what can go wrong for a user into a message and an exit code."""

    def run() -> NoReturn:
        from muzero.checkpoint import CheckpointError
        from muzero.games.batched import MissingExtra, UnknownGame
        from muzero.saving import SaveError
        from muzero.segment_log import LogError

        try:
            code = command(None)
        except (ConfigError, UnknownGame, MissingExtra) as error:
            code = fail(error, BAD_USAGE)
        except (CheckpointError, LogError) as error:
            code = fail(error, BAD_CHECKPOINT)
        except EnvironmentFault as error:
            code = fail(error, BAD_ENVIRONMENT)
        except SaveError as error:
            code = fail(error, NO_CHECKPOINT)
        except BadNumbers as error:
            code = fail(error, BAD_NUMBERS)
        except OSError as error:
            code = fail(error, 1)
        except KeyboardInterrupt:
            code = 130
        sys.exit(code)

    return run


def fail(error: Exception, code: int) -> int:
    """Print an error for a person."""
    sys.stderr.write(f"\nerror: {error}\n")
    return code


def show_results(console: Console, results: dict[str, Any], two_player: bool) -> None:
    """A table of evaluations."""
    table = Table(title="evaluation, greedy")
    names = ["games", "mean", "95 % interval"] + (["wins", "draws", "losses"] if two_player else ["min", "max"])
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    for name, summary in results.items():
        report = summary.report(two_player)
        low, high = report["interval_95"]
        rest = [report["wins"], report["draws"], report["losses"]] if two_player else [report["min"], report["max"]]
        cells = [report["games"], f"{report['mean']:.2f}", f"{low:.2f} to {high:.2f}", *rest]
        table.add_row(name, *(f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in cells))
    console.print(table)

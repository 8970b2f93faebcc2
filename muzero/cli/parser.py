"""What the commands share: options, errors and exit codes, the run's folder, tables."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from muzero.cli.output import Outlet, occupy
from muzero.config import ConfigError
from muzero.interfaces import BadNumbers, EnvironmentFault, PlayerError
from muzero.util.text import distance, nearest, printable

# Exit codes.
BAD_USAGE, BAD_CHECKPOINT, BAD_ENVIRONMENT, LOST_CLUSTER, NO_CHECKPOINT, BAD_NUMBERS = 2, 3, 4, 5, 6, 7
LINE, LINES = 1000, 40  # of an error, as far as it is printed
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no names of files on Windows


class Parser(argparse.ArgumentParser):
    """Names the nearest option where one is misspelt, and takes no abbreviations."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)
        self.words: list[str] = []

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> argparse.Namespace:  # type: ignore[override]
        """As argparse does it, but for unknown options, which come before what may be missing because of them."""
        self.words = list(sys.argv[1:] if args is None else args)
        for word in self.words[: self.words.index("--")] if "--" in self.words else self.words:
            name = word.split("=")[0]
            if re.match(r"-[^\d. ]", name) and " " not in name and name not in self.options():
                self._refuse(word)
        parsed, unknown = self.parse_known_args(self.words, namespace)
        if unknown:
            self._refuse(unknown[0])
        return parsed

    def options(self) -> list[str]:
        """All that this command takes."""
        return list(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how to get help."""
        hint = ""
        if message.startswith("the following arguments are required"):
            likely = [(word, option) for word in self.words for option in self._close(word, 1)]
            hint = f"; did you mean {likely[0][1]} by {likely[0][0]}?" if likely else ""
        sys.stderr.write(f"{self.prog}: {printable(message + hint, LINE)}\n({self.prog} --help lists the options)\n")
        sys.exit(BAD_USAGE)

    def require_words(self, words: Sequence[str]) -> None:
        """Refuse words that were probably meant to be options."""
        for word in words:
            if self._close(word, 1):
                self._refuse(word)

    def _refuse(self, word: str) -> NoReturn:
        close = self._close(word)
        self.error(f"no option {printable(word)}" + (f"; did you mean {' or '.join(close)}?" if close else ""))

    def _close(self, word: str, edits: int | None = None) -> list[str]:
        """The option that was probably meant, or several that are equally near."""
        name = word.split("=")[0]
        found = nearest(name, self.options(), 3)
        found = [option for option in found if distance(name, option) == distance(name, found[0])]
        return found if found and name not in self.options() and distance(name, found[0]) <= (edits or 100) else []

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse does it, with the nearest of the choices."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            close = nearest(str(value), map(str, action.choices or ()))
            error.message = f"{error.message}; did you mean {close[0]}?" if close else error.message
            raise


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
        occupy()
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


def outcome(command: Callable[[Sequence[str] | None], int]) -> int:
    """The exit code of a command, after its error was printed if it ended with one."""
    from muzero.actors.tasks import LostCluster
    from muzero.data.segment_log import LogError
    from muzero.evaluation.positions import PositionsError
    from muzero.games.batched import MissingExtra, UnknownGame
    from muzero.runs.checkpoint import CheckpointError
    from muzero.runs.saving import SaveError

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
    except SaveError as error:
        return fail(error, NO_CHECKPOINT)
    except BadNumbers as error:
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


def terminal() -> Console:
    """The screen.  Text that is printed is text: a folder named [b] is no markup, and :-) stays as it is."""
    return Console(markup=False, emoji=False, highlight=False)


def run_folder(game: str, seed: int, began: time.struct_time) -> Path:
    """The default folder of a run, whatever the game's name: below runs/, of plain names that every system takes."""
    kind, *names = game.split("/")
    parts = [plain_name(part) for part in (kind, "/".join(names)) if part]
    return Path("runs", *parts, f"{time.strftime('%Y%m%d-%H%M%S', began)}-s{seed}")


def plain_name(text: str, most: int = 64) -> str:
    """A name of a file, for any text: letters, digits, "._-" and no more; one that is shortened keeps a checksum."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip("._-").rstrip(".") or "game"
    if DEVICES.fullmatch(name):
        name = f"game-{name}"
    if len(name) <= most:
        return name
    return f"{name[: most - 9]}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"


def table(title: str, columns: Sequence[str]) -> Table:
    """An empty table: the first column is names, the others are figures; lines are never broken."""
    made = Table(title=title, box=None, title_justify="left", pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(columns[0], overflow="ellipsis", no_wrap=True)
    for column in columns[1:]:
        made.add_column(column, justify="right", no_wrap=True)
    return made


def show_results(console: Console, results: dict[str, Any], two_player: bool) -> None:
    """A table of evaluations; what is in brackets are 95 % intervals."""
    ends = ["wins", "draws", "losses"] if two_player else ["min", "max"]
    drawn = table("evaluation, greedy [95 % intervals]", ["", "games", "mean", *ends])
    for name, summary in results.items():
        report = summary.report(two_player)
        cells = [f"{report['games']:,}", bracketed(summary.mean, summary.interval, ".2f")]
        drawn.add_row(name, *cells, *(f"{report[end]:g}" for end in ends))
    console.print(drawn)


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Figures, with where they come from."""
    from muzero.util.provenance import provenance

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report | {"provenance": provenance()}, indent=1) + "\n", encoding="utf-8")


def bracketed(number: float, interval: Sequence[float], form: str) -> str:
    """A figure and its interval: "+30 [-12..+72]"."""
    low, high = (f"{end:{form}}" for end in interval)
    return f"{number:{form}} [{low}..{high}]"


def percent(share: float, interval: Sequence[float]) -> str:
    """The same of a share: "70.0 [64.6..74.9]"."""
    return bracketed(100 * share, [100 * end for end in interval], ".1f")

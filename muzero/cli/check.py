"""The command muzero-check: what is wrong with an environment, in words, and how to mend it."""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import re
import select
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn

from muzero.cli.check_words import closing_words, lines_of
from muzero.cli.exits import capped, code_of, fail, guarded
from muzero.cli.parser import Parser, duration
from muzero.config import ConfigError
from muzero.util.signals import is_interrupt
from muzero.util.text import printable

START = 60.0  # seconds that the imports of the package may take
PATIENCE = 5.0  # seconds for what cannot be interrupted, such as one slow step
FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<name>\S+)')  # as faulthandler writes it


def check_command(arguments: Sequence[str] | None = None) -> int:
    """Check an environment; the exit code is 0 where all is good, and 1 where there are faults."""
    options = check_parser().parse_args(arguments)
    counts = {True: 0, False: 0}  # of faults, and of remarks
    print(printable(options.game, 200), flush=True)
    for message in messages(options):
        if "code" in message:
            return fail(ConfigError(message["error"]), message["code"])
        for line in lines_of(message):
            print(line, flush=True)
        for finding in message["findings"]:
            counts[finding["fault"]] += 1
    print(closing_words(options.game, counts[True], counts[False]))
    return 1 if counts[True] else 0


def check_parser() -> Parser:
    """The parser of muzero-check."""
    about = "Play an environment at random, and say in words what is wrong with it and how to mend it."
    parser = Parser(prog="muzero-check", description=about)
    parser.add_argument(
        "game", metavar="GAME", help="as muzero-train --game: gym/Taxi-v4, python/my_module:MyGame, ..."
    )
    parser.add_argument(
        "--seconds", type=duration, default=10.0, metavar="TIME", help="time for all checks (default 10; also 1m)"
    )
    parser.add_argument(
        "--config", type=Path, action="append", default=[], metavar="FILE", help="read settings from a TOML file"
    )
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE", help="change one setting")
    return parser


# --- the process in which the environment is played ------------------------------------------------------------------


def messages(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What a child process finds, in which an environment may hang, or end the process.

    Yields:
        for each check its `Outcome` as a dict; or an "error" and its exit "code", which is the last.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    with tempfile.TemporaryFile("w+") as trace:
        child = os.fork()
        if child == 0:
            os.close(reading)
            _work(options, writing, trace)
        os.close(writing)
        done, status = False, 0
        try:
            for message in _received(reading, START + allowed(options.seconds)):
                done = "done" in message or "code" in message
                if "done" not in message:
                    yield message
        finally:
            os.close(reading)
            status = _end(child, done)
        trace.seek(0)
        if not done:
            finding = _unanswered(trace.read(), allowed(options.seconds), status)
            yield {"check": "an answer", "state": "fault", "about": "", "findings": [finding]}


def allowed(seconds: float) -> float:
    """Seconds after which the child is ended."""
    return seconds + PATIENCE


def _received(reading: int, seconds: float) -> Iterator[dict[str, Any]]:
    """The messages from a pipe, until the last one, its end, or the end of the time."""
    end, waiting = time.monotonic() + seconds, b""
    while (left := end - time.monotonic()) > 0:
        if not select.select([reading], [], [], left)[0]:
            return
        found = os.read(reading, 1 << 16)
        waiting += found
        *lines, waiting = waiting.split(b"\n")
        for line in lines:
            message = json.loads(line)
            yield message
            if "done" in message or "code" in message:
                return
        if not found:
            return


def _end(child: int, done: bool) -> int:
    """End the child, unless it is about to end by itself; returns its status."""
    end = time.monotonic() + (0 if done else 1)
    while True:
        number, status = os.waitpid(child, os.WNOHANG)
        if number:
            return status
        if time.monotonic() >= end:
            break
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _unanswered(trace: str, seconds: float, status: int) -> dict[str, Any]:
    """What is wrong with an environment that hung, or ended the process."""
    code = os.waitstatus_to_exitcode(status)
    if trace or code == -signal.SIGKILL:
        frames = [frame for frame in FRAME.finditer(trace) if not _foreign(frame["file"])]
        place = [f" ({Path(frame['file']).name}, line {frame['line']}, in {frame['name']})" for frame in frames[:1]]
        return {
            "seen": f"it did not return within {seconds:.0f} s{''.join(place)}",
            "expected": "reset and step that return",
            "remedy": "look for a loop without an end, or for a wait; give more time with --seconds",
            "fault": True,
        }
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return {
        "seen": f"it ended the process {how}",
        "expected": "an environment that returns, or raises an exception",
        "remedy": "leave out sys.exit and os._exit; python -X faulthandler shows where a library crashes",
        "fault": True,
    }


def _foreign(file: str) -> bool:
    """Whether a file is not the user's."""
    return "site-packages" in file or file.startswith((str(Path(__file__).parent.parent), sys.base_prefix, "<"))


def _work(options: argparse.Namespace, writing: int, trace: IO[str]) -> NoReturn:
    """Check, write what is found into a pipe, and end this process, which was forked."""
    code = 1

    def send(message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(writing, data) :]

    try:
        os.dup2(2, 1)  # what an environment prints must not lie between the lines of the table
        sys.stdout = sys.stderr
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        faulthandler.dump_traceback_later(START + allowed(options.seconds), exit=True, file=trace)
        for outcome in _outcomes(options, trace):
            findings = [finding._asdict() for finding in outcome.findings]
            send({"check": outcome.check, "state": outcome.state, "about": outcome.about, "findings": findings})
        send({"done": True})
        code = 0
    except BaseException as error:
        known = code_of(error) if isinstance(error, Exception) and not is_interrupt(error) else None
        if isinstance(error, ConfigError):
            send({"error": error.problems, "code": 2})
        elif known is not None:
            send({"error": capped(str(error).split("\n")), "code": known})
        else:
            import traceback

            traceback.print_exc()
    finally:
        os._exit(code)


def _outcomes(options: argparse.Namespace, trace: IO[str]) -> Iterator[Any]:
    from muzero import build
    from muzero.cli.presets import settings_from
    from muzero.config import parse_settings
    from muzero.games.registry import resolve
    from muzero.interfaces import GameSpec
    from muzero.trials.conformance import Ranges, check

    layers = [*map(settings_from, options.config), parse_settings(options.set)]
    game = resolve(options.game)
    table = build.game_table(game, layers)

    def ranges(spec: GameSpec) -> Ranges | None:
        config = build.settings_for(game, layers, spec)
        limit = config.table("model").get("reward_limit")
        said = config.source("model", "reward_limit") if limit is not None else ""
        if limit is None or spec.returns is not None or (build.follows(game) and said == "default"):
            return None
        return Ranges(limit, said)

    faulthandler.dump_traceback_later(allowed(options.seconds), exit=True, file=trace)  # now that all is imported
    return check(lambda batch: build.games_of(table, game, batch, True), ranges, options.seconds)


main = guarded(check_command)

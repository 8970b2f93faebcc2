"""How commands read their options: the error for a misspelt option names the nearest."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from muzero.cli.exits import BAD_USAGE, LINE
from muzero.util.text import distance, nearest, printable


class Parser(argparse.ArgumentParser):
    """A parser whose errors name the nearest option, and that accepts no abbreviations."""

    def __init__(self, example: str = "", **settings: Any) -> None:
        """example: words of a command that can be tried at once, shown where required ones are missing."""
        super().__init__(allow_abbrev=False, **settings)
        self.example = example
        self.words: list[str] = []

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> argparse.Namespace:
        """Parse as argparse does, but report unknown options before required ones that are missing."""
        if "_ARGCOMPLETE" in os.environ:  # a shell asks what the words may be
            from muzero.cli.completion_words import complete

            complete(self)
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
        """The names of all options."""
        return list(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and how to get help, and exit."""
        hint = ""
        if message.startswith("the following arguments are required"):
            likely = [(word, option) for word in self.words for option in self._close(word, 1)]
            hint = f"; did you mean {likely[0][1]} by {likely[0][0]}?" if likely else ""
        sys.stderr.write(f"{self.prog}: {printable(message + hint, LINE)}\n")
        if message.startswith("the following arguments are required") and self.example:
            sys.stderr.write(f"for example: {self.prog} {self.example} (muzero-zoo lists the trained agents)\n")
        sys.stderr.write(f"({self.prog} --help lists the options)\n")
        sys.exit(BAD_USAGE)

    def require_words(self, words: Sequence[str]) -> None:
        """Refuse words that were probably meant to be options."""
        for word in words:
            if self._close(word, 1):
                self._refuse(word)

    def _refuse(self, word: str) -> NoReturn:
        close = self._close(word)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        if close or word.startswith("-"):
            self.error(f"no option {printable(word)}{hint}")
        game = "--game" in self.options() and "/" in word
        self.error(f"unexpected {printable(word)!r}" + (f"; did you mean --game {printable(word)}?" if game else ""))

    def _close(self, word: str, edits: int | None = None) -> list[str]:
        """The nearest option, or several that are equally near."""
        name = word.split("=")[0]
        found = nearest(name, self.options(), 3)
        found = [option for option in found if distance(name, option) == distance(name, found[0])]
        return found if found and name not in self.options() and distance(name, found[0]) <= (edits or 100) else []

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Check a choice as argparse does; the error names the nearest."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            close = nearest(str(value), map(str, action.choices or ()))
            error.message = f"{error.message}; did you mean {close[0]}?" if close else error.message
            raise


def add_consent(parser: Parser) -> None:
    """Add the options by which a user lets a run execute code."""
    parser.add_argument("--game", help="needed if the game is code of your own: its name, as consent to import it")
    parser.add_argument(
        "--trust", action="store_true", help="let the settings of the run execute code: only of authors you trust"
    )


def number(text: str) -> int:
    """Parse a whole number; its range is checked where the option is used."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def duration(text: str) -> float:
    """ "90", "90s", "20m", "1.5h", "1h30m" -> seconds, more than none."""
    if not re.search("[1-9]", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration above 0; expected, for example, 90s or 20m")
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", text)
    if not text or not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; expected, for example, 90s, 20m or 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds

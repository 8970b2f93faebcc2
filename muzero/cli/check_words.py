"""What muzero-check prints."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from muzero.util.text import printable, shell_word

WIDEST = 110  # columns of a sentence
NAME, STATE = 14, 12  # columns of a check's name and of its result
LONGEST = 600  # characters of a sentence, which may be an environment's
PARTS = ("seen", "expected", "remedy")


def lines_of(outcome: Mapping[str, Any]) -> Iterator[str]:
    """The lines of one check: its name and result, and what was found."""
    about = outcome["about"] if outcome["state"] != "fault" else ""
    head = f"  {outcome['check']:<{NAME}}{outcome['state']:<{STATE}}"
    yield from wrapped(head, about, " " * len(head))
    for finding in outcome["findings"]:
        for part in PARTS:
            yield from wrapped(f"      {part:<10}", finding[part], " " * 16)


def wrapped(first: str, text: str, indent: str) -> list[str]:
    """A sentence behind the beginning of its first line, as wide as the terminal; in a pipe on one line."""
    text = printable(text, LONGEST)
    if not text or not sys.stdout.isatty():
        return [(first + text).rstrip()]
    width = max(min(shutil.get_terminal_size().columns, WIDEST), len(indent) + 20)
    found = textwrap.wrap(text, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)
    return found or [first.rstrip()]


def closing_words(game: str, faults: int, remarks: int) -> str:
    """The last line: what to do next."""
    count = f"{faults} fault{'s' * (faults != 1)}"
    noted = f"{remarks} remark{'s' * (remarks != 1)}"
    if faults:
        return f"{count}{f', {noted}' if remarks else ''}: a run would not learn this game as it is meant"
    begin = noted if remarks else "all good"
    return f"{begin}; see what a run would do: muzero-train --game {shell_word(game)} --dry-run"

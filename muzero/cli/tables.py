"""What commands print and write: tables, figures with intervals, JSON."""

from __future__ import annotations

import json
import math
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.text import Text

from muzero.evaluation.published_scores import human_normalised
from muzero.util.text import escaped

UNLIMITED = 1_000_000  # columns of an output that is not a terminal
SHORTEST = 16  # columns of a name that is shortened
GAP = 2  # columns between two figures


def terminal() -> Console:
    """The standard output.  Text is printed as it is: a folder named [b] is not markup, and :-) stays.

    Lines are as wide as the terminal, and as long as they need to be in files and pipes.
    """
    width = None if sys.stdout.isatty() else UNLIMITED
    return Console(markup=False, emoji=False, highlight=False, width=width)


@dataclass
class Figures:
    """A table: a name and its figures in each row.  Figures are never cut, at any width.

    Where a row is too wide, names lose their beginning as long as they stay distinct.  Where that is not enough, each
    name gets its own line, with the figures and their labels below it.
    """

    title: str
    columns: Sequence[str]  # the first is that of the names
    rows: list[tuple[str, Sequence[str], str]] = field(default_factory=list)  # name, figures, style

    def add_row(self, name: str, *figures: str, style: str = "") -> None:
        """Add a row, which may have fewer figures than there are columns.  Rows of details begin with a space."""
        self.rows.append((escaped(name), figures, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield Text(self.title, style="italic")
        figures = sum(GAP + width for width in self._widths())
        names = self._names(options.max_width - figures)
        if names is None:
            yield from self._stacked(options.max_width)
        else:
            yield from self._aligned(names)

    def _widths(self) -> list[int]:
        """Columns that each column of figures takes."""
        cells = [self.columns[1:], *(figures for _, figures, _ in self.rows)]
        return [max(cell_len(row[i]) for row in cells if i < len(row)) for i in range(len(self.columns) - 1)]

    def _names(self, width: int) -> list[str] | None:
        """The names in at most this width, None where they would not be distinct, or too short to be read."""
        names = [name for name, _, _ in self.rows]
        if max(map(cell_len, [self.columns[0], *names])) <= width:
            return names
        if width < SHORTEST:
            return None
        short = [without_beginning(name, width) for name in names]
        players = {name: text for name, text in zip(names, short, strict=True) if not name.startswith(" ")}
        return short if len(set(players.values())) == len(players) else None

    def _aligned(self, names: Sequence[str]) -> Iterator[Text]:
        head, widths = self.columns[0], self._widths()
        width = max(map(cell_len, [head, *names]))
        lines = [(head, self.columns[1:], "bold")]
        lines += [(name, figures, style) for name, (_, figures, style) in zip(names, self.rows, strict=True)]
        for name, figures, style in lines:
            cells = [" " * (GAP + w - cell_len(text)) + text for text, w in zip(figures, widths, strict=False)]
            yield Text((name + " " * (width - cell_len(name)) + "".join(cells)).rstrip(), style=style)

    def _stacked(self, width: int) -> Iterator[Text]:
        for name, figures, style in self.rows:
            indent = " " * (GAP + len(name) - len(name.lstrip()))
            yield Text(name, style=style or "bold", overflow="fold")
            line = indent
            for label, text in zip(self.columns[1:], figures, strict=False):
                if not text:
                    continue
                pair = f"{label} {text}"
                if line.strip() and cell_len(line) + GAP + cell_len(pair) > width:
                    yield Text(line, style=style)
                    line = indent
                line += (" " * GAP if line.strip() else "") + pair
            yield Text(line, style=style, overflow="fold")


HUMAN = "human: 0 is random play, 1 a human tester, both as published"


def without_beginning(name: str, width: int) -> str:
    """A name in at most this width: the end of a path says more than its beginning."""
    if cell_len(name) <= width:
        return name
    kept = name[-(width - 3) :]
    while cell_len(kept) > width - 3:  # wide letters
        kept = kept[1:]
    return f"...{kept}"


def show_results(console: Console, results: dict[str, Any], game: str, two_player: bool) -> None:
    """A table of evaluations; what is in brackets are 95 % intervals.

    "human" is the mean between random play, 0, and a human tester, 1, for games with published scores of both.
    """
    ends = ["wins", "draws", "losses"] if two_player else ["min", "max"]
    normalised = {name: human_normalised(game, summary.mean) for name, summary in results.items()}
    human = ["human"] if any(score is not None for score in normalised.values()) else []
    drawn = Figures("evaluation, greedy [95 % intervals]", ["", "games", "mean", *ends, *human])
    for name, summary in results.items():
        report = summary.report(two_player)
        cells = [f"{report['games']:,}", bracketed(summary.mean, summary.interval, ".2f")]
        cells += [f"{report[end]:g}" for end in ends] + ([f"{normalised[name]:.3f}"] if human else [])
        drawn.add_row(name, *cells)
    console.print(drawn)
    if human:
        say(console, HUMAN)


def say(console: Console, text: str, style: str | None = None) -> None:
    """Print a line that is never cut, with names from outside in it."""
    console.print(escaped(text), style=style, soft_wrap=True)


def say_wrapped(console: Console, text: str) -> None:
    """Print a sentence in lines as wide as the terminal, with names from outside in it; no word is broken."""
    for line in textwrap.wrap(escaped(text), console.width, break_long_words=False, break_on_hyphens=False):
        say(console, line)


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Write figures, with the machine, versions and command that they come from."""
    from muzero.util.provenance import provenance

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report | {"provenance": provenance()}, indent=1) + "\n", encoding="utf-8")


def bracketed(number: float, interval: Sequence[float], form: str) -> str:
    """A figure and its interval: "+30 [-12..+72]".

    Where only one end is known, it alone: "> +234".  Where neither is, as of a single game, the figure alone.
    """
    low, high = interval
    if math.isfinite(low) and math.isfinite(high):
        return f"{number:{form}} [{low:{form}}..{high:{form}}]"
    if math.isfinite(low) or math.isfinite(high):
        return f"> {low:{form}}" if math.isfinite(low) else f"< {high:{form}}"
    return f"{number:{form}}" if math.isfinite(number) else "?"


def percent(share: float, interval: Sequence[float]) -> str:
    """A share and its interval in percent: "70.0 [64.6..74.9]"."""
    return bracketed(100 * share, [100 * end for end in interval], ".1f")

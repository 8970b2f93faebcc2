"""What commands print and write: tables, figures with intervals, JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def terminal() -> Console:
    """The screen.  Text that is printed is text: a folder named [b] is no markup, and :-) stays as it is."""
    return Console(markup=False, emoji=False, highlight=False)


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

"""The page of a trained agent, README.md of its folder: how it was made, what it scores, how it learned."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from muzero.report.collect import Run, collect
from muzero.runs import checkpoint
from muzero.runs.evaluations import Evaluation
from muzero.runs.folder import RunFolder
from muzero.util.text import printable

LONGEST = 2000  # characters of a text of the run
LINES = 20  # of a curve
WIDTH = 40  # columns of its longest bar


def page(folder: Path, name: str) -> str:
    """The page as Markdown.

    Args:
        folder: of the agent.
        name: of the agent, as players are named: zoo/tic_tac_toe.

    Raises:
        CheckpointError: if its weights or its figures cannot be read.
    """
    run, entry = collect([folder])[0], checkpoint.parse(RunFolder(folder).entry)
    two_player = any("wins" in result["figures"] for result in entry["results"])
    lines = [f"# {plain(name)}", "", f"A trained agent of {code(run.game)}, with the seed {run.seed}."]
    lines += ["", "| | |", "|---|---|"]
    lines += [f"| {head} | {text} |" for head, text in [*origin(folder, run, entry), *results(entry)]]
    lines += ["", f"{heading(run.evaluations)}:", "", "```", *curve(run.evaluations), "```", ""]
    lines += [f"{code(f'muzero-play {name}')} plays against you."] if two_player else []
    lines += [f"{code(f'muzero-report {name}')} draws all of its curves.", ""]
    return "\n".join(lines)


def plain(text: Any) -> str:
    """Text of a run as Markdown that shows it: nothing in it is markup."""
    return re.sub(r"([\\`*\[\]<>|&])", r"\\\1", printable(str(text), LONGEST))


def code(text: Any) -> str:
    """Text of a run as code of Markdown, which also stands in a table."""
    shown = printable(str(text), LONGEST).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " * (len(fence) > 1)
    return f"{fence}{space}{shown}{space}{fence}"


def origin(folder: Path, run: Run, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How the agent was made."""
    (path,) = checkpoint.listed(RunFolder(folder).checkpoints)
    found = checkpoint.verify(path)
    for each in run.commands:
        yield "command", code(each["command"])
    first = run.commands[0]
    machine, versions = first["machine"], first["versions"]
    yield "commit, date", plain(f"{first.get('commit')}, {first['date'][:10]}")
    yield "machine", plain(f"{machine['processor']}, {machine['cores']} cores; torch {versions['torch']}")
    yield "steps, updates", f"{found.step:,}; {entry['updates']:,}"
    cpu = entry["cpu_seconds"]
    yield "seconds", f"{found.manifest['seconds']:,.0f}" + ("" if cpu is None else f"; {cpu:,.0f} of CPU")
    yield "weights", f"{found.manifest['files']['model.safetensors']['bytes']:,} bytes"


def results(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the agent scores, by the commands that show it."""
    for result in entry["results"]:
        yield code(result["command"]), figures(result["figures"])


def figures(row: Mapping[str, Any]) -> str:
    """The figures of one command in words."""
    if "optimal" in row:
        optimal, kept = 100 * row["optimal"], 100 * row["outcome_preserving"]
        return f"{row['positions']:,} positions: {optimal:.2f} % optimal, {kept:.2f} % keep the outcome"
    if "wins" in row:
        counts = f"{row['wins']:,} won, {row['draws']:,} drawn, {row['losses']:,} lost"
        if "lines" in row:
            return f"{row['lines']:,} lines of play: {counts}"
        return f"{row['games']:,} games: {counts}; {100 * row['share']:.1f} % of the points"
    low, high = row["interval_95"]
    return f"{row['games']:,} games: mean {row['mean']:.1f} [{low:.1f}..{high:.1f}], {row['min']:g} to {row['max']:g}"


def heading(done: Sequence[Evaluation]) -> str:
    """What the scores of a curve are of."""
    against = next((f", {each.name}" for each in done if each.name.startswith("against ")), "")
    return plain(f"Scores of greedy play while it learned{against}")


def curve(done: Sequence[Evaluation]) -> list[str]:
    """The scores of evaluations as bars from 0, or from the lowest score if that is below 0, a line each."""
    shown = thinned(done, LINES)
    if not shown:
        return []
    means = [each.mean for each in shown]
    low, high = min(0.0, *means), max(0.0, *means)
    span = high - low or 1.0
    width = max(len(f"{mean:,.2f}") for mean in means)
    return [
        f"{each.step:>12,} steps {each.mean:>{width},.2f} {'#' * round(WIDTH * (each.mean - low) / span)}".rstrip()
        for each in shown
    ]


def thinned(rows: Sequence[Any], most: int) -> list[Any]:
    """At most so many rows at equal distances, the first and the last among them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(place * (len(rows) - 1) / (most - 1))] for place in range(most)]

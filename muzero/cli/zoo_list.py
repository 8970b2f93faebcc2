"""What trained agents there are, with their published figures: muzero-zoo without a run."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

from muzero.config import ConfigError, read_layer
from muzero.report.agent_page import figures
from muzero.runs import checkpoint, zoo
from muzero.runs.checkpoint import CheckpointError
from muzero.runs.folder import RunFolder
from muzero.util.text import printable

WIDEST = 120  # columns of a line
LONGEST = 300  # characters of one that an agent's author wrote
LAST = "play: muzero-play zoo/NAME, or muzero-serve; watch: muzero-watch; figures: README.md of each agent's folder"


def listing() -> str:
    """All agents as a table: name, game, size, time of learning; then a line for each published figure."""
    names = zoo.names()
    if not names:
        return f"no trained agents: neither {zoo.ZOO}/ here nor the package has one"
    rows = [(name, *facts(name)) for name in names]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    columns = min(shutil.get_terminal_size().columns, WIDEST)
    lines = []
    for name in names:
        _, game, size, learned = next(row for row in rows if row[0] == name)
        lines.append(f"{name:{widths[0]}}  {game:{widths[1]}}  {size:>{widths[2]}}  {learned}".rstrip())
        for text in published(name):
            lines += textwrap.wrap(text, columns, initial_indent="    ", subsequent_indent=" " * 8,
                                   break_long_words=False, break_on_hyphens=False)  # fmt: skip
    return "\n".join([*lines, "", LAST])


def facts(name: str) -> tuple[str, str, str]:
    """Game, size and time of learning of an agent; of one that cannot be read, why."""
    files = RunFolder(zoo.located(Path(name)))
    try:
        game = str(read_layer(files.config).tables.get("run", {}).get("game", "?"))
        manifest = checkpoint.read_manifest(checkpoint.listed(files.checkpoints)[-1])
        size = sum(file["bytes"] for file in manifest["files"].values())
        return printable(game, LONGEST), f"{size / 1e6:.1f} MB", f"learned in {float(manifest['seconds']) / 60:.0f} min"
    except (CheckpointError, ConfigError, OSError, LookupError, TypeError, ValueError) as error:
        return f"cannot be read: {printable(str(error), LONGEST)}", "", ""


def published(name: str) -> Iterator[str]:
    """The figures of an agent in words, each with the options of muzero-eval that give it."""
    try:
        entry = checkpoint.parse(RunFolder(zoo.located(Path(name))).entry)
        for result in entry["results"]:
            options = str(result["command"]).partition(name)[2].strip()
            yield printable(f"{figures(result['figures'])}  ({options})", LONGEST)
    except (CheckpointError, OSError, LookupError, TypeError, ValueError):
        return

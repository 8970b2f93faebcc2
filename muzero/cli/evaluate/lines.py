"""muzero-eval PLAYER --against all: every line of play that an opponent can choose."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from muzero.cli.evaluate.playing import Row
from muzero.cli.evaluate.positions import shown
from muzero.cli.evaluate.progress import Progress
from muzero.cli.tables import Figures, terminal, write_json
from muzero.config import Config, ConfigError
from muzero.evaluation.intervals import Summary
from muzero.evaluation.lines import every_line
from muzero.evaluation.positions import start
from muzero.play.match import Outcome

SEATS = ("moving_first", "moving_second")


def evaluate(options: argparse.Namespace, rows: Sequence[Row], config: Config) -> int:
    """Play all lines with each player and show how they ended."""
    game, progress = config.table("run")["game"], Progress()
    first = start(config)
    if first is None:
        raise ConfigError([f"--against all plays games whose rules can be consulted; {game} is not one"])
    every = []
    try:
        for row in rows:
            watch = shown(progress, f"lines ended, {row.name}")
            outcomes = every_line(row.entrant.player, first, options.seed, watch)
            described = {"player": row.name, "step": row.entrant.step, "simulations": row.simulations, "against": "all"}
            every.append(described | figures(outcomes))
    finally:
        progress.clear()
    drawn = Figures(f"{game}, every line of play of an opponent", ["player", "lines", "w-d-l"])
    for row in every:
        drawn.add_row(row["player"], *cells(row))
        for seat, name in zip(SEATS, ("  first seat", "  second seat"), strict=True):
            drawn.add_row(name, *cells(row[seat]), style="dim")
    terminal().print(drawn)
    if options.json:
        write_json(options.json, {"game": game, "seed": options.seed, **every[0], "rows": every})
    return 0


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Plain values for JSON.  There are no intervals: these are all lines."""
    summary = Summary(outcomes)
    seats = {name: summary.tally(seat) for seat, name in enumerate(SEATS)}
    return {"lines": len(outcomes), **summary.tally(), **seats}


def cells(tally: dict[str, Any]) -> list[str]:
    """The number of lines; wins, draws and losses."""
    counts = [tally[name] for name in ("wins", "draws", "losses")]
    return [f"{sum(counts):,}", "-".join(map(str, counts))]

"""muzero-eval RUN...: games for one, with published scores beside ours."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console

from muzero.cli.evaluate.match import Result, Row, arena_of
from muzero.cli.parser import Parser
from muzero.cli.tables import bracketed, table, terminal, write_json
from muzero.config import Config, ConfigError
from muzero.evaluation import published_scores
from muzero.evaluation.aggregate import Aggregate, aggregate
from muzero.evaluation.arena import Match, contest
from muzero.evaluation.entrants import Entrant
from muzero.evaluation.intervals import Summary
from muzero.games.registry import protocols


def alone(
    parser: Parser, options: argparse.Namespace, rows: Sequence[Row], entrants: Sequence[Entrant], config: Config
) -> int:
    """Play and show: full games, with their true rewards, under each of the game's protocols."""
    game = config.table("run")["game"]
    if options.against not in (None, "none"):
        raise ConfigError([f"--against {options.against}: {game} has a single agent; leave it out"])
    for name in ("until_interval", "sprt", "openings", "save_games"):
        if getattr(options, name) is not None:
            parser.error(f"--{name.replace('_', '-')} is for games of two; {game} has a single agent")
    console, began = terminal(), time.monotonic()
    most, every = options.games or 100, []
    arena = arena_of(options)
    players = list(zip(rows, [entrant.step for entrant in entrants], strict=True))
    players += [] if ("random", None) in rows else [(("random", None), None)]
    try:
        for protocol, changed in protocols(config).items():
            for (name, simulations), step in players:
                match = Match(changed.to_toml(), name, None, options.simulations, options.device, options.seed, (0, 0))
                result = Result(name, simulations, step)
                for part in contest(arena, match, most, min(options.batch, most)):
                    result.outcomes += part.outcomes
                    result.seconds, result.moves = result.seconds + part.seconds, result.moves + part.moves
                every.append(describe(result, game, protocol))
    finally:
        arena.close()
    seeds = None if options.sweep else over_seeds(every, entrants)
    show(console, every, game, seeds)
    report: dict[str, Any] = {"game": game, "seed": options.seed, "seconds": round(time.monotonic() - began, 2)}
    report |= {"rules": "full games, true rewards, greedy"}
    report |= every[0] | {"rows": every, "references": [row._asdict() for row in published_scores.of(game)]}
    if seeds is not None:
        report["over_seeds"] = seeds._asdict()
    if options.json:
        write_json(options.json, report)
    return 0


def describe(result: Result, game: str, protocol: str) -> dict[str, Any]:
    """Plain values of one row for JSON."""
    row: dict[str, Any] = {"player": result.name, "step": result.step, "simulations": result.simulations}
    row |= {"protocol": protocol.lstrip(", ")}
    row |= Summary(result.outcomes).report(False) | {"milliseconds_per_move": result.milliseconds}
    row["scores"] = [outcome.score for outcome in result.outcomes]
    return row | {"human_normalised": published_scores.human_normalised(game, row["mean"])}


def over_seeds(rows: Sequence[dict[str, Any]], entrants: Sequence[Entrant]) -> Aggregate | None:
    """Several runs as seeds of one method, under the first protocol; None for a single run."""
    runs = [row for row in rows if row["player"] != "random" and row["protocol"] == rows[0]["protocol"]]
    folders = {entrant.agent.folder for entrant in entrants if entrant.agent is not None}
    return aggregate(np.array([[row["mean"]] for row in runs])) if len(folders) > 1 else None


def show(console: Console, rows: Sequence[dict[str, Any]], game: str, seeds: Aggregate | None) -> None:
    """Ours, and what is published."""
    normalised = rows[0]["human_normalised"] is not None
    swept = any(row["simulations"] is not None for row in rows)
    columns = ["player", "games", "mean", "min", "max", "steps", *["ms"] * swept, *["human"] * normalised]
    drawn = table(f"{game}: full games, greedy [95 % intervals]", columns)
    for row in rows:
        ends = [float("nan") if end is None else end for end in row["interval_95"]]
        name = f"{row['player']}, {row['protocol']}" if row["protocol"] else row["player"]
        cells = [f"{row['games']:,}", bracketed(row["mean"], ends, ".1f"), f"{row['min']:g}", f"{row['max']:g}"]
        cells += [f"{row['mean_steps']:,.0f}", *[f"{row['milliseconds_per_move']:.2f}"] * swept]
        drawn.add_row(name, *cells, *([f"{row['human_normalised']:.3f}"] if normalised else []))
    console.print(drawn)
    if normalised:
        console.print("human: 0 is random play, 1 a human tester, both as published", soft_wrap=True)
    if seeds is not None:
        text = f"interquartile mean over {seeds.runs} runs: {bracketed(seeds.iqm, (seeds.low, seeds.high), '.2f')}"
        console.print(f"{text} (stratified bootstrap, {seeds.by})", soft_wrap=True)
    for reference in published_scores.of(game):
        console.print(f"{reference.agent}: {reference.score:g} ({reference.source})", soft_wrap=True)

"""muzero-eval RUN...: single-agent games, with published scores beside ours."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console

from muzero import build
from muzero.cli.evaluate.playing import Matches, Result, Row, match_of, say_interrupted
from muzero.cli.tables import HUMAN, Figures, bracketed, say, terminal, write_json
from muzero.config import Config, ConfigError
from muzero.evaluation import published_scores
from muzero.evaluation.aggregate import Aggregate, aggregate
from muzero.evaluation.intervals import Summary, finite, mean_interval
from muzero.games.registry import protocols

BEST = "optimal"  # the player from whose score regret is measured


def evaluate(options: argparse.Namespace, rows: Sequence[Row], config: Config) -> int:
    """Play and show the results: full games, with their true rewards, under each of the game's protocols."""
    game = config.table("run")["game"]
    check(options, game)
    console, began = terminal(), time.monotonic()
    players = [Result(row.name, row.simulations, row.entrant.step) for row in rows]
    if all(player.name != "random" for player in players):
        players.append(Result("random"))
    rules = protocols(config)
    most = options.games or (1 if "human" in options.players else 100)
    results: list[tuple[str, Result]] = []  # with the protocol
    with Matches(options, most * len(players) * len(rules), two_player=False) as matches:
        for protocol, changed in rules.items():
            for player in players:
                result = Result(player.name, player.simulations, player.step)
                results.append((protocol, result))
                for _ in matches.play(match_of(options, changed, player.name, None), result, most):
                    pass
    results = [(protocol, result) for protocol, result in results if result.outcomes]
    if matches.interrupted:
        say_interrupted(console, [result for _, result in results])
    if results:
        longest = build.spec(config).max_steps
        every = with_regret([describe(result, game, protocol, longest) for protocol, result in results])
        seeds = None if options.sweep or matches.interrupted else over_seeds(every, rows)
        show(console, every, game, seeds)
        if options.json:
            write_json(options.json, collect(every, game, options.seed, time.monotonic() - began, seeds))
    return 130 if matches.interrupted else 0


def check(options: argparse.Namespace, game: str) -> None:
    """Refuse options that are for two-player games.

    Raises:
        ConfigError: naming the option.
    """
    if options.against not in (None, "none"):
        raise ConfigError([f"--against {options.against}: {game} has a single agent; leave it out"])
    for name in ("until_interval", "sprt", "openings", "save_games", "seat"):
        if getattr(options, name) is not None:
            raise ConfigError([f"--{name.replace('_', '-')} is for two-player games; {game} has a single agent"])


def describe(result: Result, game: str, protocol: str, longest: int | None) -> dict[str, Any]:
    """Plain values of one row for JSON.  longest: steps at which games are cut, if they are."""
    row: dict[str, Any] = {"player": result.name, "step": result.step, "simulations": result.simulations}
    row |= {"protocol": protocol.lstrip(", ")}
    row |= {"partial_batch": True} if result.partial else {}
    row |= Summary(result.outcomes).report(False) | {"milliseconds_per_move": result.milliseconds}
    row["scores"] = [outcome.score for outcome in result.outcomes]
    row |= {"step_limit": longest, "games_at_limit": sum(o.steps == longest for o in result.outcomes)}
    return row | {"human_normalised": published_scores.human_normalised(game, row["mean"])}


def with_regret(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with what each player misses of optimal play, from the same starts; as they are where that did not play."""
    best = next((row["scores"] for row in rows if row["player"] == BEST), None)
    found = []
    for row in rows:
        missed = {}
        if best is not None and row["player"] != BEST and len(row["scores"]) == len(best):
            lost = np.array(best) - np.array(row["scores"])
            ends = [finite(end) for end in mean_interval(lost)]
            missed = {"regret": float(lost.mean()), "regret_interval_95": ends}
        found.append(row | missed)
    return found


def collect(
    rows: Sequence[dict[str, Any]], game: str, seed: int, seconds: float, seeds: Aggregate | None
) -> dict[str, Any]:
    """Plain values for JSON: the first row at the top, all of them in `rows`."""
    report: dict[str, Any] = {"game": game, "seed": seed, "seconds": round(seconds, 2)}
    report |= {"rules": "full games, true rewards, greedy"}
    report |= {**rows[0], "rows": rows, "references": [row._asdict() for row in published_scores.of(game)]}
    return report if seeds is None else report | {"over_seeds": seeds._asdict()}


def over_seeds(described: Sequence[dict[str, Any]], rows: Sequence[Row]) -> Aggregate | None:
    """Aggregate several runs as seeds of one method, under the first protocol; None for a single run."""
    folders = {row.entrant.agent.folder for row in rows if row.entrant.agent is not None}
    if len(folders) < 2:
        return None
    runs = [row for row in described if row["player"] != "random" and row["protocol"] == described[0]["protocol"]]
    return aggregate(np.array([[row["mean"]] for row in runs]))


def show(console: Console, rows: Sequence[dict[str, Any]], game: str, seeds: Aggregate | None) -> None:
    """Our scores in a table, and published ones below it."""
    console.print(draw(rows, game))
    if any(row["games"] == 1 for row in rows):
        say(console, "1 game says nothing about strength: there is no interval")
    for row in rows:
        if row["games_at_limit"]:
            reached = f"{row['games_at_limit']:,} of {row['games']:,} games reached the limit"
            say(console, f"{row['player']}: {reached} of {row['step_limit']:,} steps")
    if rows[0]["human_normalised"] is not None:
        say(console, HUMAN)
    if seeds is not None:
        text = f"interquartile mean over {seeds.runs} runs: {bracketed(seeds.iqm, (seeds.low, seeds.high), '.2f')}"
        say(console, f"{text} (stratified bootstrap, {seeds.by})")
    for reference in published_scores.of(game):
        say(console, f"published: {reference.agent} {reference.score:g} ({reference.source})")


def draw(rows: Sequence[dict[str, Any]], game: str) -> Figures:
    """The table.  Columns that say nothing are left out: times without a sweep, human scores of other games."""
    columns = ["player", "games", "mean", "min", "max", "steps"]
    swept = any(row["simulations"] is not None for row in rows)
    normalised = rows[0]["human_normalised"] is not None
    if swept:
        columns.append("ms/move")
    if normalised:
        columns.append("human")
    missed = any("regret" in row for row in rows)
    if missed:
        columns.append("regret")
    drawn = Figures(f"{game}: full games, greedy [95 % intervals]", columns)
    for row in rows:
        mean = interval_of(row["mean"], row["interval_95"])
        cells = [f"{row['games']:,}", mean, f"{row['min']:g}", f"{row['max']:g}"]
        cells.append(f"{row['mean_steps']:,.0f}")
        if swept:
            cells.append(f"{row['milliseconds_per_move']:.2f}")
        if normalised:
            cells.append(f"{row['human_normalised']:.3f}")
        if missed:
            cells.append(interval_of(row["regret"], row["regret_interval_95"]) if "regret" in row else "")
        drawn.add_row(f"{row['player']}, {row['protocol']}" if row["protocol"] else row["player"], *cells)
    return drawn


def interval_of(mean: float, ends: Sequence[float | None]) -> str:
    """A mean with its interval, whose ends are None where they are not known."""
    return bracketed(mean, [float("nan") if end is None else end for end in ends], ".1f")

"""muzero-eval PLAYER --against PLAYER: matches of two, with as many games as are asked for."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from muzero import build
from muzero.cli.parser import Parser
from muzero.cli.tables import bracketed, percent, table, terminal, write_json
from muzero.config import Config, ConfigError
from muzero.evaluation.arena import Arena, LocalArena, Match, contest
from muzero.evaluation.entrants import Entrant
from muzero.evaluation.game_records import GameRecords
from muzero.evaluation.in_training import usual_openings
from muzero.evaluation.intervals import SequentialTest, Summary, pair_shares
from muzero.evaluation.positions import everywhere, quality, start
from muzero.play.match import Outcome
from muzero.players.minimax import MinimaxPlayer

MOST = 10_000  # games, where an interval or a test says when there are enough
Row = tuple[str, int | None]  # name, simulations of a sweep


@dataclass
class Result:
    """What was played of one match."""

    name: str
    simulations: int | None
    step: int | None  # of a run's checkpoint
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0  # that the player thought
    moves: int = 0

    @property
    def milliseconds(self) -> float:
        """Of thought for a move, many games side by side."""
        return 1000 * self.seconds / max(self.moves, 1)


def match(
    parser: Parser, options: argparse.Namespace, rows: Sequence[Row], entrants: Sequence[Entrant], config: Config
) -> int:
    """Play and show."""
    game = config.table("run")["game"]
    if options.against in (None, "none"):
        raise ConfigError([f"{game} is for two: say whom to play with --against random, mcts:100, another run, ..."])
    people = "human" in (options.against, *options.players)
    batch = 1 if people else options.batch
    console, began, results = terminal(), time.monotonic(), []
    most = options.games or (2 if people else MOST if options.until_interval or options.sprt else 100)
    arena = arena_of(options)
    records = GameRecords(options.save_games, game, start(config)) if options.save_games else None
    interrupted = False
    try:
        for (name, simulations), entrant in zip(rows, entrants, strict=True):
            results.append(result := Result(name, simulations, entrant.step))
            fight = Match(
                config.to_toml(),
                name,
                options.against,
                options.simulations,
                options.device,
                options.seed,
                openings(options, config, people),
            )
            rule = stopping(options)
            for part in contest(arena, fight, most, batch, rule, max(1, options.actors)):
                result.outcomes += part.outcomes
                result.seconds, result.moves = result.seconds + part.seconds, result.moves + part.moves
                if records:
                    records.add(name, options.against, part.outcomes)
                if len(result.outcomes) < most:
                    console.print(f"{name}: {len(result.outcomes):,} games", end="\r") if console.is_terminal else None
    except KeyboardInterrupt:
        interrupted = True
        console.print("interrupted: these are the games that were finished")
    finally:
        arena.close()
    results = [result for result in results if result.outcomes]
    if results:
        show(console, results, options.against, game)
        report = describe(options, results, game, config, time.monotonic() - began)
        decide(console, options, results, report)
        if options.against == "minimax" and not interrupted:
            all_positions(console, entrants, report, config, options.seed)
        if options.json:
            write_json(options.json, report)
    return 130 if interrupted else 0


def arena_of(options: argparse.Namespace) -> Arena:
    """This process, or processes of Ray."""
    if not options.actors:
        return LocalArena()
    from muzero.cluster.arena import RayArena

    return RayArena(options.actors, options.ray_address or "", options.insecure)


def openings(options: argparse.Namespace, config: Config, people: bool = False) -> tuple[int, int]:
    """As asked for, or as usual; a person begins at the beginning."""
    if options.openings is not None:
        return options.openings
    return (0, 0) if people else usual_openings(build.spec(config))


def stopping(options: argparse.Namespace) -> Callable[[list[Outcome]], bool] | None:
    """When there are enough games; None: when all are played."""
    if options.until_interval:

        def narrow(outcomes: list[Outcome]) -> bool:
            _, low, high = Summary(outcomes).elo
            return (high - low) / 2 <= options.until_interval

        return narrow
    if options.sprt:
        test = SequentialTest(*options.sprt)
        return lambda outcomes: test.decided(pair_shares(outcomes)) is not None
    return None


def show(console: Console, results: Sequence[Result], against: str, game: str) -> None:
    """A table with a line for each match, and one for each seat."""
    columns = ["player", "games", "w-d-l", "points %", "Elo", "ms"]
    drawn = table(f"{game}, against {against} [95 % intervals]", columns)
    for result in results:
        summary = Summary(result.outcomes)
        difference, *ends = summary.elo
        points = percent(summary.share, summary.share_interval)
        cells = [points, bracketed(difference, ends, "+.0f"), f"{result.milliseconds:.2f}"]
        drawn.add_row(result.name, *counts(summary, None), *cells)
        for seat, text in ((0, "  first seat"), (1, "  second seat")):
            if any(outcome.seat == seat for outcome in result.outcomes):
                drawn.add_row(text, *counts(summary, seat), style="dim")
    console.print(drawn)
    for result in results:
        distinct = Summary(result.outcomes).distinct
        if distinct < len(result.outcomes):
            console.print(f"{result.name}: {distinct:,} of {len(result.outcomes):,} games are distinct", soft_wrap=True)


def counts(summary: Summary, seat: int | None) -> list[str]:
    """Games; wins, draws and losses."""
    tally = summary.tally(seat)
    return [f"{sum(tally.values()):,}", "-".join(str(number) for number in tally.values())]


def describe(
    options: argparse.Namespace, results: Sequence[Result], game: str, config: Config, seconds: float
) -> dict[str, Any]:
    """Plain values for JSON: the first row at the top, all of them in `rows`."""
    every = []
    for result in results:
        row = {
            "player": result.name,
            "step": result.step,
            "simulations": result.simulations,
            "against": options.against,
        }
        every.append(row | Summary(result.outcomes).report(True) | {"milliseconds_per_move": result.milliseconds})
    used = openings(options, config, "human" in (options.against, *options.players))
    report = {"game": game, "seed": options.seed, "openings": list(used), "seconds": round(seconds, 2)}
    return report | every[0] | {"rows": every}


def decide(console: Console, options: argparse.Namespace, results: Sequence[Result], report: dict[str, Any]) -> None:
    """Say what a stopping rule came to."""
    if options.sprt:
        test = SequentialTest(*options.sprt)
        for result, row in zip(results, report["rows"], strict=True):
            shares = pair_shares(result.outcomes)
            row["sprt"] = {
                "low": test.low,
                "high": test.high,
                "ratio": test.ratio(shares),
                "high_holds": test.decided(shares),
            }
            verdict = {True: f"{test.high:+g} Elo", False: f"{test.low:+g} Elo", None: "neither of the two, yet"}
            console.print(
                f"{result.name}: {verdict[test.decided(shares)]} holds (log likelihood ratio {test.ratio(shares):+.2f})"
            )
        report |= report["rows"][0]
    if options.until_interval:
        for result in results:
            if not (stopping(options) or bool)(result.outcomes):
                console.print(f"{result.name}: after {len(result.outcomes):,} games Elo is still not known so closely")


def all_positions(
    console: Console, entrants: Sequence[Entrant], report: dict[str, Any], config: Config, seed: int
) -> None:
    """Against perfect play in a small game: how many of all its positions are played optimally."""
    first = start(config)
    assert first is not None  # minimax has played it
    positions = everywhere(first, MinimaxPlayer())
    for entrant, row in zip(entrants, report["rows"], strict=True):
        found = quality(entrant.player, positions, first, seed).report()
        row["all_positions"] = found
        console.print(
            f"{entrant.name}: optimal choice in {round(found['optimal'] * len(positions)):,} of {len(positions):,} "
            f"positions ({found['optimal']:.2%})",
            soft_wrap=True,
        )
    report["all_positions"] = report["rows"][0]["all_positions"]

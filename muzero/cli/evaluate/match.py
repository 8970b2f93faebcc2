"""muzero-eval PLAYER --against PLAYER: two-player matches, with as many games as are asked for."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from rich.console import Console

from muzero import build
from muzero.cli.evaluate.playing import Enough, Matches, Result, Row, match_of, say_interrupted
from muzero.cli.tables import Figures, bracketed, percent, say_wrapped, terminal, write_json
from muzero.config import Config, ConfigError
from muzero.evaluation.game_records import GameRecords
from muzero.evaluation.in_training import usual_openings
from muzero.evaluation.intervals import SequentialTest, Summary, pair_shares
from muzero.evaluation.positions import everywhere, quality, start
from muzero.play.match import Openings, Outcome
from muzero.players.minimax import MinimaxPlayer

MOST = 10_000  # games, where an interval or a test says when there are enough


def evaluate(options: argparse.Namespace, rows: Sequence[Row], config: Config) -> int:
    """Play a match for each row and show the results; returns the exit code."""
    game, against = config.table("run")["game"], options.against
    require_opponent(options, game)
    used = openings(options, config)
    enough = stopping(options)
    most = options.games or (MOST if enough else 100)
    records = GameRecords(options.save_games, game, start(config)) if options.save_games else None
    console, began = terminal(), time.monotonic()
    results: list[Result] = []
    with Matches(options, most * len(rows), two_player=True) as matches:
        for row in rows:
            results.append(result := Result(row.name, row.simulations, row.entrant.step))
            match = match_of(options, config, row.name, against, used)
            for part in matches.play(match, result, most, enough):
                if records:
                    records.add(row.name, against, part.outcomes)
    results = [result for result in results if result.outcomes]
    if matches.interrupted:
        say_interrupted(console, results)
    if results:
        show(console, results, against, game)
        report = describe(results, game, against, options.seed, used, time.monotonic() - began)
        say_verdicts(console, options, results, report)
        if against == "minimax" and not matches.interrupted:
            all_positions(console, rows, report, config, options.seed)
        if options.json:
            write_json(options.json, report)
    return 130 if matches.interrupted else 0


def require_opponent(options: argparse.Namespace, game: str) -> None:
    """Refuse a two-player game without an opponent.

    Raises:
        ConfigError: naming some opponents.
    """
    if options.against in (None, "none"):
        wanted = "choose an opponent with --against random, mcts:100, another run, ..."
        raise ConfigError([f"{game} is a two-player game: {wanted}"])


def openings(options: argparse.Namespace, config: Config) -> Openings:
    """The openings that were asked for, or the usual ones of the game."""
    return usual_openings(build.spec(config)) if options.openings is None else options.openings


def stopping(options: argparse.Namespace) -> Enough | None:
    """The rule that says when there are enough games; None where their number is given."""
    if options.until_interval:
        return partial(narrow, options.until_interval)
    if options.sprt:
        return partial(decided, SequentialTest(*options.sprt))
    return None


def narrow(margin: float, outcomes: Sequence[Outcome]) -> bool:
    """Whether the interval of Elo is at most this margin wide on each side."""
    _, low, high = Summary(outcomes).elo
    return (high - low) / 2 <= margin


def decided(test: SequentialTest, outcomes: Sequence[Outcome]) -> bool:
    """Whether a sequential test has come to a decision."""
    return test.decided(pair_shares(outcomes)) is not None


def show(console: Console, results: Sequence[Result], against: str, game: str) -> None:
    """A table with a row for each match, and one for each seat; then how many games repeat others."""
    columns = ["player", "games", "w-d-l", "points %", "Elo", "ms/move"]
    drawn = Figures(f"{game}, against {against} [95 % intervals]", columns)
    for result in results:
        summary = Summary(result.outcomes)
        drawn.add_row(result.name, *counts(summary, None), *strength(summary), f"{result.milliseconds:.2f}")
        for seat, text in ((0, "  first seat"), (1, "  second seat")):
            if any(outcome.seat == seat for outcome in result.outcomes):
                drawn.add_row(text, *counts(summary, seat), style="dim")
    console.print(drawn)
    for result in results:
        if len(result.outcomes) == 1:
            say_wrapped(console, f"{result.name}: 1 game says nothing about strength")
        elif text := repetition(result.outcomes):
            say_wrapped(console, f"{result.name}: {text}")


def strength(summary: Summary) -> list[str]:
    """Points and Elo with their intervals; without intervals for a single game, which says nothing."""
    difference, *ends = summary.elo
    if len(summary.outcomes) == 1:
        return [f"{100 * summary.share:.1f}", "-"]
    return [percent(summary.share, summary.share_interval), bracketed(difference, ends, "+.0f")]


def repetition(outcomes: Sequence[Outcome]) -> str:
    """How many games are distinct; empty where all are."""
    count = Summary(outcomes).distinct
    if count == len(outcomes):
        return ""
    only = f"{count:,} of {len(outcomes):,} games are distinct; the others repeat them, so the intervals are too narrow"
    return f"{only} (--openings 2-4 gives more variety)"


def counts(summary: Summary, seat: int | None) -> list[str]:
    """Games; wins, draws and losses."""
    tally = summary.tally(seat)
    return [f"{sum(tally.values()):,}", "-".join(str(number) for number in tally.values())]


def describe(
    results: Sequence[Result], game: str, against: str, seed: int, used: Openings, seconds: float
) -> dict[str, Any]:
    """Plain values for JSON: the first row at the top, all of them in `rows`."""
    every = []
    for result in results:
        row = {"player": result.name, "step": result.step, "simulations": result.simulations, "against": against}
        row |= {"partial_batch": True} if result.partial else {}
        every.append(row | Summary(result.outcomes).report(True) | {"milliseconds_per_move": result.milliseconds})
    report = {"game": game, "seed": seed, "openings": list(used), "seconds": round(seconds, 2)}
    return report | every[0] | {"rows": every}


def say_verdicts(
    console: Console, options: argparse.Namespace, results: Sequence[Result], report: dict[str, Any]
) -> None:
    """Say what a rule that ends matches came to, and add it to the report."""
    if options.sprt:
        test = SequentialTest(*options.sprt)
        for result, row in zip(results, report["rows"], strict=True):
            shares = pair_shares(result.outcomes)
            ratio, holds = test.ratio(shares), test.decided(shares)
            row["sprt"] = {"low": test.low, "high": test.high, "ratio": ratio, "high_holds": holds}
            verdict = "undecided" if holds is None else f"{test.high if holds else test.low:+g} Elo holds"
            say_wrapped(console, f"{result.name}: {verdict} (log likelihood ratio {ratio:+.2f})")
        report |= report["rows"][0]
    if options.until_interval:
        for result in results:
            if not narrow(options.until_interval, result.outcomes):
                count = f"after {len(result.outcomes):,} games"
                say_wrapped(console, f"{result.name}: {count} the interval of Elo is still wider than asked")


def all_positions(console: Console, rows: Sequence[Row], report: dict[str, Any], config: Config, seed: int) -> None:
    """Against perfect play in a small game: how many of all its positions are played optimally."""
    first = start(config)
    assert first is not None  # minimax has played it
    positions = everywhere(first, MinimaxPlayer())
    for row, described in zip(rows, report["rows"], strict=True):
        found = quality(row.entrant.player, positions, first, seed).report()
        described["all_positions"] = found
        optimal = f"{round(found['optimal'] * len(positions)):,} of {len(positions):,} positions"
        say_wrapped(console, f"{row.name}: optimal choice in {optimal} ({found['optimal']:.2%})")
    report["all_positions"] = report["rows"][0]["all_positions"]

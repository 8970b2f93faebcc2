"""muzero-eval PLAYER --positions ...: moves held against those of perfect play."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from muzero import build
from muzero.cli.tables import percent, table, terminal, write_json
from muzero.config import Config, ConfigError
from muzero.evaluation.entrants import Entrant
from muzero.evaluation.positions import Scored, everywhere, fresh, quality, read, start, write
from muzero.interfaces import Rules
from muzero.play.match import Timed
from muzero.players.registry import oracle

USUAL = {"all": "board/tic_tac_toe"}  # the game where nothing else says it
OTHERWISE = "board/connect_four"
FRESH = 500


def examine(options: argparse.Namespace, rows: Sequence[tuple[str, int | None]], entrants: Sequence[Entrant]) -> int:
    """Examine and show."""
    agents = [entrant.agent for entrant in entrants if entrant.agent is not None]
    games = {agent.spec.name for agent in agents} | ({options.game} if options.game else set())
    game = games.pop() if games else USUAL.get(options.positions, OTHERWISE)
    if games:
        raise ConfigError([f"players of different games: {', '.join(sorted({game, *games}))}"])
    config = agents[0].config if agents else build.configure(game, [])
    first = start(config)
    if first is None:
        raise ConfigError([f"--positions: perfect play is known of games with rules only (board/...), not of {game}"])
    positions = find(options, first, config)
    if options.save_positions:
        write(options.save_positions, positions)
    console, every = terminal(), []
    for entrant, (_, simulations) in zip(entrants, rows, strict=True):
        player = Timed(entrant.player)
        found = quality(player, positions, first, options.seed).report()
        milliseconds = 1000 * player.seconds / max(player.moves, 1)
        row = {"player": entrant.name, "step": entrant.step, "simulations": simulations, **found}
        row["milliseconds_per_move"] = milliseconds
        every.append(row)
    show(console, every, f"{game}, {len(positions):,} positions ({options.positions})")
    if options.json:
        report = {"game": game, "from": options.positions, "seed": options.seed, **every[0], "rows": every}
        write_json(options.json, report)
    return 0


def find(options: argparse.Namespace, first: Rules, config: Config) -> list[Scored]:
    """The positions that are asked for."""
    kind, _, number = options.positions.partition(":")
    spec = build.spec(config)
    if options.positions == "all":
        return everywhere(first, oracle(spec.name))
    if kind == "fresh" and not Path(options.positions).exists():
        if number and not (number.isdecimal() and 1 <= int(number) <= 1_000_000):
            raise ConfigError([f"--positions {options.positions}; expected fresh:N with a number of positions"])
        return fresh(first, oracle(spec.name), int(number or FRESH), options.seed, spec.max_steps)
    return read(Path(options.positions), first)


def show(console: Console, rows: Sequence[dict[str, Any]], title: str) -> None:
    """A line for each player; for one player, a line for each group by plies too."""
    columns = ["player", "number", "optimal %", "keeps outcome %", "error", "ms"]
    drawn = table(f"{title} [95 % intervals]", columns)
    for row in rows:
        drawn.add_row(row["player"], *cells(row), f"{row['milliseconds_per_move']:.2f}")
        if len(rows) == 1:
            for plies, figures in row["by_plies"].items():
                drawn.add_row(f"  {plies} plies", *cells(figures), style="dim")
    console.print(drawn)


def cells(row: dict[str, Any]) -> list[str]:
    """Figures of one line."""
    error, name = row["value_error"], "outcome_preserving"
    shares = [percent(row[key], row[f"{key}_interval_95"]) for key in ("optimal", name)]
    return [f"{row['positions']:,}", *shares, "" if error is None else f"{error:.3f}"]

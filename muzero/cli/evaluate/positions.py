"""muzero-eval PLAYER --positions ...: moves compared with perfect play."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from muzero import build
from muzero.cli.evaluate.playing import Row
from muzero.cli.evaluate.progress import Progress
from muzero.cli.tables import Figures, percent, say, terminal, write_json
from muzero.config import Config, ConfigError
from muzero.evaluation.positions import Scored, everywhere, fresh, quality, read, start, write
from muzero.interfaces import Rules
from muzero.play.match import Timed
from muzero.players.registry import oracle

USUAL = {"all": "board/tic_tac_toe"}  # the game where nothing else names one
OTHERWISE = "board/connect_four"
FRESH = 500


def evaluate(options: argparse.Namespace, rows: Sequence[Row]) -> int:
    """Examine the players and show the results.  Ctrl-C ends it; the players that were examined are shown."""
    config = game_of(options, rows)
    game = config.table("run")["game"]
    first = start(config)
    if first is None:
        raise ConfigError(
            [f"--positions compares moves with perfect play, which {game} does not have; give a board game"]
        )
    console, progress = terminal(), Progress()
    every: list[dict[str, Any]] = []
    interrupted, count = False, 0
    try:
        positions = find(options, first, config, shown(progress, "positions found"))
        count = len(positions)
        if options.save_positions:
            write(options.save_positions, positions)
        for row in rows:
            every.append(examine(row, positions, first, options.seed, shown(progress, f"positions, {row.name}")))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        progress.clear()
    if interrupted:
        kept = "these are the players that were examined" if every else "no player was examined"
        say(console, f"interrupted: {kept}")
    if every:
        show(console, every, f"{game}, {count:,} positions ({options.positions})")
        if options.json:
            report = {"game": game, "from": options.positions, "seed": options.seed, **every[0], "rows": every}
            write_json(options.json, report)
    return 130 if interrupted else 0


def game_of(options: argparse.Namespace, rows: Sequence[Row]) -> Config:
    """The configuration of the game: that of the runs, or the one that is named.

    Raises:
        ConfigError: if the players are of different games.
    """
    agents = [row.entrant.agent for row in rows if row.entrant.agent is not None]
    games = {agent.spec.name for agent in agents} | ({options.game} if options.game else set())
    if len(games) > 1:
        raise ConfigError([f"players of different games: {', '.join(sorted(games))}"])
    if agents:
        return agents[0].config
    return build.configure(games.pop() if games else USUAL.get(options.positions, OTHERWISE), [])


def shown(progress: Progress, what: str) -> Callable[[int], None]:
    """A watcher that shows how many there are."""

    def watch(count: int) -> None:
        if progress.due():
            progress.show(f"{count:,} {what}")

    return watch


def examine(
    row: Row, positions: Sequence[Scored], first: Rules, seed: int, watch: Callable[[int], None]
) -> dict[str, Any]:
    """The figures of one player, as plain values for JSON."""
    player = Timed(row.entrant.player)
    found = quality(player, positions, first, seed, watch).report()
    milliseconds = 1000 * player.seconds / max(player.moves, 1)
    described = {"player": row.name, "step": row.entrant.step, "simulations": row.simulations, **found}
    return described | {"milliseconds_per_move": milliseconds}


def find(options: argparse.Namespace, first: Rules, config: Config, watch: Callable[[int], None]) -> list[Scored]:
    """The positions that are asked for."""
    kind, _, number = options.positions.partition(":")
    spec = build.spec(config)
    if options.positions == "all":
        return everywhere(first, oracle(spec.name), watch)
    if kind == "fresh" and not Path(options.positions).exists():
        if number and not (number.isdecimal() and 1 <= int(number) <= 1_000_000):
            raise ConfigError([f"--positions {options.positions}; expected fresh:N with a number of positions"])
        return fresh(first, oracle(spec.name), int(number or FRESH), options.seed, spec.max_steps, watch)
    return read(Path(options.positions), first)


def show(console: Console, rows: Sequence[dict[str, Any]], title: str) -> None:
    """A row for each player; for one player, a row for each group by plies too."""
    columns = ["player", "number", "optimal %", "keeps outcome %", "error", "ms/move"]
    drawn = Figures(f"{title} [95 % intervals]", columns)
    for row in rows:
        drawn.add_row(row["player"], *cells(row), f"{row['milliseconds_per_move']:.2f}")
        if len(rows) == 1:
            for plies, figures in row["by_plies"].items():
                drawn.add_row(f"  {plies} plies", *cells(figures), style="dim")
    console.print(drawn)


def cells(row: dict[str, Any]) -> list[str]:
    """The figures of one row."""
    error, name = row["value_error"], "outcome_preserving"
    shares = [percent(row[key], row[f"{key}_interval_95"]) for key in ("optimal", name)]
    return [f"{row['positions']:,}", *shares, "" if error is None else f"{error:.3f}"]

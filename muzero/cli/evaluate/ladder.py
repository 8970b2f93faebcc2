"""muzero-eval ladder: each player against each other, and the ratings that follow."""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from rich.console import Console

from muzero import build
from muzero.cli.evaluate.match import openings, repetition
from muzero.cli.evaluate.options import PLAYERS, add_match_options, check_files, whole
from muzero.cli.evaluate.playing import Matches, Result, match_of
from muzero.cli.parser import Parser
from muzero.cli.tables import Figures, bracketed, say, terminal, write_json
from muzero.config import Config, ConfigError
from muzero.evaluation.entrants import enter, named, parse, stage
from muzero.evaluation.game_records import GameRecords
from muzero.evaluation.intervals import Summary
from muzero.evaluation.positions import start
from muzero.evaluation.ratings import rate
from muzero.play.match import Outcome
from muzero.players.registry import is_player
from muzero.runs import checkpoint
from muzero.runs.folder import RunFolder
from muzero.runs.zoo import located


def ladder_command(arguments: Sequence[str]) -> int:
    """Run muzero-eval ladder; returns its exit code."""
    options = parsed(arguments)
    names = competitors(options)
    torch.set_num_threads(1)  # as muzero-eval does elsewhere
    with ExitStack() as stack:  # those who play are entered where they play
        entrants = [enter(name, options.simulations, options.device, options.trust, options.game) for name in names]
        for entrant in entrants:
            stack.callback(entrant.player.close)
        config = stage(entrants, options.game)
        titles = {entrant.name: entrant.player.title for entrant in entrants}
    game = config.table("run")["game"]
    if not build.spec(config).two_player:
        raise ConfigError([f"{game} has a single agent: compare runs with muzero-eval RUN... instead"])
    console, began, ladder = terminal(), time.monotonic(), Ladder(game, names)
    interrupted = play(options, config, ladder, console)
    if ladder.played:
        show(console, ladder)
        used, seconds = openings(options, config), round(time.monotonic() - began, 2)
        head = {"game": game, "seed": options.seed, "openings": used, "seconds": seconds}
        if options.json:
            write_json(options.json, head | describe(ladder, titles))
    return 130 if interrupted else 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a ladder."""
    parser = Parser(
        prog="muzero-eval ladder",
        description="Rate a pool of players: each plays each other, in both seats, from the same openings.",
        epilog=PLAYERS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "players",
        nargs="+",
        metavar="PLAYER",
        help="a run, with several of its checkpoints, or any player listed below",
    )
    parser.add_argument("--anchors", default="", metavar="A,B,...", help="more players, such as random,mcts:10,solver")
    parser.add_argument(
        "--checkpoints", type=whole, default=5, metavar="N", help="at most N checkpoints of each run (default 5)"
    )
    parser.add_argument(
        "--games", type=whole, default=100, metavar="N", help="games between each pair of players (default 100)"
    )
    add_match_options(parser)
    options = parser.parse_args(arguments)
    parser.require_words(options.players)
    check_files(parser, options)
    return options


def competitors(options: argparse.Namespace) -> list[str]:
    """The names of all players, anchors first, each once.

    Raises:
        ConfigError: if there are fewer than two, or one is a person.
    """
    anchors = [anchor.strip() for anchor in options.anchors.split(",") if anchor.strip()]
    entered = [name for text in options.players for name in pool(text, options.checkpoints)]
    names = list(dict.fromkeys([*anchors, *entered]))
    if len(names) < 2:
        raise ConfigError([f"a ladder needs at least two players, got one: {names[0]}"])
    if "human" in names:
        raise ConfigError(["a ladder has too many games for a human; play with --against human"])
    return names


def play(options: argparse.Namespace, config: Config, ladder: Ladder, console: Console) -> bool:
    """Play all pairs.  Returns whether Ctrl-C ended it; a pair is kept once all of its games are played."""
    pairs = list(itertools.combinations(ladder.entered, 2))
    used = openings(options, config)
    records = GameRecords(options.save_games, ladder.game, start(config)) if options.save_games else None
    with Matches(options, options.games * len(pairs), two_player=True) as matches:
        for pair in pairs:
            result = Result(pair[0])
            for _ in matches.play(match_of(options, config, *pair, used), result, options.games):
                pass
            ladder.played[pair] = result.outcomes
            if records:
                records.add(*pair, result.outcomes)
            matches.progress.clear()
            tally = "w-d-l " + "-".join(str(count) for count in Summary(result.outcomes).tally().values())
            repeated = repetition(result.outcomes)
            say(console, f"{pair[0]} against {pair[1]}: {tally}" + (f"; {repeated}" if repeated else ""))
    if matches.interrupted:
        kept = "the ratings are of the matches that were finished" if ladder.played else "no match was finished"
        say(console, f"interrupted: {kept}")
    return matches.interrupted


def pool(text: str, most: int) -> list[str]:
    """The players that a name stands for: of a run without a step, checkpoints at equal distances, newest included."""
    if is_player(text):
        return [text]
    name = parse(text)
    folder = RunFolder(located(name.folder)).checkpoints
    if name.step is not None or not folder.is_dir():
        return [text]
    steps = [checkpoint.step_of(path) for path in checkpoint.listed(folder)]
    chosen = {steps[round(index)] for index in np.linspace(len(steps) - 1, 0, min(most, len(steps)))} if steps else ()
    return [named(name.folder, step, name.simulations) for step in sorted(chosen)] or [text]


@dataclass(frozen=True)
class Ladder:
    """The matches of a ladder that were played."""

    game: str
    entered: Sequence[str]
    played: dict[tuple[str, str], list[Outcome]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The players that have played: all, unless the ladder was interrupted."""
        return [name for name in self.entered if any(name in pair for pair in self.played)]

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """[P, P] points of row against column, and games between them."""
        index = {name: number for number, name in enumerate(self.names)}
        points, games = np.zeros((len(index),) * 2), np.zeros((len(index),) * 2)
        for (first, second), outcomes in self.played.items():
            row, column = index[first], index[second]
            won = sum((np.sign(outcome.score) + 1) / 2 for outcome in outcomes)
            points[row, column], points[column, row] = won, len(outcomes) - won
            games[row, column] = games[column, row] = len(outcomes)
        return points, games


def show(console: Console, ladder: Ladder) -> None:
    """The best first; ratings are differences to the first player that was named."""
    names, (points, games) = ladder.names, ladder.points()
    ratings = rate(points, games)
    drawn = Figures(
        f"{ladder.game}: Elo above {names[0]} [95 % intervals]", ["player", "Elo", "points", "games", "share"]
    )
    for player in np.argsort(-ratings.elo, kind="stable").tolist():
        won, count = points[player].sum(), games[player].sum()
        rating = bracketed(float(ratings.elo[player]), ratings.interval(player), "+.0f") if player else "0"
        drawn.add_row(names[player], rating, f"{won:g}", f"{count:g}", f"{won / count:.1%}")
    console.print(drawn)


def describe(ladder: Ladder, titles: dict[str, str]) -> dict[str, Any]:
    """Plain values for JSON: players with their ratings, and matches."""
    points, games = ladder.points()
    ratings = rate(points, games)
    players = [
        {
            "player": name,
            "title": titles[name],
            "elo": float(ratings.elo[number]),
            "elo_interval_95": list(ratings.interval(number)),
            "points": float(points[number].sum()),
            "games": int(games[number].sum()),
        }
        for number, name in enumerate(ladder.names)
    ]
    matches = [
        {"player": first, "against": second} | Summary(outcomes).report(True)
        for (first, second), outcomes in ladder.played.items()
    ]
    return {"players": players, "matches": matches}

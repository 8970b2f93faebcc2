"""muzero-eval PLAYER --against human: games of a person at the terminal, one after the other."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from muzero.cli.evaluate.match import describe, require_opponent
from muzero.cli.evaluate.playing import Result, Row
from muzero.cli.person import ended, seated, tally
from muzero.cli.tables import say, terminal, write_json
from muzero.config import Config, ConfigError
from muzero.evaluation.entrants import Entrant
from muzero.evaluation.game_records import GameRecords
from muzero.evaluation.in_training import played
from muzero.evaluation.positions import start
from muzero.interfaces import Rules
from muzero.play.match import Openings, Outcome
from muzero.players.human import HumanPlayer

SEATS = {"first": [0], "second": [1], "both": [0, 1]}


def evaluate(options: argparse.Namespace, rows: Sequence[Row], opponents: Sequence[Entrant], config: Config) -> int:
    """Play the games and say how each ended.  Ctrl-C ends them; the finished games are kept."""
    game = config.table("run")["game"]
    check(options, rows, game)
    row, opponent = rows[0], opponents[0]
    first, used = start(config), options.openings or (0, 0)
    records = GameRecords(options.save_games, game, first) if options.save_games else None
    console, began, result = terminal(), time.monotonic(), Result(row.name, row.simulations, row.entrant.step)
    table = Table(console, config, first, row.entrant, opponent, options.seed, used)
    seats = SEATS[options.seat or "first"]
    count = options.games or len(seats)
    interrupted = False
    try:
        for number in range(count):
            title = f"game {number + 1} of {count}"
            outcome = table.play(title, number // len(seats), seats[number % len(seats)])
            result.outcomes.append(outcome)
            if records:
                records.add(row.name, options.against, [outcome])
    except KeyboardInterrupt:
        interrupted = True
        console.print()
        say(console, "interrupted: the game that was under way does not count")
    if result.outcomes:
        table.total(result.outcomes)
        if options.json:
            seconds = time.monotonic() - began
            write_json(options.json, describe([result], game, options.against, options.seed, used, seconds))
    return 130 if interrupted else 0


def check(options: argparse.Namespace, rows: Sequence[Row], game: str) -> None:
    """Refuse what does not fit games of a person.

    Raises:
        ConfigError: naming the option.
    """
    require_opponent(options, game)
    if len(rows) > 1:
        raise ConfigError(["a person plays one player at a time; give one player, and no --sweep"])
    for name in ("until_interval", "sprt", "actors"):
        if getattr(options, name):
            raise ConfigError([f"--{name.replace('_', '-')} does not fit games of a person; give --games N"])


@dataclass(frozen=True)
class Table:
    """Where a person and another player, or two persons, sit."""

    console: Console
    config: Config
    first: Rules | None  # the first position; None if the rules cannot be consulted
    player: Entrant
    opponent: Entrant
    seed: int
    openings: Openings

    @property
    def person(self) -> HumanPlayer:
        """The person whose seat is chosen: the opponent, unless only the player is a person."""
        return next(each.player for each in (self.opponent, self.player) if isinstance(each.player, HumanPlayer))

    @property
    def other(self) -> str:
        """The name of whom the person plays."""
        return self.opponent.name if self.person is self.player.player else self.player.name

    def play(self, title: str, pair: int, seat: int) -> Outcome:
        """Play a game, from the first words to the last.

        Args:
            title: "game 1 of 2".
            pair: games of a pair begin alike.
            seat: of the person: 0 moves first.
        """
        self.console.print()
        say(self.console, f"{title}, against {self.other}: {seated(self.first, seat)}")
        for entrant in (self.player, self.opponent):
            if isinstance(entrant.player, HumanPlayer):
                entrant.player.begin(self.first)
        # The player under test moves first in games of even number.
        number = 2 * pair + (seat if self.person is self.player.player else 1 - seat)
        players = (self.player.player, self.opponent.player)
        outcome = played(self.config, *players, [number], self.seed, self.openings, 1)[0]
        self.end(outcome)
        return outcome

    def end(self, outcome: Outcome) -> None:
        """Show the final board, and say the result."""
        rules = self.first
        if rules is not None:
            for action in outcome.actions:
                rules = rules.child(action)
            self.console.print()
            self.person.show(rules)
        say(self.console, ended(self.score(outcome), self.other, outcome.steps, outcome.resigned, rules))

    def score(self, outcome: Outcome) -> float:
        """The score of the person."""
        return outcome.score if self.person is self.player.player else -outcome.score

    def total(self, outcomes: Sequence[Outcome]) -> None:
        """Say how several games ended."""
        if text := tally([self.score(outcome) for outcome in outcomes]):
            self.console.print()
            say(self.console, text)

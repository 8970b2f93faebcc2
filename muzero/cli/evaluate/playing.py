"""What matches, ladders and single-agent evaluations share: playing with progress, and keeping what was finished."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from rich.console import Console

from muzero.cli.evaluate.progress import Estimate, Progress, line
from muzero.cli.tables import say
from muzero.config import Config
from muzero.evaluation.arena import Arena, LocalArena, Match, Played, contest
from muzero.evaluation.entrants import Entrant
from muzero.play.match import Openings, Outcome

Enough = Callable[[list[Outcome]], bool]


class Row(NamedTuple):
    """A player to evaluate, one row of the results."""

    name: str
    simulations: int | None  # of a sweep
    entrant: Entrant


@dataclass
class Result:
    """What was played of one match."""

    name: str
    simulations: int | None = None  # of a sweep
    step: int | None = None  # of a run's checkpoint
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0  # that the player took to choose its moves
    moves: int = 0
    partial: bool = False  # holds games of a batch that was interrupted

    def add(self, part: Played) -> None:
        """Add the finished games of a part of the match."""
        self.outcomes += part.outcomes
        self.seconds += part.seconds
        self.moves += part.moves

    @property
    def milliseconds(self) -> float:
        """Mean time to choose a move, with many games side by side."""
        return 1000 * self.seconds / max(self.moves, 1)


class Matches:
    """Plays matches one after another.  Ctrl-C ends the playing; the games that were finished are kept."""

    def __init__(self, options: argparse.Namespace, count: int, two_player: bool) -> None:
        """count: number of games that will be played in all matches, unless a rule ends them before."""
        self.interrupted = False
        self.progress = Progress()
        self._arena, self._ahead = arena_of(options), max(1, options.actors)
        self._person = "human" in options.players  # plays one game at a time, and sees how far it is
        self._batch = 1 if self._person else options.batch
        self._estimate, self._two_player = Estimate(count), two_player
        self._done = 0  # games of earlier matches
        self._finished: Sequence[Outcome] = ()  # of the batch that is being played
        self._result: Result | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> bool:
        self.progress.clear()
        self._arena.close()
        self.interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        if self.interrupted and self._result and not self._result.outcomes and self._finished:
            self._result.outcomes, self._result.partial = list(self._finished), True
        return self.interrupted

    def play(self, match: Match, result: Result, most: int, enough: Enough | None = None) -> Iterator[Played]:
        """Play a match, adding to its result what is yielded.

        Args:
            match: what to play.
            result: of the match.
            most: number of games at which it ends.
            enough: a rule that ends it before.
        """
        title = match.player if match.opponent is None else f"{match.player} against {match.opponent}"
        self._result = result

        def watch(finished: Sequence[Outcome]) -> None:
            self._finished = finished
            if self.progress.due() and not self._person:
                outcomes = [*result.outcomes, *finished]
                # Games side by side end together: the first of them say little about the time that is left.
                known = bool(self._done or result.outcomes) or 2 * len(finished) >= min(self._batch, most)
                left = self._estimate.left(self._done + len(outcomes), self.progress.seconds)
                left = left if known and not enough else None
                text = line(outcomes, most, self._two_player, left, self.progress.seconds, enough is not None)
                self.progress.show(f"{text}, {title}")

        self._arena.watch = watch
        for part in contest(self._arena, match, most, min(self._batch, most), enough, self._ahead):
            result.add(part)
            watch(())
            yield part
        self._done += most


def arena_of(options: argparse.Namespace) -> Arena:
    """This process, or processes of Ray."""
    if not options.actors:
        return LocalArena()
    from muzero.cluster.arena import RayArena

    return RayArena(options.actors, options.ray_address or "", options.insecure)


def match_of(
    options: argparse.Namespace, config: Config, player: str, opponent: str | None, openings: Openings = (0, 0)
) -> Match:
    """A match as the options ask for it."""
    return Match(
        config=config.to_toml(),
        player=player,
        opponent=opponent,
        simulations=options.simulations,
        device=options.device,
        seed=options.seed,
        openings=openings,
    )


def say_interrupted(console: Console, results: Sequence[Result]) -> None:
    """Say which games the figures are of."""
    if any(result.partial for result in results):
        text = "these are the games that were finished; the shortest are finished first, so the figures are biased"
    elif results:
        text = "these are the games that were finished"
    else:
        text = "no game was finished"
    say(console, f"interrupted: {text}")

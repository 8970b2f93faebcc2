"""Matches by name: plain records that can be played here or in other processes, with the same games."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from muzero import build
from muzero.config import merge
from muzero.config.layers import read_text
from muzero.evaluation.entrants import enter
from muzero.evaluation.in_training import played
from muzero.interfaces import Player
from muzero.play.match import Openings, Outcome, Timed


@dataclass(frozen=True)
class Match:
    """Who plays whom at what."""

    config: str  # of the game, as TOML
    player: str
    opponent: str | None  # None in games for one
    simulations: int | None  # of runs whose names give none
    device: str
    seed: int
    openings: Openings


@dataclass(frozen=True)
class Played:
    """Some games of a match."""

    outcomes: list[Outcome]
    seconds: float  # that the player under test thought
    moves: int  # that it made


Numbers = Sequence[int]


class Arena(ABC):
    """Where matches are played."""

    @abstractmethod
    def play(self, match: Match, chunks: Sequence[Numbers]) -> Iterator[Played]:
        """The games of these numbers, each chunk side by side; results in the order of the chunks.

        Raises:
            PlayerError: if a player cannot play.
        """

    def close(self) -> None:  # noqa: B027 (one of this process holds players only)
        """Let go of everything."""


class LocalArena(Arena):
    """Plays in this process."""

    def __init__(self) -> None:
        self.players: dict[tuple[str, int | None, str], Player] = {}

    def play(self, match: Match, chunks: Sequence[Numbers]) -> Iterator[Played]:
        config = merge([read_text(match.config, "the match")], build.SCHEMA)
        player = Timed(self._enter(match, match.player))
        opponent = None if match.opponent is None else self._enter(match, match.opponent)
        for numbers in chunks:
            player.seconds, player.moves = 0.0, 0
            outcomes = played(config, player, opponent, numbers, match.seed, match.openings, len(numbers))
            yield Played(outcomes, player.seconds, player.moves)

    def _enter(self, match: Match, name: str) -> Player:
        key = (name, match.simulations, match.device)
        if key not in self.players:
            # The command entered this player before, and asked for consent where it was needed.
            self.players[key] = enter(*key, trust=True).player
        return self.players[key]

    def close(self) -> None:
        for player in self.players.values():
            player.close()
        self.players.clear()


def chunked(first: int, count: int, batch: int) -> list[range]:
    """Numbers of games in chunks of whole pairs."""
    size = batch + batch % 2
    return [range(begin, min(begin + size, first + count)) for begin in range(first, first + count, size)]


def contest(
    arena: Arena,
    match: Match,
    most: int,
    batch: int,
    enough: Callable[[list[Outcome]], bool] | None = None,
    ahead: int = 1,
) -> Iterator[Played]:
    """Play until there are enough games, or `most`.

    Args:
        arena: where.
        match: what.
        most: games.
        batch: games side by side.
        enough: asked after each round; None plays `most`.
        ahead: batches in a round.
    """
    chunks = chunked(0, most, batch)
    size = len(chunks) if enough is None else ahead
    outcomes: list[Outcome] = []
    for begin in range(0, len(chunks), size):
        for part in arena.play(match, chunks[begin : begin + size]):
            outcomes += part.outcomes
            yield part
        if enough is not None and enough(outcomes):
            return

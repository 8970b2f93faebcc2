"""Matches as plain records, which give the same games in this process and in others."""

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
from muzero.play.match import Openings, Outcome, Timed, Watch


@dataclass(frozen=True, kw_only=True)
class Match:
    """Two players and a game, or one player and a single-agent game."""

    config: str  # of the game, as TOML
    player: str  # the player under test, by name
    opponent: str | None = None  # None in single-agent games
    simulations: int | None = None  # of runs whose names give none; None: as trained
    device: str = "cpu"  # of networks
    seed: int = 0
    openings: Openings = (0, 0)


@dataclass(frozen=True)
class Played:
    """Some games of a match."""

    outcomes: list[Outcome]
    seconds: float  # that the player under test took to choose its moves
    moves: int  # that the player under test made


Numbers = Sequence[int]


def unwatched(finished: Sequence[Outcome]) -> None:
    """Ignore the games that are finished: the default where nothing shows progress."""


class Arena(ABC):
    """A place where matches are played: this process or others."""

    watch: Watch = staticmethod(unwatched)
    """Called with the finished games of a chunk while it is played, where that is in this process."""

    @abstractmethod
    def play(self, match: Match, chunks: Sequence[Numbers]) -> Iterator[Played]:
        """Play the games of these numbers, each chunk side by side; yields results in the order of the chunks.

        Raises:
            PlayerError: if a player cannot play.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the players and processes that it holds."""


class LocalArena(Arena):
    """Plays matches in this process."""

    def __init__(self) -> None:
        self.players: dict[tuple[str, int | None, str], Player] = {}

    def play(self, match: Match, chunks: Sequence[Numbers]) -> Iterator[Played]:
        config = merge([read_text(match.config, "the match")], build.SCHEMA)
        player = Timed(self._enter(match, match.player))
        opponent = None if match.opponent is None else self._enter(match, match.opponent)
        for numbers in chunks:
            player.seconds, player.moves = 0.0, 0
            outcomes = played(
                config, player, opponent, numbers, match.seed, match.openings, len(numbers), watch=self.watch
            )
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


def chunked(first: int, count: int, size: int) -> list[range]:
    """Split the numbers of games into chunks."""
    return [range(begin, min(begin + size, first + count)) for begin in range(first, first + count, size)]


def contest(
    arena: Arena,
    match: Match,
    most: int,
    batch: int,
    enough: Callable[[list[Outcome]], bool] | None = None,
    ahead: int = 1,
) -> Iterator[Played]:
    """Play games of a match until a rule says that there are enough, or until `most` games.

    Args:
        arena: where to play.
        match: what to play.
        most: number of games at which the match ends.
        batch: number of games that are played side by side.
        enough: called with all outcomes after each round; None plays `most` games.
        ahead: number of batches in a round.
    """
    # Whole pairs: the two games of a pair count together.
    chunks = chunked(0, most, batch if match.opponent is None else batch + batch % 2)
    size = len(chunks) if enough is None else ahead
    outcomes: list[Outcome] = []
    for begin in range(0, len(chunks), size):
        for part in arena.play(match, chunks[begin : begin + size]):
            outcomes += part.outcomes
            yield part
        if enough is not None and enough(outcomes):
            return

"""Numbered games between two players, or of a single agent; a game's moves do not depend on the rest of the batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from muzero.interfaces import RESIGN, Games, Moves, Player, PlayerError, Positions, Timestep
from muzero.util.seeds import derive, derive_short

ATTEMPTS = 100  # to find an opening that does not end the game
Openings = tuple[int, int]  # fewest and most random plies


class Outcome(NamedTuple):
    """One finished game.  Games 2k and 2k + 1 against an opponent begin alike, with the seats exchanged."""

    score: float  # to the player under test
    seat: int  # of the player under test; 0 moves first
    steps: int
    number: int = 0
    opening: int = 0  # random plies that it began with
    actions: tuple[int, ...] = ()  # all of the game, where there is an opponent
    resigned: bool = False


Watch = Callable[
    [Sequence[Outcome]], None
]  # called after every step with the finished games; may raise to end the play


def play(
    games: Games,
    player: Player,
    opponent: Player | None,
    numbers: Sequence[int],
    seed: int,
    openings: Openings = (0, 0),
    watch: Watch = lambda finished: None,
) -> list[Outcome]:
    """Play the games of these numbers to the end.

    Args:
        games: a batch of at least as many games as there are numbers.
        player: the player under test.
        opponent: the other player; None in games of a single agent.
        numbers: of the games; against an opponent, the player under test moves first in games of even number.
        seed: all randomness of a game follows from the seed and the game's number.
        openings: fewest and most uniformly random moves that a game begins with.
        watch: shows progress, or raises to end the play.

    Returns:
        outcomes in the order of the numbers.

    Raises:
        PlayerError: if a player cannot play, or every opening of that length ends the game.
        EnvironmentFault: if too many games of an environment break in a row.
    """
    table = Table(games, [player, *([] if opponent is None else [opponent])], numbers, seed, openings)
    while not table.done.all():
        table.step()
        watch(table.finished())
    return table.finished()


def distinct(outcomes: Iterable[Outcome]) -> int:
    """Number of games that differ in their moves or in who made them, of games against an opponent."""
    return len({(outcome.seat, outcome.actions) for outcome in outcomes})


class _Side:
    """A player at a table, and what it remembers of the games there."""

    def __init__(self, player: Player, batch: int) -> None:
        self.player, self.memory = player, player.start(batch)
        self.fresh = np.ones(batch, bool)  # the player has not moved in the slot's game

    def act(self, positions: Positions) -> np.ndarray:
        """The player's actions."""
        moves, self.memory = self.player.act(positions, self.memory)
        self.fresh[positions.slots] = False
        return moves.action


class Table:
    """A batch of games in lock step; each slot plays one of the numbered games."""

    def __init__(
        self, games: Games, players: Sequence[Player], numbers: Sequence[int], seed: int, openings: Openings
    ) -> None:
        """players: the player under test and, in games for two, its opponent."""
        batch, count, two = games.batch, len(numbers), len(players) == 2
        self.games, self.space, self.two, self.openings = games, games.spec.actions, two, openings
        self.sides = [_Side(player, batch) for player in players]
        self.numbers = np.array([*numbers, *[0] * (batch - count)], np.int64)
        self.seat = self.numbers % 2 if two else np.zeros(batch, np.int64)
        self.done = np.arange(batch) >= count
        self.outcomes: list[Outcome | None] = [None] * batch
        self.game_seeds = [derive(seed, "game of a match", number // 2 if two else number) for number in self.numbers]
        self.seeds = [derive(seed, "moves of a match", number) for number in self.numbers]
        self.attempt = np.zeros(batch, np.int64)
        self.turn, self.score, self.steps = (np.zeros(batch, kind) for kind in (np.int64, np.float64, np.int64))
        self.forced: list[list[float]] = [[]] * batch  # numbers in [0, 1) that choose the moves of the opening
        self.action = self.space.none(batch)  # the last one
        self.actions: list[list[int]] = [[] for _ in range(batch)]
        self.now: Timestep = games.reset(np.array(self.game_seeds, np.int64))
        for slot in range(batch):
            self._begin(slot)

    def finished(self) -> list[Outcome]:
        """The finished games, in the order of their numbers as given."""
        return [outcome for outcome in self.outcomes if outcome is not None]

    def _begin(self, slot: int) -> None:
        """Start the slot's game, or start it again from its first position."""
        self.turn[slot] = self.score[slot] = self.steps[slot] = 0
        self.actions[slot] = []
        for side in self.sides:
            side.fresh[slot] = True
        rng = np.random.default_rng(derive(self.game_seeds[slot], "opening", self.attempt[slot]))
        self.forced[slot] = rng.random(rng.integers(self.openings[0], self.openings[1] + 1)).tolist()

    def step(self) -> None:
        """Make one move in every game that is not finished."""
        running = ~self.done & ~(self.now.last & ~self.now.first)
        action = self._choose(running)
        for slot in np.flatnonzero(running & self._resigned(action)).tolist():
            self._resign(slot)
        running &= ~self.done
        moved = self.space.pick(self.now.legal, np.zeros(len(running)))  # any legal ones, where no game is played
        moved[running] = action[running]
        self.action = moved
        self.now = now = self.games.step(moved)
        mine = running & (self.turn == self.seat)
        self.score += np.where(mine, now.reward, np.where(running, -now.reward, 0))
        self.steps += running
        self.turn = np.where(running & (now.discount < 0), 1 - self.turn, self.turn)
        for slot in np.flatnonzero(running).tolist():
            if self.two:
                self.actions[slot].append(int(moved[slot]))
            if now.last[slot] and not now.first[slot]:
                self._finish(slot)
        for slot in np.flatnonzero(now.first & ~self.done).tolist():  # the opening ended the game, or a fault did
            self._begin(slot)

    def _choose(self, running: np.ndarray) -> np.ndarray:
        action = self.space.none(self.games.batch)
        opening = np.array([steps < len(forced) for steps, forced in zip(self.steps, self.forced, strict=True)])
        if (rows := running & opening).any():
            share = np.array([self.forced[slot][self.steps[slot]] for slot in np.flatnonzero(rows)])
            action[rows] = self.space.pick(self.now.legal[rows], share)
        for number, side in enumerate(self.sides):
            rows = running & ~opening & ((self.turn == self.seat) == (number == 0))
            if rows.any():
                action[rows] = side.act(self._positions(rows, side.fresh[rows]))
        return action

    def _positions(self, rows: np.ndarray, first: np.ndarray) -> Positions:
        slots = np.flatnonzero(rows)
        seeds = [derive_short(self.seeds[slot], "move", self.steps[slot]) for slot in slots.tolist()]
        action = self.action[rows]
        action[first] = self.space.none()
        return Positions(
            observation=self.now.observation[rows],
            legal=self.now.legal[rows],
            seed=np.array(seeds, np.int64),
            rules=self.games.rules(slots.tolist()),
            actions=self.space,
            first=first,
            action=action,
            slots=slots,
        )

    def _resigned(self, action: np.ndarray) -> np.ndarray:
        """[B] bool, where a player gave its game up; -1 has this meaning only among numbers of listed actions."""
        return action == RESIGN if self.space.columns else np.zeros(len(action), bool)

    def _finish(self, slot: int) -> None:
        if self.steps[slot] <= len(self.forced[slot]):
            self.attempt[slot] += 1
            if self.attempt[slot] == ATTEMPTS:
                low, high = self.openings
                raise PlayerError(
                    f"{self.games.spec.name} is over within openings of {low} to {high} moves; ask for fewer"
                )
            return
        self._note(slot, float(self.score[slot]), False)

    def _resign(self, slot: int) -> None:
        """Finish a game whose player to move resigned: that player gets the lowest return of the game."""
        least = self.games.spec.returns[0] if self.games.spec.returns else -1.0
        self._note(slot, least if self.turn[slot] == self.seat[slot] else -least, True)

    def _note(self, slot: int, score: float, resigned: bool) -> None:
        self.done[slot] = True
        self.outcomes[slot] = Outcome(
            score,
            int(self.seat[slot]),
            int(self.steps[slot]),
            int(self.numbers[slot]),
            len(self.forced[slot]),
            tuple(self.actions[slot]),
            resigned,
        )


class Timed(Player):
    """A player with a clock: counts its moves and the seconds that it thinks."""

    def __init__(self, player: Player) -> None:
        self.player, self.seconds, self.moves = player, 0.0, 0
        self.title = player.title

    def start(self, batch: int) -> Any:
        return self.player.start(batch)

    def act(self, positions: Positions, memory: Any) -> tuple[Moves, Any]:
        """Choose moves as the player does, and count them and the time."""
        began = time.perf_counter()
        moves, memory = self.player.act(positions, memory)
        self.seconds += time.perf_counter() - began
        self.moves += len(moves.action)
        return moves, memory

    def close(self) -> None:
        """Close the player, which may end an engine's process."""
        self.player.close()

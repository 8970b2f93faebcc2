"""A person and an agent at one board: who is to move, moves taken back, resigning, and the result."""

from __future__ import annotations

import math

import numpy as np

from muzero.interactive.live_game import LiveGame
from muzero.interactive.strength import Set, choose
from muzero.play.match import Outcome


class Duel:
    """One game of two players, at a time.  The person has a seat, the agent the other."""

    def __init__(self, player: Set, seed: int = 0) -> None:
        """Sit down; `begin` starts a game.

        Args:
            player: the agent.
            seed: of what it draws, and of the chance in the games themselves.
        """
        self.player = player
        self.game = LiveGame(player.agent)
        self.start = self.game.rules  # the first position; None if the rules cannot be consulted
        self._rng, self._starts = np.random.default_rng(seed), np.random.default_rng([seed, 1])
        self.begin(0)

    def begin(self, seat: int) -> None:
        """Begin a game.  seat: of the person; 0 moves first."""
        self.seat = seat
        self.resigned = False  # by the person
        self._movers: list[int] = []
        self.game.restart(int(self._starts.integers(2**31)))
        self._boards = [self.board]

    @property
    def board(self) -> str | None:
        """The drawing of the position; None if the rules cannot be consulted."""
        rules = self.game.rules
        return None if rules is None else rules.draw()

    @property
    def board_before(self) -> str | None:
        """The drawing before the last move; of a game without moves, that of its beginning."""
        return self._boards[max(len(self._boards) - 2, 0)]

    @property
    def over(self) -> bool:
        """Whether the game has ended, by its rules or because the person resigned."""
        return self.resigned or self.game.over

    @property
    def mine(self) -> bool:
        """Whether the person is to move."""
        return not self.over and self.game.to_move == self.seat

    @property
    def score(self) -> float:
        """The result for the person; NaN of a game that has not ended."""
        if not self.over:
            return math.nan
        if self.resigned:
            returns = self.game.spec.returns
            return returns[0] if returns else -1.0
        return self.game.score if self.seat == 0 else -self.game.score

    def side(self, seat: int) -> str:
        """What the player of a seat is called, or its pieces look like."""
        if self.start is None:
            return ("the first player", "the second player")[seat]
        first = self.start.to_move
        return self.start.player(first if seat == 0 else 1 - first)

    def play(self, action: int) -> str:
        """Make a move of the player to move; returns its name.

        Raises:
            ValueError: if it is not legal.
        """
        mover = self.game.to_move
        self.game.play(action)
        self._movers.append(mover)
        self._boards.append(self.board)
        return self.game.played[-1]

    def answer(self) -> str:
        """Make the agent's move; returns its name."""
        return self.play(int(choose(self.game.think(), self.player.temperature, self._rng)))

    def undo(self) -> int:
        """Take back the person's last move and what followed; returns the number of moves, 0 if there is none.

        A person who resigned takes back that alone.
        """
        if self.resigned:
            self.resigned = False
            return 0
        last = next((ply for ply in range(len(self._movers))[::-1] if self._movers[ply] == self.seat), None)
        return 0 if last is None else self._back(len(self._movers) - last)

    def _back(self, count: int) -> int:
        self.game.take_back(count)
        del self._movers[-count:], self._boards[-count:]
        return count

    def outcome(self, number: int) -> Outcome:
        """The game as a record, from the person's side; its score is NaN if it has not ended."""
        actions = tuple(int(action) for action in self.game.actions)
        return Outcome(self.score, self.seat, len(actions), number, 0, actions, self.resigned)

    def close(self) -> None:
        """Release what the game holds."""
        self.game.close()

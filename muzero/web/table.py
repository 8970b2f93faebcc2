"""A table: one game between people and an agent, as the page shows it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from muzero.games.endings import ending
from muzero.interactive.boards import last_squares
from muzero.interactive.live_game import LiveGame
from muzero.interactive.strength import Set, choose
from muzero.interactive.thoughts import Thoughts, think
from muzero.interfaces import Rules
from muzero.web.boards import board, player
from muzero.web.guard import Refusal
from muzero.web.images import png
from muzero.web.words import described, node

KEPT = 6  # positions of a game whose search trees are kept
MOST_PLAYED = 300  # last moves that the page lists
MOST_VALUES = 300  # points of the chart
CHANGED = "the game has changed meanwhile"


class Table:
    """One game.  Its methods are called by several threads; those that search wait for their turn, the others do not.

    A request names the revision of the game that it means, so that a click on what has just changed does nothing.
    """

    def __init__(self, player: Set, people: Collection[int], seed: int, searching: threading.Lock) -> None:
        """Begin a game.

        Args:
            player: the agent at its strength.
            people: seats of people, of 0 and 1; the agent has the others.
            seed: of the game's own randomness, and of moves that the agent draws.
            searching: held while an agent thinks: searches of one model do not run side by side.
        """
        self._searching, self._lock = searching, threading.RLock()
        self._rng = np.random.default_rng(seed)
        self.live = LiveGame(player.agent, seed, frames=True)
        self.revision = 0
        self._framed = self.live.rules is None and self.live.frame is not None
        self._first = 0 if self.live.rules is None else self.live.rules.to_move
        self._positions: list[Rules | None] = [self.live.rules]
        self._movers: list[int] = []
        self._values: dict[int, float] = {}  # of positions by their ply, for the player who moves first
        self._thoughts: dict[int, Thoughts] = {}
        self.seat(people, player)

    def seat(self, people: Collection[int], player: Set) -> None:
        """Change who plays and how strong the agent is."""
        with self._lock:
            self.people, self.player = sorted(set(people)), player
            self._forget(self.ply)
            self.revision += 1

    @property
    def ply(self) -> int:
        """Moves played so far."""
        return len(self.live.actions)

    def play(self, revision: int, action: int) -> None:
        """Make the move of a person."""
        with self._lock:
            self._require(revision)
            if self.live.to_move not in self.people:
                raise Refusal(409, "it is the agent's turn")
            if action not in self.live.legal:
                raise Refusal(409, f"move {action} is not legal here")
            self._make(action)

    def move(self, revision: int) -> None:
        """Let the agent think and move, for whom ever it is to move."""
        thoughts = self._think(revision)
        with self._lock:
            self._require(revision)
            self._make(choose(thoughts, self.player.temperature, self._rng))

    def think(self, revision: int) -> None:
        """Let the agent think about the position."""
        self._think(revision)
        with self._lock:
            self._require(revision)

    def take_back(self, revision: int) -> None:
        """Take back moves until a person is to move again, or one where the agent plays alone."""
        with self._lock:
            self._require(revision)
            count = next(
                (back for back, mover in enumerate(reversed(self._movers), 1) if mover in self.people),
                0 if self.people else min(1, self.ply),
            )
            if not count:
                raise Refusal(409, "there is no move of yours to take back")
            self.live.take_back(count)
            del self._movers[self.ply :], self._positions[self.ply + 1 :]
            self._forget(self.ply + 1)
            self.revision += 1

    def _require(self, revision: int) -> None:
        if revision != self.revision:
            raise Refusal(409, CHANGED)

    def _think(self, revision: int) -> Thoughts:
        """What the agent thinks of the present position, by a search unless that is known."""
        with self._lock:
            self._require(revision)
            if self.live.over:
                raise Refusal(409, "the game is over")
            ply, agent, now, rules = self.ply, self.player.agent, self.live.now, self.live.rules
            if ply in self._thoughts:
                return self._thoughts[ply]
        with self._searching:
            self._require(revision)  # it may have waited for its turn
            thoughts = think(agent, now.observation, now.legal, rules)
        with self._lock:
            if revision == self.revision:
                self._thoughts[ply] = thoughts
                self._values[ply] = -thoughts.value if self.live.to_move else thoughts.value
                for old in sorted(self._thoughts)[:-KEPT]:
                    del self._thoughts[old]
        return thoughts

    def _make(self, action: int | np.ndarray) -> None:
        mover = self.live.to_move
        self.live.play(action)
        self._movers.append(mover)
        self._positions.append(self.live.rules)
        self.revision += 1

    def _forget(self, ply: int) -> None:
        """Forget what was thought of positions from this ply on."""
        for known in (self._values, self._thoughts):
            for each in [each for each in known if each >= ply]:
                del known[each]

    def state(self) -> dict[str, Any]:
        """Everything that the page shows of the game, as plain values."""
        with self._lock:
            live, ply = self.live, self.ply
            known = max(self._thoughts, default=None)
            return {
                "revision": self.revision,
                "ply": ply,
                "people": self.people,
                "strength": self.player.words,
                "over": live.over,
                "toMove": live.to_move,
                "yours": live.to_move in self.people and not live.over,
                "players": [self.name(0), self.name(1)] if live.spec.two_player else [],
                "words": self.outcome() if live.over else "",
                "score": live.score,
                "reward": live.rewards[-1] if live.rewards else 0.0,
                "played": live.played[-MOST_PLAYED:],
                "from": max(0, ply - MOST_PLAYED),
                "legal": [{"action": action, "name": name} for action, name in live.legal.items()],
                "values": thinned(sorted(self._values.items())),
                "kept": sorted(self._thoughts),
                "frame": self._framed,
                **self.position(ply),
                "thoughts": None if known is None else described(self._thoughts[known], known),
            }

    def position(self, ply: int) -> dict[str, Any]:
        """The board, or a text in its place, after `ply` moves, and what the agent thought there if that is kept."""
        with self._lock:
            if not 0 <= ply <= self.ply:
                raise Refusal(404, f"the game has no position after {ply} moves")
            rules = self._positions[ply]
            seen = board(rules)
            before = self._positions[ply - 1] if ply else None
            last = last_squares(before, rules) if before is not None and rules is not None else []
            text = None if seen is not None else self._text(rules)
            thoughts = self._thoughts.get(ply)
            return {
                "board": seen,
                "text": text,
                "last": last,
                "thoughts": None if thoughts is None else described(thoughts, ply),
            }

    def _text(self, rules: Rules | None) -> str:
        if rules is not None:
            return rules.draw()
        seen = self.live.now.observation[0]
        return " ".join(f"{number:.4g}" for number in seen.flat) if seen.size <= 64 else ""

    def node(self, ply: int, index: int) -> dict[str, Any]:
        """A node of the search tree of the position after `ply` moves, with its children."""
        with self._lock:
            found = node(self._thoughts[ply], index) if ply in self._thoughts else None
        if found is None:
            raise Refusal(404, "this part of the search tree is not kept any more")
        return found

    def picture(self) -> bytes:
        """The frame that the environment shows, as PNG."""
        with self._lock:
            shown = self.live.frame if self._framed else None
        if shown is None:
            raise Refusal(404, f"{self.live.spec.name} shows no picture")
        return png(shown)

    def name(self, seat: int) -> str:
        """What the player of a seat is called."""
        rules = self._positions[0]
        if rules is None:
            return ("first player", "second player")[seat]
        return player(rules, self._first if seat == 0 else 1 - self._first)

    def outcome(self) -> str:
        """How the game ended, in words."""
        live, score = self.live, self.live.score
        noun = "move" if live.spec.two_player else "step"
        after = f"after {self.ply} {noun}{'s' * (self.ply != 1)}"
        if not live.spec.two_player:
            cut = " (cut at its limit)" if live.now.truncated[0] else ""
            return f"Over {after}{cut}: score {score:g}."
        how = "" if live.rules is None or live.now.truncated[0] else ending(live.rules)
        how = f": {how}" if how else ""
        if score == 0:
            return f"Draw {after}{how}."
        winner = 0 if score > 0 else 1
        if len(self.people) == 1:
            return f"You {'win' if winner in self.people else 'lose'} {after}{how}."
        return f"{self.name(winner)} wins {after}{how}."

    def close(self) -> None:
        """Release what the game holds."""
        with self._lock:
            self.revision += 1
            self.live.close()


def thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most about `MOST_VALUES` of the points, the last among them."""
    step = 1 + len(points) // MOST_VALUES
    return [*points[:-1:step], *points[-1:]]

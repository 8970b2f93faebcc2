"""The tables of a server: as many games as there are tabs, up to a limit."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Collection

from muzero.interactive.strength import MOST, STRENGTHS, Set, at_strength
from muzero.planners.searching import TreePlanner
from muzero.web.guard import Refusal
from muzero.web.table import Table

MOST_TABLES = 8
TREE_BYTES = 2**24  # of the largest search tree: 8 bytes for each action of each node


class Tables:
    """Games by their names, which are random: a tab knows its own alone."""

    def __init__(self, player: Set) -> None:
        """player: the agent at the strength that it has where nothing else is asked for."""
        self.player, self.agent = player, player.agent.limited(None)
        self._tables: OrderedDict[str, Table] = OrderedDict()  # the least recently used first
        self._lock, self._searching = threading.Lock(), threading.Lock()

    @property
    def trained(self) -> int:
        """Simulations of the agent as it was trained; 0 where it does not search."""
        planner = self.agent.player.planner
        return planner.simulations if isinstance(planner, TreePlanner) else 0

    @property
    def most(self) -> int:
        """The most simulations that can be asked for."""
        planner = self.agent.player.planner
        if not isinstance(planner, TreePlanner):
            return 0
        fitting = TREE_BYTES // (8 * planner.edges(self.agent.spec.actions))
        return max(self.trained, min(MOST, fitting))

    @property
    def strengths(self) -> dict[str, str]:
        """The strengths that this agent can have, in words."""
        able = [name for name, strength in STRENGTHS.items() if self.trained or strength.share in (0, 1)]
        return {name: STRENGTHS[name].words for name in able}

    def begin(self, people: Collection[int], player: Set, seed: int, replaced: str | None) -> str:
        """Begin a game; returns its name.

        Args:
            people: seats of people, see `check`.
            player: the agent, see `strong`.
            seed: of the game's own randomness.
            replaced: the name of a game that ends, if there is one of this name.
        """
        self.check(people)
        with self._lock:
            old = [self._tables.pop(replaced)] if replaced in self._tables else []
            while len(self._tables) >= MOST_TABLES:
                old.append(self._tables.popitem(last=False)[1])
            for table in old:
                table.close()
            name = secrets.token_urlsafe(12)
            self._tables[name] = Table(player, people, seed, self._searching)
        return name

    def check(self, people: Collection[int]) -> None:
        """Refuse seats that there are not."""
        seats = (0, 1) if self.agent.spec.two_player else (0,)
        if not set(people) <= set(seats if self.agent.spec.actions.columns else ()):
            raise Refusal(400, f"a person cannot sit at {sorted(people)}; the seats are {list(seats)}")

    def strong(self, name: str | None, simulations: int | None) -> Set:
        """The agent at a strength.

        Args:
            name: one of `strengths`; None: as the server was started.
            simulations: of each search in its place.
        """
        if simulations is not None and not 0 <= simulations <= self.most:
            raise Refusal(400, f"{simulations} simulations; expected 0 to {self.most:,}")
        if name is not None and name not in self.strengths:
            raise Refusal(400, f"there is no such strength; expected {', '.join(self.strengths)}")
        if name is None and simulations is None:
            return self.player
        return at_strength(self.agent, name, simulations)

    def get(self, name: str) -> Table:
        """The game of that name."""
        with self._lock:
            if name not in self._tables:
                raise Refusal(404, "this game is not kept any more: too many were begun after it; begin another")
            self._tables.move_to_end(name)
            return self._tables[name]

    def end(self, name: str) -> None:
        """End a game."""
        with self._lock:
            if name in self._tables:
                self._tables.pop(name).close()

    def close(self) -> None:
        """End all games."""
        with self._lock:
            while self._tables:
                self._tables.popitem()[1].close()

"""A person at the terminal."""

from __future__ import annotations

import numpy as np

from muzero.games.coordinates import marked
from muzero.games.notation import Typed
from muzero.interfaces import RESIGN, MemorylessPlayer, Moves, PlayerError, Positions, Rules
from muzero.util.text import escaped

LEAVE = ("resign", "quit", "q")


class HumanPlayer(MemorylessPlayer):
    """Shows the position and asks for a move, by its number or by the game's own name for it."""

    title = "human"

    def __init__(self) -> None:
        self._start: Rules | None = None
        self._seen = 0  # moves of the game that were shown, or made here

    def begin(self, start: Rules | None) -> None:
        """A new game begins.  start: its first position; None if the rules cannot be consulted."""
        self._start, self._seen = start, 0

    def choose(self, positions: Positions) -> Moves:
        """Ask for a move in each position, one after the other.

        Raises:
            PlayerError: if actions cannot be listed.
        """
        space = positions.actions
        if not space.columns:
            raise PlayerError(f"human chooses from a list, and this game has {space.describe()}, which no list holds")
        known = positions.rules or [None] * len(positions.legal)
        actions = [
            self._ask(rules, observation, {action: space.name(action) for action in np.flatnonzero(legal).tolist()})
            for rules, observation, legal in zip(known, positions.observation, positions.legal, strict=True)
        ]
        return Moves(np.array(actions, np.int64), np.full(len(actions), np.nan, np.float32))

    def _ask(self, rules: Rules | None, observation: np.ndarray, named: dict[int, str]) -> int:
        """Ask until a move is given.  named: the legal actions, as the space calls them."""
        print()
        if rules is not None:
            self.show(rules)
            self._seen = len(rules.history) + 1  # with the move that is asked for
            named = {action: rules.name(action) for action in named}
        else:
            print(observation)
        typed = Typed(named, rules)
        print(f"moves: {typed.listed()}")
        while True:
            try:
                text = input("your move, or resign: ").strip()
            except EOFError:
                print("resign")
                return RESIGN
            action = typed.action(text)
            if action is not None:
                return action
            if text.lower() in LEAVE:
                return RESIGN
            close = typed.near(text)
            print(f"'{escaped(text)}' is not a legal move" + (f"; did you mean {close}?" if close else ""))

    def show(self, rules: Rules) -> None:
        """Show the moves since the last time, and the board."""
        if self._start is not None and len(rules.history) > self._seen:
            position, names, before = self._start, [], ""
            for action in rules.history:
                names.append(position.name(action))
                before, position = position.draw(), position.child(action)
            print(f"last move: {' '.join(names[self._seen :])}")
            print(marked(before, rules.draw()))
        else:
            print(rules.draw())

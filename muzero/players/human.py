"""A person at the terminal."""

from __future__ import annotations

from typing import Any

import numpy as np

from muzero.interfaces import RESIGN, Moves, Positions
from muzero.util.text import nearest

LEAVE = ("resign", "quit", "q")


class HumanPlayer:
    """Shows the position and asks for a move, by number or, in board games, by name."""

    title = "human"

    def act(self, positions: Positions) -> Moves:
        states = positions.states or [None] * len(positions.legal)
        actions = [
            self._ask(state, observation, np.flatnonzero(legal).tolist())
            for state, observation, legal in zip(states, positions.observation, positions.legal, strict=True)
        ]
        return Moves(np.array(actions, np.int64), np.full(len(actions), np.nan, np.float32))

    def _ask(self, state: Any, observation: np.ndarray, legal: list[int]) -> int:
        names = {str(action): action for action in legal}
        if state is not None:
            names |= {state.action_to_string(action): action for action in legal}
        print(f"\n{observation if state is None else state}")
        while True:
            shown = [name for name in names if state is None or not name.isdecimal()] or list(names)
            try:
                text = input(f"your move ({', '.join(shown[:30])}{', ...' * (len(shown) > 30)}; or resign): ").strip()
            except EOFError:
                return RESIGN
            if text in names:
                return names[text]
            if text.lower() in LEAVE:
                return RESIGN
            close = nearest(text, names)
            print(f"{text!r} is no legal move" + (f"; did you mean {close[0]}?" if close else ""))

    def close(self) -> None:
        """Nothing is held."""

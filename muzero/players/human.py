"""A person at the terminal."""

from __future__ import annotations

import numpy as np

from muzero.interfaces import RESIGN, Moves, Positions, Rules
from muzero.util.text import nearest

LEAVE = ("resign", "quit", "q")


class HumanPlayer:
    """Shows the position and asks for a move, by number or, in board games, by name."""

    title = "human"

    def act(self, positions: Positions) -> Moves:
        known = positions.rules or [None] * len(positions.legal)
        actions = [
            self._ask(rules, observation, np.flatnonzero(legal).tolist())
            for rules, observation, legal in zip(known, positions.observation, positions.legal, strict=True)
        ]
        return Moves(np.array(actions, np.int64), np.full(len(actions), np.nan, np.float32))

    def _ask(self, rules: Rules | None, observation: np.ndarray, legal: list[int]) -> int:
        names = {str(action): action for action in legal}
        if rules is not None:
            names |= {rules.name(action): action for action in legal}
        print(f"\n{observation if rules is None else rules.draw()}")
        while True:
            shown = [name for name in names if rules is None or not name.isdecimal()] or list(names)
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
        """Do nothing: there are no resources to release."""

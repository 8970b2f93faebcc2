"""A position of a game that a person names by its moves, and what its moves are called."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from muzero.actions import Space
from muzero.config import ConfigError
from muzero.interfaces import Games, Rules
from muzero.search import Tree
from muzero.util.text import nearest

LISTED = 30  # legal moves that an error names
SMALL = 16  # numbers of an observation that are worth printing


class Position:
    """One game, played from its start to the position that the moves lead to."""

    def __init__(self, games: Games, seed: int, moves: str = "") -> None:
        """Play the moves.

        Args:
            games: a batch of one.
            seed: of the game's own randomness.
            moves: actions by number or, where the rules name them, by name, with spaces in between.

        Raises:
            ConfigError: if a move is not legal, or the game is over at the end.
        """
        self._games, self._space = games, games.spec.actions
        self.now = games.reset(np.array([seed]))
        self.played: list[str] = []
        waiting = " ".join(moves.split())
        while waiting:
            action, waiting = self._next(waiting)
            self.played.append(action_name(self.rules, self._space, action))
            self.now = games.step(np.array([action]))
            if self.now.last[0]:
                raise ConfigError(
                    [f"--moves: the game is over after move {len(self.played)}, {self.played[-1]}; give fewer moves"]
                )

    @property
    def rules(self) -> Rules | None:
        """The position as the rules have it; None if they cannot be consulted."""
        found = self._games.rules([0])
        return found[0] if found else None

    @property
    def text(self) -> str:
        """The position for a person."""
        if self.rules is not None:
            return self.rules.draw()
        seen = self.now.observation[0]
        numbers = f" [{' '.join(f'{number:.4g}' for number in seen.flat)}]" if seen.size <= SMALL else ""
        return f"observation {'x'.join(map(str, seen.shape))} {seen.dtype}{numbers}"

    def _next(self, text: str) -> tuple[int, str]:
        """The first move of a text, and the rest of it.  Names can hold spaces, so the longest that fits counts."""
        if not self._space.columns:
            raise ConfigError(
                [f"--moves: {self._games.spec.name} has {self._space.describe()}, which cannot be listed"]
            )
        names = {int(a): action_name(self.rules, self._space, int(a)) for a in np.flatnonzero(self.now.legal[0])}
        fitting = [action for action, name in names.items() if f"{text} ".startswith(f"{name} ")]
        if fitting:
            action = max(fitting, key=lambda each: len(names[each]))
            return action, text[len(names[action]) :].lstrip()
        word, _, rest = text.partition(" ")
        if word.isdecimal() and int(word) in names:
            return int(word), rest
        close = nearest(word, names.values())
        hint = f"; did you mean {close[0]}?" if close else ""
        # Where a name is not just the number, both may be given.
        listed = [name if name == str(action) else f"{name} ({action})" for action, name in names.items()]
        more = f" and {len(listed) - LISTED} more" if len(listed) > LISTED else ""
        raise ConfigError(
            [
                f"--moves: move {len(self.played) + 1}, {word!r}, is not legal{hint}",
                f"legal there: {', '.join(listed[:LISTED])}{more}",
            ]
        )


def action_name(rules: Rules | None, space: Space, action: int) -> str:
    """What an action is called in a position; its name in the space where the rules cannot be consulted."""
    return space.name(action) if rules is None else rules.name(action)


def played_name(rules: Rules | None, space: Space, action: Any) -> str:
    """What an action that was played is called, as `TreeNames` calls it."""
    return action_name(rules, space, int(action)) if space.columns else space.name(action)


class TreeNames:
    """Names of the actions in a tree.

    A model may imagine what the rules forbid: from there on actions are called as their space calls them.
    """

    def __init__(self, tree: Tree, rules: Rules | None, space: Space, row: int = 0) -> None:
        """rules: the position at the root; None where the rules cannot be consulted."""
        self._space, self._parent, self._action = space, tree.parent[row], tree.action[row]
        self._stands_for = partial(tree.action_at, row)
        self._rules: dict[int, Rules | None] = {0: rules}

    def __call__(self, node: int, action: int) -> str:
        rules, meant = self._at(node), self._stands_for(node, action)
        if rules is None or isinstance(meant, np.ndarray):
            return self._space.name(meant)
        action = meant
        if action in rules.legal():
            return rules.name(action)
        return f"{action} ({'after the end' if rules.over else 'not legal'})"

    def allowed(self, node: int, actions: Sequence[int]) -> list[int]:
        """Those of the actions that the rules allow at a node; all where they cannot be consulted."""
        rules = self._at(node)
        if rules is None:
            return list(actions)
        legal = rules.legal()
        return [action for action in actions if self._stands_for(node, action) in legal]

    def _at(self, node: int) -> Rules | None:
        """The position at a node; None where the rules do not lead there."""
        path = []
        while node not in self._rules:
            path.append(node)
            node = int(self._parent[node])
        rules = self._rules[node]
        for index in reversed(path):
            action = self._stands_for(int(self._parent[index]), int(self._action[index]))
            rules = rules.child(action) if rules is not None and action in rules.legal() else None
            self._rules[index] = rules
        return rules

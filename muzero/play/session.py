"""Games that a trained agent plays side by side, from move to move."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from muzero.games.checks import shown
from muzero.interfaces import Player
from muzero.play.reader import Reader


class Session:
    """What a player remembers of B games, so that each move follows from the game so far; see `Agent.session`."""

    def __init__(self, player: Player, reader: Reader, batch: int) -> None:
        """Begin B games.

        Args:
            player: chooses.
            reader: of the game.
            batch: B.

        Raises:
            ValueError: if the batch is not a whole number of at least 1.
        """
        if not isinstance(batch, int | np.integer) or batch < 1:
            raise ValueError(f"session: a batch of {shown(batch)}; expected a whole number of at least 1")
        self.batch = batch
        self._player, self._reader, self._space = player, reader, reader.spec.actions
        self._begun = False
        self._memory = player.start(batch)
        self._action = self._space.none(batch)  # the last ones

    def act(self, observation: Any, legal: Any = None, first: Any = None) -> np.ndarray | np.int64:
        """Choose the next action of every game.

        Args:
            observation: of all games, as of `Agent.act`; in a session of one game also without a batch.
            legal: as of `Agent.act`.
            first: a boolean for each game, or one for all: true where a new game begins.  What is remembered of the
                game before is dropped there.  Default: none; all begin at the first call.

        Returns:
            actions as the environment takes them, with a batch where the observations have one.

        Raises:
            ValueError: as `Agent.act` does, or if there are other numbers of observations or booleans than games.
                Nothing has changed then.
        """
        seen, one = self._reader.positions(observation, legal)
        if len(seen.slots) != self.batch:
            raise ValueError(f"observation: a batch of {len(seen.slots)}; this session plays {self.batch} games")
        again = self._first(first)
        before = self._action.copy()
        before[again] = self._space.none()
        moves, self._memory = self._player.act(replace(seen, first=again, action=before), self._memory)
        self._begun, self._action = True, moves.action
        chosen = self._reader.native(moves.action)
        return chosen[0] if one else chosen

    def _first(self, given: Any) -> np.ndarray:
        """[B] bool, where a new game begins."""
        try:
            first = np.asarray(False if given is None else given)
        except ValueError:  # lists of different lengths
            first = np.empty(0, object)
        if first.dtype != bool or first.shape not in ((), (self.batch,)):
            raise ValueError(
                f"first: got {shown(given)}; expected a boolean, or {self.batch} of them, one for each game"
            )
        return np.broadcast_to(first, self.batch) if self._begun else np.ones(self.batch, bool)

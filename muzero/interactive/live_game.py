"""One game that people and an agent play, from move to move, in which moves can be taken back."""

from __future__ import annotations

from contextlib import chdir
from typing import Any

import numpy as np

from muzero import build
from muzero.agent import Agent
from muzero.interactive.pictures import frame_of
from muzero.interactive.thoughts import Thoughts, think
from muzero.interfaces import Rules, Timestep
from muzero.play.position import action_name, played_name


class LiveGame:
    """A game of the kind that an agent learned, as it is evaluated: whole, rewards unclipped, no random openings.

    It knows no seats: `play` makes a move of the player to move.
    """

    def __init__(self, agent: Agent, seed: int = 0, frames: bool = False) -> None:
        """Begin a game.

        Args:
            agent: thinks in it.
            seed: of the game's own randomness.
            frames: whether `frame` will be asked for.
        """
        self.agent, self.spec, self._seed = agent, agent.spec, seed
        with chdir("."):  # an environment may change the working directory
            self._games = build.games(agent.config, 1, training=False, frames=frames)
        self._begin()

    def _begin(self) -> None:
        self.now: Timestep = self._games.reset(np.array([self._seed]))
        self.actions: list[Any] = []  # since the beginning
        self.played: list[str] = []  # the same by name
        self.rewards: list[float] = []  # each to the player who moved
        rules = self.rules
        self._first = 0 if rules is None else rules.to_move  # the number that the rules give the player who begins
        self._passed = False  # whether the second player is to move

    @property
    def rules(self) -> Rules | None:
        """The position as the rules have it; None if they cannot be consulted."""
        found = self._games.rules([0])
        return found[0] if found else None

    @property
    def frame(self) -> np.ndarray | None:
        """The environment's picture of the position, [H, W, 3] uint8; of an observation that is one, that; or None."""
        drawn = self._games.frame(0)
        return frame_of(self.now.observation[0]) if drawn is None else drawn

    @property
    def over(self) -> bool:
        """Whether the game has ended, by its rules or by a limit of its length."""
        return bool(self.now.last[0])

    @property
    def legal(self) -> dict[int, str]:
        """The legal moves by name; none at the end, and none where actions cannot be listed."""
        if self.over or not self.spec.actions.columns:
            return {}
        rules = self.rules
        return {
            int(action): action_name(rules, self.spec.actions, int(action))
            for action in np.flatnonzero(self.now.legal[0])
        }

    @property
    def to_move(self) -> int:
        """The player to move: 0 moves first, 1 second; of a game that has ended, the one who would be next."""
        return int(self._passed)

    @property
    def score(self) -> float:
        """The sum of rewards of the player who moves first; of the other in two-player games it is the opposite."""
        rules = self.rules
        if rules is not None and self.spec.two_player:
            return float(rules.returns[self._first])
        return float(sum(self.rewards))

    def think(self) -> Thoughts:
        """What the agent thinks of the position.

        Raises:
            ValueError: if the game is over, or the agent's model remembers earlier observations.
        """
        if self.over:
            raise ValueError(f"the game is over after {len(self.actions)} moves: there is nothing to think about")
        return think(self.agent, self.now.observation, self.now.legal, self.rules)

    def play(self, action: Any) -> float:
        """Make a move.

        Args:
            action: its number, or an array [*shape of an action] where actions cannot be listed.

        Returns:
            the reward, to the player who moved.

        Raises:
            ValueError: if the game is over or the action is not legal.  Nothing has changed then.
        """
        if self.over:
            raise ValueError(f"the game is over after {len(self.actions)} moves; take one back, or begin another game")
        space = self.spec.actions
        if space.columns and action not in self.legal:
            raise ValueError(f"action {action} is not legal here; legal: {', '.join(self.legal.values())}")
        name = played_name(self.rules, space, action)
        self.now = self._games.step(np.asarray(action)[None])
        self.actions.append(action)
        self.played.append(name)
        self.rewards.append(float(self.now.reward[0]))
        self._passed ^= bool(self.now.discount[0] < 0)
        return self.rewards[-1]

    def take_back(self, count: int = 1) -> None:
        """Take back the last moves: the game is played again from its seed without them.

        Raises:
            ValueError: if fewer moves were played.
        """
        if not 0 <= count <= len(self.actions):
            raise ValueError(f"take back {count} moves: {len(self.actions)} were played")
        kept = self.actions[: len(self.actions) - count]
        self.restart(self._seed)
        for action in kept:
            self.play(action)

    def restart(self, seed: int) -> None:
        """Begin another game in place of this one."""
        self._seed = seed
        self._begin()

    def close(self) -> None:
        """Release what the environment holds."""
        self._games.close()

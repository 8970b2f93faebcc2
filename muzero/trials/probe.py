"""A short probe of a game: what random play is paid, and how its games end.

It counts steps and its seeds are fixed, so that the same game always gives the same figures.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from muzero.interfaces import Games, GameSpec, Timestep

LARGE = 4096  # numbers of an observation from which a game counts as one of images, which are slow
SIDE_BY_SIDE, STEPS = 4, 1024  # games, and steps of each
SIDE_BY_SIDE_OF_IMAGES, STEPS_OF_IMAGES = 2, 256
PATIENCE = 30.0  # seconds after which an environment is too slow to be probed


@dataclass(frozen=True)
class Probe:
    """What B games showed in T steps of random play."""

    reward: np.ndarray  # [T, B] float32, to the player who moved; 0 where a new game was shown
    discount: np.ndarray  # [T, B] float32, signed as in `Timestep`
    moved: np.ndarray  # [T, B] bool; false where a step showed a new game
    ended: np.ndarray  # [T, B] bool: the game is over by its own rules
    cut: np.ndarray  # [T, B] bool: the game was cut short

    @property
    def steps(self) -> int:
        """Steps that were taken."""
        return int(self.moved.sum())

    @property
    def games(self) -> int:
        """Games that were seen to their end, or until they were cut."""
        return int((self.ended | self.cut).sum())

    @property
    def largest_reward(self) -> float:
        """The largest absolute reward."""
        return float(np.abs(self.reward).max(initial=0))

    @property
    def only_at_the_end(self) -> bool:
        """Whether rewards other than 0 came only with the last step of a game."""
        return bool(self.ended.any() and not (self.reward[~self.ended]).any() and self.reward.any())

    @property
    def all_ended(self) -> bool:
        """Whether every game that was seen to its end ended by its own rules."""
        return bool(self.ended.any() and not self.cut.any())

    @property
    def longest_game(self) -> int:
        """Steps of the longest game, also of one that the probe left unfinished."""
        length, longest = np.zeros(self.moved.shape[1], np.int64), 0
        for moved in self.moved:
            length = np.where(moved, length + 1, 0)
            longest = max(longest, int(length.max()))
        return longest

    @property
    def silence(self) -> float:
        """Mean steps from one piece of news to the next: a reward other than the usual one, or the end of a game.

        Where there is none, the length of the longest game.
        """
        values, counts = np.unique(self.reward[self.moved], return_counts=True)
        news = self.moved & ((self.reward != values[counts.argmax()]) | self.ended)
        return self.steps / int(news.sum()) if news.any() else self.longest_game

    def largest_return(self, discount: float) -> float:
        """The largest absolute discounted return from a step, where a step is discounted by `discount`.

        What follows after the probe's last step, or after a cut, is not known and counts as 0.
        """
        signed = np.where(self.moved & ~self.cut & ~self.ended, np.sign(self.discount) * discount, 0.0)
        total, largest = np.zeros(self.reward.shape[1]), 0.0
        for reward, after in zip(self.reward[::-1].astype(np.float64), signed[::-1], strict=True):
            total = reward + after * total
            largest = max(largest, float(np.abs(total).max()))
        return largest


def size(spec: GameSpec) -> tuple[int, int]:
    """How many games are played side by side, and for how many steps."""
    if math.prod(spec.observation) > LARGE:
        return SIDE_BY_SIDE_OF_IMAGES, STEPS_OF_IMAGES
    return SIDE_BY_SIDE, STEPS


def probe(games: Games, steps: int, patience: float = PATIENCE) -> Probe | None:
    """Play at random, from the same seeds in every call.

    Args:
        games: B of them.
        steps: of each.
        patience: seconds.

    Returns:
        what was seen; None if the time is up before, since half a probe would depend on the machine.

    Raises:
        EnvironmentFault: if the environment does not work.
    """
    end, rng = time.monotonic() + patience, np.random.default_rng(0)
    now, seen = games.reset(np.arange(games.batch)), []
    for _ in range(steps):
        if time.monotonic() > end:
            return None
        now = games.step(games.spec.actions.draw(now.legal, rng))
        seen.append(_noted(now))
    return Probe(*(np.stack(column) for column in zip(*seen, strict=True)))


def _noted(now: Timestep) -> tuple[np.ndarray, ...]:
    moved = ~now.first
    return now.reward, now.discount, moved, moved & (now.discount == 0), moved & now.truncated

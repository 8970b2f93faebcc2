"""Optimal play of Pendulum-v1, by dynamic programming in its true dynamics: what regret is measured from."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from muzero.actions import Box
from muzero.interfaces import MemorylessPlayer, Moves, PlayerError, Positions

# As gymnasium's Pendulum-v1 has them.
GRAVITY, MASS, LENGTH, STEP = 10.0, 1.0, 1.0, 0.05
FASTEST, STRONGEST = 8.0, 2.0
DECISIONS = 200  # of a game


class OptimalPlayer(MemorylessPlayer):
    """Plays Pendulum-v1, with gymnasium's default gravity, as well as it can be played."""

    title = "optimal, by dynamic programming"

    def __init__(self, angles: int = 360, speeds: int = 161, torques: int = 33) -> None:
        """Choose the grid; it is solved at the first move, in seconds.

        Args:
            angles: of the grid, even.
            speeds: of the grid, odd, so that rest is one of them.
            torques: that are compared in each state, odd.
        """
        self.sizes = (angles, speeds, torques)

    def choose(self, positions: Positions) -> Moves:
        """Choose by one step of lookahead; the value is the sum of the rewards that follow.

        Raises:
            PlayerError: if the game is not Pendulum-v1.
        """
        seen = np.asarray(positions.observation, np.float64)
        if positions.actions != Box(1) or seen.shape[1:] != (3,) or not on_circle(seen[:, :2]):
            raise PlayerError("optimal plays gym/Pendulum-v1 only: it knows the dynamics of no other game")
        angle, speed = np.arctan2(seen[:, 1], seen[:, 0])[:, None], seen[:, 2][:, None]
        torque = np.linspace(-STRONGEST, STRONGEST, 4 * self.sizes[2] - 3)
        following, reward = step(angle, speed, torque)
        total = reward + interpolated(solved(*self.sizes), *following)
        best = total.argmax(1)
        return Moves((torque[best] / STRONGEST)[:, None].astype(np.float32), total.max(1).astype(np.float32))


def on_circle(points: np.ndarray) -> bool:
    """Whether points [B, 2] lie on the unit circle, as the cosine and sine of angles."""
    return bool(np.allclose((points**2).sum(1), 1, atol=1e-4))


def step(angle: np.ndarray, speed: np.ndarray, torque: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """The angle (0 is upright) and speed after a step, and its reward, as gymnasium computes them."""
    reward = -(((angle + np.pi) % (2 * np.pi) - np.pi) ** 2 + 0.1 * speed**2 + 0.001 * torque**2)
    push = 3 * GRAVITY / (2 * LENGTH) * np.sin(angle) + 3 / (MASS * LENGTH**2) * torque
    speed = np.clip(speed + push * STEP, -FASTEST, FASTEST)
    return (angle + speed * STEP, speed), reward


class Corners(NamedTuple):
    """Where states lie between four points of a grid: indices into the flat grid, and their weights."""

    place: np.ndarray  # [4, ...] int32
    weight: np.ndarray  # [4, ...] float32, which add up to 1

    def of(self, table: np.ndarray) -> np.ndarray:
        """Numbers of a flat table, interpolated."""
        found = self.weight[0] * table[self.place[0]]
        for place, weight in zip(self.place[1:], self.weight[1:], strict=True):
            found += weight * table[place]
        return found


def corners(sizes: tuple[int, int], angle: np.ndarray, speed: np.ndarray) -> Corners:
    """The points of a grid around states.  sizes: angles, which form a circle, and speeds."""
    angles, speeds = sizes
    across = (angle + np.pi) / (2 * np.pi) * angles
    along = (speed + FASTEST) / (2 * FASTEST) * (speeds - 1)
    row, column = np.floor(across).astype(np.int64), np.clip(np.floor(along).astype(np.int64), 0, speeds - 2)
    right, above = across - row, along - column
    rows, columns = (row % angles, (row + 1) % angles), (column, column + 1)
    place = [one * speeds + two for one in rows for two in columns]
    weight = [one * two for one in (1 - right, right) for two in (1 - above, above)]
    return Corners(np.stack(place).astype(np.int32), np.stack(weight).astype(np.float32))


def interpolated(table: np.ndarray, angle: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Values of a table [angles, speeds] at states."""
    return corners(table.shape, angle, speed).of(table.ravel())  # type: ignore[arg-type]


@functools.lru_cache(maxsize=2)
def solved(angles: int, speeds: int, torques: int) -> np.ndarray:
    """[angles, speeds] the best sum of rewards from each state on, by value iteration over a whole game.

    A pendulum that stands is not paid, so long before the start of a game the best sum no longer depends on the time
    that is left, and one table serves all steps.
    """
    angle = (np.arange(angles) / angles * 2 * np.pi - np.pi)[:, None, None]
    speed = np.linspace(-FASTEST, FASTEST, speeds)[None, :, None]
    following, reward = step(angle, speed, np.linspace(-STRONGEST, STRONGEST, torques))
    around, reward = corners((angles, speeds), *following), reward.astype(np.float32)
    table = np.zeros((angles, speeds), np.float32)
    for _ in range(DECISIONS):
        before, table = table, (reward + around.of(table.ravel())).max(2)
        if np.abs(table - before).max() < 1e-3:
            break
    return table

"""Ratings of a pool of players from the games between them (Bradley and Terry 1952)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from muzero.evaluation.intervals import Z

SCALE = 400 / math.log(10)  # Elo for a unit of log odds
PRIOR = 1.0  # drawn games that are added to each pair of players who met: keeps ratings finite
ROUNDS = 100  # most steps of Newton's method


@dataclass(frozen=True)
class Ratings:
    """Elo of P players, relative to the first."""

    elo: np.ndarray  # [P]
    covariance: np.ndarray  # [P, P] of the Elo

    def interval(self, player: int) -> tuple[float, float]:
        """95 % interval of the Elo of a player, relative to the first."""
        half = Z * math.sqrt(self.covariance[player, player])
        return float(self.elo[player]) - half, float(self.elo[player]) + half


def rate(points: np.ndarray, games: np.ndarray) -> Ratings:
    """Most likely ratings; a draw counts as half a win for each player.

    With P = sigmoid(r_i - r_j) the probability that i beats j, the log likelihood is concave; the intervals come from
    its curvature at the maximum.

    Args:
        points: [P, P] points that the player of the row won against that of the column.
        games: [P, P] games between them; symmetric.

    Raises:
        ValueError: if the players form groups that never met.
    """
    met = games > 0
    np.fill_diagonal(met, False)
    _require_connected(met)
    count, points = games + PRIOR * met, points + PRIOR / 2 * met
    free = slice(1, None)  # the first is fixed at 0
    ratings = np.zeros(len(games))
    for _ in range(ROUNDS):
        expected = 1 / (1 + np.exp(ratings[None, :] - ratings[:, None]))
        gradient = (points - count * expected).sum(1)[free]
        curvature = _laplacian(count * expected * (1 - expected))[free, free]
        step = np.linalg.solve(curvature, gradient) if len(gradient) else gradient
        ratings[free] += np.clip(step, -1, 1)  # far from the maximum a full step overshoots
        if np.abs(step).max(initial=0) < 1e-10:
            break
    expected = 1 / (1 + np.exp(ratings[None, :] - ratings[:, None]))
    covariance = np.zeros_like(points)
    covariance[free, free] = np.linalg.inv(_laplacian(count * expected * (1 - expected))[free, free])
    return Ratings(ratings * SCALE, covariance * SCALE**2)


def _laplacian(weights: np.ndarray) -> np.ndarray:
    return np.diag(weights.sum(1)) - weights


def _require_connected(met: np.ndarray) -> None:
    reached, waiting = {0}, [0]
    while waiting:
        new = [int(other) for other in np.flatnonzero(met[waiting.pop()]) if int(other) not in reached]
        reached.update(new)
        waiting += new
    if len(reached) < len(met):
        alone = sorted(set(range(len(met))) - reached)
        raise ValueError(f"players {alone} never met the others, directly or through others: they cannot be compared")

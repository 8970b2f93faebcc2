"""Confidence intervals, Elo and stopping rules from the results of games."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np

from muzero.play.match import Outcome, distinct

Z = NormalDist().inv_cdf(0.975)
Interval = tuple[float, float]


def wilson(share: float, count: float) -> Interval:
    """95 % interval of a probability (Wilson 1927).

    Args:
        share: successes per trial, in [0, 1].
        count: number of trials.
    """
    if count <= 0:
        return 0.0, 1.0
    centre = (share + Z * Z / (2 * count)) / (1 + Z * Z / count)
    half = Z / (1 + Z * Z / count) * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    low = 0.0 if share <= 0 else max(centre - half, 0.0)
    return low, 1.0 if share >= 1 else min(centre + half, 1.0)


def elo(share: float) -> float:
    """The difference in rating at which a player is expected to win this share of the points; infinite at 0 and 1."""
    if not 0 < share < 1:
        return math.inf if share >= 1 else -math.inf
    return -400 * math.log10(1 / share - 1)


def share_of(difference: float) -> float:
    """The expected share of the points at a difference in rating, the inverse of `elo`."""
    return 1 / (1 + 10 ** (-difference / 400))


def pair_shares(outcomes: Sequence[Outcome]) -> np.ndarray:
    """The share of the points in each pair of games, [pairs] in [0, 1].

    The two games of a pair begin with the same opening, so they are not independent of each other.
    """
    pairs: dict[int, list[float]] = {}
    for outcome in outcomes:
        pairs.setdefault(outcome.number // 2, []).append((np.sign(outcome.score) + 1) / 2)
    return np.array([np.mean(points) for points in pairs.values()])


def spread(shares: np.ndarray) -> float:
    """Variance of the share of a pair.  A pair half a point off the mean is added: few equal games prove little."""
    return float((((shares - shares.mean()) ** 2).sum() + 0.25) / len(shares))


def share_interval(shares: np.ndarray) -> Interval:
    """95 % interval of the share of points: Wilson's, for the effective number of games.

    The effective number is that of independent games which would vary as the pairs do.
    """
    mean, pairs = float(shares.mean()), len(shares)
    return wilson(mean, max(pairs, mean * (1 - mean) * pairs / spread(shares)))


@dataclass(frozen=True)
class SequentialTest:
    """Is the difference in rating `high` rather than `low`?  A sequential probability ratio test over pairs of games.

    The generalised test in its normal approximation (Van den Bergh, "A practical introduction to the GSPRT"); both
    errors have a probability of 5 %.
    """

    low: float  # Elo
    high: float
    BOUND = math.log(0.95 / 0.05)

    def ratio(self, shares: np.ndarray) -> float:
        """Log likelihood ratio of `high` to `low`, given the shares of pairs."""
        low, high = share_of(self.low), share_of(self.high)
        return len(shares) * (high - low) * (2 * float(shares.mean()) - low - high) / (2 * spread(shares))

    def decided(self, shares: np.ndarray) -> bool | None:
        """True if `high` holds, false if `low` holds, None if there are not enough games."""
        ratio = self.ratio(shares)
        return ratio > 0 if abs(ratio) >= self.BOUND else None


def mean_interval(numbers: np.ndarray) -> Interval:
    """95 % interval of a mean by the normal approximation; infinite for a single number."""
    if len(numbers) < 2:
        return -math.inf, math.inf
    half = Z * float(numbers.std(ddof=1)) / math.sqrt(len(numbers))
    return float(numbers.mean()) - half, float(numbers.mean()) + half


@dataclass(frozen=True)
class Summary:
    """Statistics of a list of outcomes."""

    outcomes: Sequence[Outcome]

    @cached_property
    def scores(self) -> np.ndarray:
        """[games] scores of the player under test."""
        return np.array([outcome.score for outcome in self.outcomes])

    @property
    def mean(self) -> float:
        """Mean score of the player under test."""
        return float(self.scores.mean())

    @property
    def interval(self) -> Interval:
        """95 % interval of the mean score."""
        return mean_interval(self.scores)

    @property
    def margin(self) -> float:
        """Half the width of the interval of the mean score."""
        return (self.interval[1] - self.interval[0]) / 2

    def tally(self, seat: int | None = None) -> dict[str, int]:
        """Numbers of wins, draws and losses.  seat: 0 for games in which the player moved first; None for all."""
        scores = [o.score for o in self.outcomes if seat is None or o.seat == seat]
        return {
            "wins": sum(score > 0 for score in scores),
            "draws": sum(score == 0 for score in scores),
            "losses": sum(score < 0 for score in scores),
        }

    def rates(self, seat: int | None = None) -> dict[str, list[float]]:
        """95 % intervals of the probabilities of a win, a draw and a loss.  seat: as of `tally`."""
        tally = self.tally(seat)
        count = sum(tally.values())
        return {name: list(wilson(number / max(count, 1), count)) for name, number in tally.items()}

    @cached_property
    def shares(self) -> np.ndarray:
        """[pairs] shares of the points, see `pair_shares`."""
        return pair_shares(self.outcomes)

    @property
    def share(self) -> float:
        """Share of the points that the player won; a draw is half a point."""
        return float(self.shares.mean())

    @property
    def share_interval(self) -> Interval:
        """95 % interval of the share of the points."""
        return share_interval(self.shares)

    @property
    def elo(self) -> tuple[float, float, float]:
        """Difference in rating, with the ends of its 95 % interval."""
        low, high = self.share_interval
        return elo(self.share), elo(low), elo(high)

    @property
    def distinct(self) -> int:
        """Number of distinct games, see `muzero.play.match.distinct`."""
        return distinct(self.outcomes)

    def report(self, two_player: bool) -> dict[str, Any]:
        """Plain values for JSON; infinite numbers are null."""
        low, high = self.interval
        report: dict[str, Any] = {
            "games": len(self.outcomes),
            "mean": self.mean,
            "interval_95": [finite(low), finite(high)],
            "mean_steps": float(np.mean([outcome.steps for outcome in self.outcomes])),
        }
        if not two_player:
            return report | {"min": float(self.scores.min()), "max": float(self.scores.max())}
        seats = {
            name: self.tally(seat) | {"intervals_95": self.rates(seat)}
            for name, seat in (("moving_first", 0), ("moving_second", 1))
        }
        difference, least, most = self.elo
        report |= self.tally() | {"intervals_95": self.rates()} | seats
        report |= {"share": self.share, "share_interval_95": list(self.share_interval)}
        report |= {"score_difference": 2 * self.share - 1}
        report |= {"score_difference_interval_95": [2 * end - 1 for end in self.share_interval]}
        report |= {"elo": finite(difference), "elo_interval_95": [finite(least), finite(most)]}
        return report | {"distinct_games": self.distinct, "resigned": sum(o.resigned for o in self.outcomes)}


def finite(number: float) -> float | None:
    """The number; None if it is infinite or NaN, which JSON cannot express."""
    return number if math.isfinite(number) else None

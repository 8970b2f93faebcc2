"""How well heads know what they predict: the places of real numbers in the distributions that were predicted.

The place of a number is the predicted probability of smaller ones: uniform between 0 and 1 where the distributions are
right (the probability integral transform; Gneiting, Balabdaoui and Raftery 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muzero.evaluation.intervals import Interval, wilson
from muzero.interfaces import Head

LEAST = 200  # targets without which nothing is said
SHOWN = (0.5, 0.8, 0.95)  # central probabilities whose coverage has an interval
LEVELS = np.arange(1, 20) / 20  # central probabilities of the curve, and of the calibration error
BINS = 20  # of the histogram of places
RESAMPLES = 200  # of games, for an interval


class TooFewTargets(ValueError):
    """There are too few targets to say how well they were predicted."""


@dataclass(frozen=True)
class Predicted:
    """What a head said about N numbers, and the numbers that came."""

    target: NDArray  # [N]; NaN where it is not known
    mean: NDArray  # [N]
    place: NDArray  # [N] in [0, 1], the predicted probability of smaller numbers
    aleatoric: NDArray  # [N] standard deviation by chance
    epistemic: NDArray  # [N] standard deviation between the members; NaN where there is one
    game: NDArray  # [N] int64: what comes in the same game is not independent

    @classmethod
    def of(cls, head: Head, target: Tensor, game: NDArray, rng: np.random.Generator) -> Predicted:
        """What a head said about targets [N] of these games [N]; the generator draws ties, see `Head.cumulative`."""
        tie = torch.from_numpy(1 - rng.random(len(target), np.float32)).to(target.device)
        # Of all members, not of a sample of them: so that the two variances add up to that of the mixture.
        between = torch.full_like(target, torch.nan) if head.members is None else head.members.std(0, correction=0)
        place = head.cumulative(target, tie)
        target, mean, place, aleatoric, between = (
            numbers.double().cpu() for numbers in (target, head.mean, place, head.aleatoric, between)
        )
        return cls(target.numpy(), mean.numpy(), place.numpy(), aleatoric.numpy(), between.numpy(), game)

    @classmethod
    def joined(cls, parts: Sequence[Predicted]) -> Predicted:
        """Several as one."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    def __len__(self) -> int:
        return len(self.target)

    @property
    def known(self) -> Predicted:
        """Those whose target is known."""
        rows = np.isfinite(self.target)
        return Predicted(*(getattr(self, each.name)[rows] for each in fields(self)))

    @property
    def doubts(self) -> bool:
        """Whether there are several members."""
        return len(self) > 0 and bool(np.isfinite(self.epistemic).all())

    @property
    def variance(self) -> NDArray:
        """[N] of the predicted distributions: by chance and between the members."""
        return self.aleatoric**2 + np.nan_to_num(self.epistemic) ** 2


def figures(found: Predicted) -> dict[str, Any]:
    """How well targets were predicted, as plain values for JSON; targets that are not known are left out.

    "coverage": by central probability in percent, the share of targets that lie within it; "coverage_interval_95": its
    interval.  "curve": the same at every twentieth.  "calibration_error": the mean distance of the curve from where it
    should be.  "places": the shares of targets by place, in bins of equal width.  "error": root mean square.
    "sharpness": mean predicted deviation.  "epistemic_share": the share of the predicted variance that lies between
    the members, and "spearman": the rank correlation of that deviation with the absolute error; None for one member.

    Raises:
        TooFewTargets: if there are fewer than `LEAST`.
    """
    found = found.known
    count, games = len(found), len(np.unique(found.game))
    if count < LEAST:
        raise TooFewTargets(f"{count:,} targets, expected at least {LEAST}: play more games")
    covered = {level: within(found.place, level) for level in SHOWN}
    curve = np.array([within(found.place, level).mean() for level in LEVELS])
    error, doubts = found.mean - found.target, found.doubts
    between, total = (found.epistemic**2).sum(), found.variance.sum()
    return {
        "targets": count,
        "games": games,
        "coverage": {f"{level:.0%}": float(inside.mean()) for level, inside in covered.items()},
        "coverage_interval_95": {
            f"{level:.0%}": list(share_interval(inside, found.game)) for level, inside in covered.items()
        },
        "curve": curve.tolist(),
        "calibration_error": float(np.abs(curve - LEVELS).mean()),
        "places": (np.histogram(found.place, BINS, (0, 1))[0] / count).tolist(),
        "error": float(np.sqrt((error**2).mean())),
        "sharpness": float(np.sqrt(found.variance).mean()),
        "epistemic_share": float(between / total) if doubts and total > 0 else None,
        "spearman": spearman(np.abs(error), found.epistemic) if doubts else None,
    }


def within(place: NDArray, level: float) -> NDArray:
    """[N] bool, whether places lie in the middle part of this probability."""
    return np.abs(place - 0.5) <= level / 2


def share_interval(hits: NDArray, game: NDArray) -> Interval:
    """95 % interval of the share of hits [N] bool, whose games [N] are independent of each other.

    Wilson's, for the number of independent hits that would vary as the games do: at least that of the games, at most N,
    so it is the binomial interval where each hit is of its own game.
    """
    share, count = float(hits.mean()), len(hits)
    _, place = np.unique(game, return_inverse=True)
    games = int(place.max()) + 1
    spread = (np.bincount(place, hits - share) ** 2).sum() / count**2  # the variance of the share
    effective = share * (1 - share) / spread if spread > 0 else games
    return wilson(share, float(np.clip(effective, games, count)))


def ranks(numbers: NDArray) -> NDArray:
    """[N] from 1 on; equal numbers have the mean of their ranks."""
    _, place, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def spearman(x: NDArray, y: NDArray) -> float | None:
    """Rank correlation of two rows of N numbers; None where all numbers of one are equal."""
    one, other = ranks(x), ranks(y)
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def auroc(inside: Predicted, outside: Predicted, rng: np.random.Generator) -> tuple[float, Interval]:
    """The chance that a head doubts more, between its members, outside than inside; an equal doubt counts half.

    It is the area under the curve of a test by that deviation, with a 95 % interval of the bootstrap over games.
    """
    values, place = np.unique(np.concatenate([inside.epistemic, outside.epistemic]), return_inverse=True)
    places = np.split(place, [len(inside)])
    games = [np.unique(each.game, return_inverse=True)[1] for each in (inside, outside)]

    def area(weights: Sequence[NDArray]) -> float:
        known, new = (np.bincount(each, weight, len(values)) for each, weight in zip(places, weights, strict=True))
        return float((new * (known.cumsum() - known / 2)).sum() / (known.sum() * new.sum()))

    def resampled() -> list[NDArray]:
        counts = [each.max() + 1 for each in games]
        drawn = [np.bincount(rng.integers(count, size=count), minlength=count) for count in counts]
        return [times[each].astype(float) for times, each in zip(drawn, games, strict=True)]

    low, high = np.quantile([area(resampled()) for _ in range(RESAMPLES)], (0.025, 0.975))
    return area([np.ones(len(each)) for each in places]), (float(low), float(high))

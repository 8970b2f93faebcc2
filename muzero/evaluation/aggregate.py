"""Aggregate scores over seeds: the interquartile mean with stratified bootstrap intervals (Agarwal et al. 2021)."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from muzero.util.extras import MissingExtra

REPEATS = 2000  # samples of the bootstrap


class Aggregate(NamedTuple):
    """An interquartile mean over runs, with its 95 % interval."""

    runs: int
    tasks: int
    iqm: float
    low: float
    high: float
    by: str = "rliable"  # the package that computed it


def aggregate(scores: np.ndarray, seed: int = 0) -> Aggregate:
    """The interquartile mean of scores; its interval resamples runs within each task.

    Args:
        scores: [runs, tasks], a mean score for each.
        seed: of the bootstrap.

    Raises:
        MissingExtra: if rliable is not installed.
    """
    try:
        from rliable import library, metrics
    except ImportError as error:
        raise MissingExtra('scores over several runs need rliable: pip install "muzero[report]"') from error
    state = np.random.RandomState(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # rliable calls a deprecated form of arch
        points, ends = library.get_interval_estimates(
            {"runs": scores}, lambda each: np.array([metrics.aggregate_iqm(each)]), reps=REPEATS, random_state=state
        )
    low, high = (float(end) for end in ends["runs"][:, 0])
    return Aggregate(scores.shape[0], scores.shape[1], float(points["runs"][0]), low, high)

"""What several runs say together: the interquartile mean with stratified bootstrap intervals (Agarwal et al. 2021)."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from muzero.util.extras import MissingExtra

REPEATS = 2000  # of the bootstrap


class Aggregate(NamedTuple):
    """An interquartile mean over runs."""

    runs: int
    tasks: int
    iqm: float
    low: float  # 95 % interval
    high: float
    by: str = "rliable"


def aggregate(scores: np.ndarray, seed: int = 0) -> Aggregate:
    """The interquartile mean of scores [runs, tasks], runs being drawn again within each task.

    Raises:
        MissingExtra: if rliable is not installed.
    """
    try:
        from rliable import library, metrics
    except ImportError as error:
        raise MissingExtra('scores over several runs need rliable: pip install "muzero[report]"') from error
    state = np.random.RandomState(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between rliable and arch
        points, ends = library.get_interval_estimates(
            {"runs": scores}, lambda each: np.array([metrics.aggregate_iqm(each)]), reps=REPEATS, random_state=state
        )
    low, high = (float(end) for end in ends["runs"][:, 0])
    return Aggregate(scores.shape[0], scores.shape[1], float(points["runs"][0]), low, high)

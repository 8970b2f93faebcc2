"""The curve of healthy runs of a game, stored beside its configuration, and a run compared with it while it learns.

A file of JSON lines.  The first says what it was made from: {"game": "gym/CartPole-v1", "seeds": [0, 1, 2]}.  Each
other line is a point: {"steps": 1200, "self_play_score": [18.2, 24.9], ...}, with the lowest and the highest of the
runs' means since the point before, for each of the metrics that say how a run does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from muzero.config import ConfigError
from muzero.config.shipped import shipped
from muzero.report.untrusted_files import Unreadable, number, parse, read

SUFFIX = ".curve.jsonl"
SHARES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)  # of the shortest run, where a curve has its points
SCORE = "self_play_score"
HEALTH = "health/"
IN_A_ROW = 2  # points at which a number is worse, before a run is behind
DIGITS = 4  # significant ones of a stored number

Band = tuple[float, float]


class Judged(NamedTuple):
    """A number by which a run is compared."""

    title: str
    high: bool  # whether high is good
    margin: float  # share of a band's larger end that a run may be outside: bands of few runs are narrow by chance


# Not "value_drift": healthy runs of CartPole differ in it by a factor of five.
JUDGED = {
    SCORE: Judged("score", True, 0.2),
    "health/value_explained": Judged("share of the returns' variance that the value head explains", True, 0.5),
    "health/drift_last": Judged("drift of imagined latents", False, 1.0),
    "health/replay_age_share": Judged("age of the replay", False, 0.2),
}


class Point(NamedTuple):
    """What healthy runs measured up to a step, from the point before on."""

    steps: int
    bands: Mapping[str, Band]  # by the names of numbers


@dataclass(frozen=True)
class Curve:
    """What healthy runs of a game measured."""

    game: str
    seeds: Sequence[int]
    points: Sequence[Point]  # by ascending steps

    def text(self) -> str:
        """The curve as a file."""
        head = {"game": self.game, "seeds": list(self.seeds)}
        lines = [{"steps": steps} | {name: list(band) for name, band in bands.items()} for steps, bands in self.points]
        return "".join(json.dumps(line) + "\n" for line in [head, *lines])


def of_game(game: str) -> Curve | None:
    """The curve that is shipped for a game, "board/tic_tac_toe"; None if there is none.

    Raises:
        ConfigError: if it is damaged.
    """
    path = shipped(game, SUFFIX)
    return None if path is None else load(path)


def load(path: Path) -> Curve:
    """The curve of a file.

    Raises:
        ConfigError: naming the file, the line, and what was expected.
    """
    try:
        lines = [parse(line) for line in read(path).splitlines()]
    except Unreadable as error:
        raise ConfigError([f"{path}: {error}; expected a curve that muzero-report --curve wrote"]) from error
    head, points = (lines or [{}])[0], []
    if not isinstance(head.get("game"), str) or not isinstance(head.get("seeds"), list):
        raise ConfigError([f'{path}:1: expected {{"game": ..., "seeds": [...]}}'])
    for place, line in enumerate(lines[1:], 2):
        steps = line.pop("steps", None)
        if not number(steps) or (points and steps <= points[-1][0]):
            raise ConfigError([f"{path}:{place}: steps are {steps}; expected more than those of the line before"])
        for name, band in line.items():
            if not isinstance(band, list) or len(band) != 2 or not all(map(number, band)) or band[0] > band[1]:
                raise ConfigError([f"{path}:{place}: {name} is {band}; expected [lowest, highest]"])
        points.append(Point(int(steps), {name: (band[0], band[1]) for name, band in line.items()}))
    return Curve(head["game"], head["seeds"], points)


def make(game: str, seeds: Sequence[int], runs: Sequence[Sequence[Mapping[str, float]]]) -> Curve:
    """The curve of finished runs.

    Args:
        game: that they learned.
        seeds: of the runs.
        runs: rows of metrics of each, by ascending steps.

    Raises:
        ConfigError: if a run has no metrics.
    """
    if not runs or not all(runs):
        raise ConfigError(["a curve of healthy runs needs runs with metrics"])
    length, points, before = min(rows[-1]["steps"] for rows in runs), [], -1
    for share in SHARES:
        steps = int(length * share)
        means = [mean(kept(row) for row in rows if before < row["steps"] <= steps) for rows in runs]
        bands = {name: ends([each[name] for each in means]) for name in means[0] if all(name in each for each in means)}
        if bands:
            points.append(Point(steps, bands))
            before = steps
    return Curve(game, seeds, points)


def kept(row: Mapping[str, float]) -> dict[str, float]:
    """What a curve keeps of a row of metrics."""
    return {name: value for name, value in row.items() if name == SCORE or name.startswith(HEALTH)}


def mean(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each number over the rows that have it."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in found.items()}


def ends(values: Sequence[float]) -> Band:
    """The lowest and the highest number, rounded."""
    low, high = (float(f"{value:.{DIGITS}g}") for value in (min(values), max(values)))
    return low, high


class Track:
    """Compares a run with a curve at each of its points."""

    def __init__(self, curve: Curve) -> None:
        self.curve = curve
        self.rows: list[Mapping[str, float]] = []  # since the last point
        self.passed = 0  # points
        self.behind = dict.fromkeys(JUDGED, 0)  # points in a row at which a number was worse than its band
        self.text = ""  # the comparison in a few words, once there is one
        self.reported = False

    def add(self, steps: int, row: Mapping[str, float]) -> str | None:
        """Take in metrics after these steps.

        Returns:
            what to warn of, once, where the run is behind healthy ones; else None.
        """
        found = None
        while self.passed < len(self.curve.points) and self.curve.points[self.passed].steps < steps:
            found = found or self._compare(self.curve.points[self.passed], mean(self.rows))
            self.passed, self.rows = self.passed + 1, []
        self.rows.append(row)
        return found

    def _compare(self, point: Point, means: Mapping[str, float]) -> str | None:
        """Compare means since the point before; there are none where a run was resumed later."""
        if not means:
            return None
        for name in JUDGED:
            if name in means and name in point.bands:
                self.behind[name] = self.behind[name] + 1 if worse(name, means[name], point.bands[name]) else 0
        late = [name for name, count in self.behind.items() if count >= IN_A_ROW]
        if late or not any(self.behind.values()):
            self.text = "behind healthy runs" if late else "on track"
        if not late or self.reported:
            return None
        self.reported = True
        parts = [f"{JUDGED[name].title} {means[name]:.3g} ({in_words(point.bands[name])})" for name in late]
        return (
            f"behind healthy runs of {self.curve.game}: at {point.steps:,} steps {', '.join(parts)}; in brackets the "
            f"lowest and highest of {len(self.curve.seeds)} runs with the shipped settings, which this run may not have"
        )


def worse(name: str, value: float, band: Band) -> bool:
    """Whether a number is on the bad side of its band, by more than the width of the band and the margin."""
    (low, high), judged = band, JUDGED[name]
    margin = high - low + judged.margin * max(abs(low), abs(high))
    return value < low - margin if judged.high else value > high + margin


def in_words(band: Band) -> str:
    """The ends of a band."""
    return f"{band[0]:.3g} to {band[1]:.3g}"

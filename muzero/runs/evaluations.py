"""What a run's checkpoints scored while it learned: a line of JSON each, in the run's folder."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "evaluations.jsonl"


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of one checkpoint."""

    step: int  # of the checkpoint: environment steps
    updates: int
    seconds: float  # of training until then
    name: str  # what was played: "against random", "alone"
    games: int
    mean: float
    low: float  # 95 % interval of the mean
    high: float
    cost: float  # seconds that it took


def append(folder: Path, evaluation: Evaluation) -> None:
    """Add a line.

    Raises:
        OSError: if that is impossible.
    """
    with (folder / FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(evaluation)) + "\n")


def read(folder: Path) -> list[Evaluation]:
    """All evaluations by step, without lines that are no such; where a step was evaluated again, the last counts."""
    found: dict[tuple[int, str], Evaluation] = {}
    try:
        lines = (folder / FILE).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            evaluation = Evaluation(**json.loads(line))
            if math.isfinite(evaluation.low + evaluation.high + evaluation.mean + evaluation.seconds):
                found[evaluation.step, evaluation.name] = evaluation
        except (TypeError, ValueError, RecursionError):
            continue
    return sorted(found.values(), key=lambda each: each.step)


def best(evaluations: Iterable[Evaluation], steps: Iterable[int]) -> int | None:
    """Of these steps, the one whose interval has the highest lower end; the newest of equals."""
    there = set(steps)
    known = [each for each in evaluations if each.step in there]
    return max(known, key=lambda each: (each.low, each.step)).step if known else None

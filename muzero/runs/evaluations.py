"""What a run's checkpoints scored while it learned: a line of JSON each, in the run's folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from muzero.runs import json_lines
from muzero.runs.folder import RunFolder
from muzero.runs.value_checks import brief, number, whole


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

    def check(self) -> None:
        """Refuse values of other types, and numbers that are not finite or out of range.

        Raises:
            ValueError: naming the field.
        """
        for name in ("step", "updates", "games"):
            whole(name, getattr(self, name))
        for name in ("seconds", "mean", "low", "high", "cost"):
            number(name, getattr(self, name))
        if not isinstance(self.name, str):
            raise ValueError(f"name: expected a text, got {brief(self.name)}")


def append(folder: Path, evaluation: Evaluation) -> None:
    """Add a line.

    Raises:
        OSError: if that is impossible.
    """
    json_lines.append(RunFolder(folder).evaluations, [asdict(evaluation)])


def read(folder: Path) -> list[Evaluation]:
    """All valid evaluations by step; where a step was evaluated again, the last one counts."""
    found: dict[tuple[int, str], Evaluation] = {}
    for row in json_lines.read(RunFolder(folder).evaluations):
        try:
            evaluation = Evaluation(**row)
            evaluation.check()
        except (TypeError, ValueError):
            continue
        found[evaluation.step, evaluation.name] = evaluation
    return sorted(found.values(), key=lambda each: each.step)


def best(evaluations: Iterable[Evaluation], steps: Iterable[int]) -> int | None:
    """Of these steps, the one whose interval has the highest lower end; the newest of equals."""
    there = set(steps)
    known = [each for each in evaluations if each.step in there]
    return max(known, key=lambda each: (each.low, each.step)).step if known else None

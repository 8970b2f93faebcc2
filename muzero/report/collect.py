"""What a report says of a run: read from its folder, whatever is missing there."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from muzero.config.layers import ConfigError, read_layer
from muzero.runs import checkpoint, evaluations, json_lines
from muzero.runs.evaluations import Evaluation
from muzero.runs.folder import RunFolder
from muzero.util.files import read_regular

MOST = 64 << 20  # bytes of a file of results


@dataclass(frozen=True)
class Run:
    """A run's folder."""

    folder: Path
    label: str  # short, and of no other run of the report

    @cached_property
    def config(self) -> dict[str, Any]:
        """Table -> key -> value."""
        with RunFolder(self.folder).config.open("rb") as file:
            return tomllib.load(file)

    @property
    def game(self) -> str:
        """What it learns."""
        return str(self.config.get("run", {}).get("game", "?"))

    @property
    def seed(self) -> int:
        """Of the run."""
        return int(self.config.get("run", {}).get("seed", 0))

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """Rows in the order of steps.  Where a run went back to a checkpoint, what it did before is left out."""
        rows: list[dict[str, Any]] = []
        for row in json_lines.read(RunFolder(self.folder).metrics):
            if isinstance(row.get("steps"), int):
                while rows and rows[-1]["steps"] > row["steps"]:
                    rows.pop()
                rows.append(row)
        return rows

    @cached_property
    def evaluations(self) -> list[Evaluation]:
        """Of its checkpoints, while it learned."""
        return evaluations.read(self.folder)

    @property
    def best(self) -> int | None:
        """The best checkpoint that is there, by the lower end of its interval."""
        steps = [checkpoint.step_of(path) for path in checkpoint.listed(RunFolder(self.folder).checkpoints)]
        return evaluations.best(self.evaluations, steps)

    @cached_property
    def final(self) -> dict[str, dict[str, Any]]:
        """What `muzero-train` played at the end: name -> figures."""
        found = document(RunFolder(self.folder).evaluation)
        return {name: row for name, row in found.items() if isinstance(row, dict)}

    @cached_property
    def commands(self) -> list[dict[str, Any]]:
        """How it was begun and resumed, and where."""
        return json_lines.read(RunFolder(self.folder).commands)

    @cached_property
    def results(self) -> dict[str, dict[str, Any]]:
        """What `muzero-eval --json` left in its folder of results: file -> figures."""
        found = {path.name: document(path) for path in sorted(RunFolder(self.folder).results.glob("*.json"))}
        return {name: figures for name, figures in found.items() if figures}

    def last(self, key: str) -> Any:
        """The newest value of a metric; None if there is none."""
        return next((row[key] for row in reversed(self.metrics) if row.get(key) is not None), None)


def collect(folders: Sequence[Path]) -> list[Run]:
    """The runs of these folders.

    Raises:
        ConfigError: if one is no run.
    """
    for folder in folders:
        if not RunFolder(folder).exists:
            raise ConfigError([f"{folder} is not a run: it has no config.toml"])
        read_layer(RunFolder(folder).config)  # says what is wrong with it, and where
    names = [folder.resolve().name for folder in folders]
    labels = names if len(set(names)) == len(names) else [str(folder) for folder in folders]
    return [Run(folder, label) for folder, label in zip(folders, labels, strict=True)]


def groups(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs that differ in their seeds alone belong together."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(json.dumps(without_seed(run.config), sort_keys=True, default=str), []).append(run)
    return list(found.values())


def without_seed(config: dict[str, Any]) -> dict[str, Any]:
    """All settings but the seed."""
    return {name: {k: v for k, v in table.items() if (name, k) != ("run", "seed")} for name, table in config.items()}


def differences(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Settings in which runs differ: "table.key" -> a value for each run; None where a run has no such setting."""
    keys = dict.fromkeys(f"{name}.{key}" for run in runs for name, table in run.config.items() for key in table)
    values = {key: [run.config.get(key.split(".")[0], {}).get(key.split(".", 1)[1]) for run in runs] for key in keys}
    return {key: row for key, row in values.items() if any(value != row[0] for value in row)}


def document(path: Path) -> dict[str, Any]:
    """The object of a JSON file; empty where there is none."""
    try:
        found = json.loads(read_regular(path, MOST).decode("utf-8", "replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

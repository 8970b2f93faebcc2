"""What a report says of a run: read from its folder, whatever is missing or damaged there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from muzero.config.layers import read_layer
from muzero.report.untrusted_files import Unreadable, number, parse, plain, read
from muzero.runs import checkpoint, evaluations
from muzero.runs.evaluations import Evaluation
from muzero.runs.folder import RunFolder, require_run
from muzero.util.text import printable

MOST_RESULTS = 50  # files of results that are shown


@dataclass(frozen=True)
class Run:
    """A run's folder, as far as it could be read.

    folder: the folder.
    label: a short name that no other run of the report has.
    config: settings, table -> key -> value.
    text: the configuration as it was written.
    metrics: rows in the order of steps; where a run went back to a checkpoint, its earlier rows are left out.
    evaluations: of its checkpoints while it learned, by step.
    final: what `muzero-train` played at the end, name -> figures.
    commands: how it was begun and resumed, and where.
    results: what `muzero-eval --json` left in its folder of results, file -> figures.
    best: the step of the best checkpoint that still exists, by the lower end of its interval; None without one.
    problems: what could not be read, a line each.
    """

    folder: Path
    label: str
    config: dict[str, dict[str, Any]]
    text: str
    metrics: list[dict[str, float]]
    evaluations: list[Evaluation]
    final: dict[str, dict[str, Any]]
    commands: list[dict[str, Any]]
    results: dict[str, dict[str, Any]]
    best: int | None
    problems: list[str]

    @property
    def game(self) -> str:
        """The name of the game that it learns."""
        return str(self.config.get("run", {}).get("game", "?"))

    @property
    def seed(self) -> Any:
        """The seed of the run, as its configuration gives it."""
        return self.config.get("run", {}).get("seed", 0)

    def last(self, key: str) -> float | None:
        """The newest value of a metric; None if there is none."""
        return next((row[key] for row in reversed(self.metrics) if key in row), None)


def collect(folders: Sequence[Path]) -> list[Run]:
    """The runs of these folders.

    Raises:
        ConfigError: if one is not a run, or its configuration cannot be read.
    """
    for folder in folders:
        require_run(folder)
    names = [folder.resolve().name for folder in folders]
    labels = names if len(set(names)) == len(names) else [str(folder) for folder in folders]
    return [read_run(folder, printable(label, 100)) for folder, label in zip(folders, labels, strict=True)]


def read_run(folder: Path, label: str) -> Run:
    """A run's folder; what is wrong with its files becomes a problem of the run.

    Raises:
        ConfigError: if its configuration cannot be read.
    """
    files, reader = RunFolder(folder), Reader(folder)
    config, done = read_layer(files.config).tables, reader.evaluations()
    results = sorted(reader.names(files.results, ".json"))
    if len(results) > MOST_RESULTS:
        reader.problems.append(f"results: only {MOST_RESULTS} of {len(results):,} files are shown")
    found = {printable(name, 100): reader.document(files.results / name) for name in results[:MOST_RESULTS]}
    return Run(
        folder=folder,
        label=label,
        config={name: plain(table) for name, table in config.items() if isinstance(table, dict)},
        text=reader.text(files.config),
        metrics=reader.metrics(),
        evaluations=done,
        final={name: row for name, row in reader.document(files.evaluation).items() if isinstance(row, dict)},
        commands=reader.lines(files.commands),
        results={name: figures for name, figures in found.items() if figures},
        best=evaluations.best(done, reader.steps()),
        problems=reader.problems,
    )


@dataclass(frozen=True)
class Reader:
    """Reads the files of a folder, and notes what is wrong with them."""

    folder: Path
    problems: list[str] = field(default_factory=list)

    def text(self, path: Path) -> str:
        """The text of a file; empty where there is none."""
        try:
            return read(path)
        except Unreadable as error:
            if path.exists() or path.is_symlink():
                self._note(path, str(error))
            return ""

    def _note(self, path: Path, problem: str) -> None:
        self.problems.append(f"{printable(str(path.relative_to(self.folder)), 100)} {problem}")

    def document(self, path: Path) -> dict[str, Any]:
        """The object of a JSON file; empty where there is none."""
        text = self.text(path)
        try:
            return parse(text) if text else {}
        except Unreadable as error:
            self._note(path, str(error))
            return {}

    def lines(self, path: Path) -> list[dict[str, Any]]:
        """The objects of a file of JSON lines, without the lines that are damaged."""
        found, damaged = [], 0
        for line in self.text(path).split("\n"):
            try:
                found += [parse(line)] if line.strip() else []
            except Unreadable:
                damaged += 1
        self._note_lines(path, damaged, "damaged")
        return found

    def _note_lines(self, path: Path, count: int, kind: str) -> None:
        if count:
            self._note(path, f"has {count:,} line{'s' * (count > 1)} that {'are' if count > 1 else 'is'} {kind}")

    def metrics(self) -> list[dict[str, float]]:
        """Rows of metrics in the order of steps."""
        path = RunFolder(self.folder).metrics
        rows, lines = list[dict[str, float]](), self.lines(path)
        for line in lines:
            row = {key: value for key, value in line.items() if number(value)}
            if "steps" in row:
                while rows and rows[-1]["steps"] > row["steps"]:
                    rows.pop()
                rows.append(row)
        self._note_lines(path, sum(not number(line.get("steps")) for line in lines), "without steps")
        return rows

    def evaluations(self) -> list[Evaluation]:
        """Evaluations by step; where a step was evaluated again, the last counts."""
        path = RunFolder(self.folder).evaluations
        lines = self.lines(path)
        found = [each for each in map(evaluation, lines) if each is not None]
        self._note_lines(path, len(lines) - len(found), "not an evaluation")
        return sorted({(each.step, each.name): each for each in found}.values(), key=lambda each: each.step)

    def names(self, folder: Path, suffix: str) -> list[str]:
        """Names of the files of a folder; none where it cannot be read."""
        try:
            return [path.name for path in folder.iterdir() if path.name.endswith(suffix)]
        except FileNotFoundError:
            return []
        except OSError as error:
            self._note(folder, f"cannot be read: {error.strerror}")
            return []

    def steps(self) -> list[int]:
        """Steps of the checkpoints that exist."""
        folder = RunFolder(self.folder).checkpoints
        try:
            return [checkpoint.step_of(path) for path in checkpoint.listed(folder)]
        except OSError as error:
            self._note(folder, f"cannot be read: {error.strerror}")
            return []


def evaluation(row: dict[str, Any]) -> Evaluation | None:
    """A line of the file of evaluations; None if it is damaged."""
    if row.keys() != {each.name for each in fields(Evaluation)}:
        return None
    name, figures = row["name"], [value for key, value in row.items() if key != "name"]
    whole = all(isinstance(row[key], int) for key in ("step", "updates", "games"))
    return Evaluation(**row) if isinstance(name, str) and whole and all(map(number, figures)) else None


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
    keys = dict.fromkeys((name, key) for run in runs for name, table in run.config.items() for key in table)
    values = {f"{name}.{key}": [run.config.get(name, {}).get(key) for run in runs] for name, key in keys}
    return {key: row for key, row in values.items() if any(value != row[0] for value in row)}

"""muzero-eval RUN --calibration: how well the model of a run knows what it predicts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from muzero.cli.evaluate.playing import Row
from muzero.cli.evaluate.progress import Progress
from muzero.cli.exits import INTERRUPTED
from muzero.cli.tables import Figures, bracketed, percent, say, terminal, write_json
from muzero.config import ConfigError
from muzero.evaluation.calibration import LEAST, SHOWN, TooFewTargets
from muzero.evaluation.foresight import measure
from muzero.models.symmetric import SymmetricModel

GAMES = 100


def evaluate(options: argparse.Namespace, rows: Sequence[Row]) -> int:
    """Measure the runs and show the results.  Ctrl-C ends it; the runs that were measured are shown.

    Raises:
        ConfigError: if a player is not a run, or too few numbers are predicted in its games.
    """
    for row in rows:
        if row.entrant.agent is None:
            raise ConfigError([f"--calibration measures the model of a run; {row.name} has none"])
    console, progress = terminal(), Progress()
    every: list[dict[str, Any]] = []
    interrupted = False
    try:
        for row in rows:
            every.append(examine(row, options, progress))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        progress.clear()
    for found in every:
        show(console, found)
    if options.json and every:
        write_json(options.json, {"seed": options.seed, "calibration": every})
    if interrupted:
        say(console, f"interrupted: {len(every)} of {len(rows)} runs were measured")
        return INTERRUPTED
    return 0


def examine(row: Row, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """The figures of one run, as plain values for JSON."""
    agent = row.entrant.agent
    assert agent is not None
    model = agent.player.model
    alone = model.model if isinstance(model, SymmetricModel) else model

    def watch(text: str) -> None:
        if progress.due():
            progress.show(f"{text}, {row.name}")

    try:
        found = measure(agent.config, alone, agent.player.planner, options.games or GAMES, options.seed, watch)
    except TooFewTargets as error:
        raise ConfigError([f"--calibration of {row.name}: {error} with --games"]) from error
    return {"player": row.name, "game": agent.spec.name, "step": agent.step} | found


def show(console: Console, found: dict[str, Any]) -> None:
    """A row for each number and horizon."""
    counts = f"{found['positions']:,} positions of {found['games']:,} games"
    title = f"{found['player']}: what is predicted, and what came, in {counts} [95 % intervals]"
    columns = ["prediction", "targets", *(f"in {level:.0%}" for level in SHOWN), "calibration error"]
    drawn = Figures(title, [*columns, "error", "deviation", "of it ignorance %", "rank correlation"])
    for row in found["rows"]:
        covered = [percent(row["coverage"][key], row["coverage_interval_95"][key]) for key in row["coverage"]]
        cells = [f"{row['targets']:,}", *covered, f"{row['calibration_error']:.3f}"]
        cells += [f"{row['error']:.3g}", f"{row['sharpness']:.3g}"]
        if row["epistemic_share"] is not None:
            cells.append(f"{100 * row['epistemic_share']:.0f}")
            cells.append("" if row["spearman"] is None else f"{row['spearman']:+.2f}")
        drawn.add_row(title_of(row), *cells)
    console.print(drawn)
    if any(row["beyond"] for row in found["rows"]):
        say(console, f"*: further than the model was unrolled while it learned, {found['unroll']} steps")
    for number in ("reward", "value"):
        if few := [row for row in found["left_out"] if row["number"] == number]:
            steps = ", ".join(str(row["horizon"]) for row in few)
            why = " whose game was not cut too early" if number == "value" else ""
            say(console, f"{number}: fewer than {LEAST} targets{why} after {steps} steps; --games gives more")
    say_outside(console, found["outside"])


def say_outside(console: Console, outside: dict[str, Any] | None) -> None:
    """Say how well doubt tells strange positions."""
    if outside is None:
        say(console, "the heads have one member: they do not say what they do not know")
        return
    for name in ("value", "reward"):
        if name in outside:
            area = bracketed(outside[name]["auroc"], outside[name]["interval_95"], ".2f")
            say(console, f"members differ more on the {name} in {outside['policy']} than in its games: AUROC {area}")


def title_of(row: dict[str, Any]) -> str:
    """A number and its horizon in words, with a mark where that is further than the model learned to look."""
    steps = f"{row['horizon']} step{'s' * (row['horizon'] != 1)}"
    return f"{row['number']}, {steps}{' *' * row['beyond']}"

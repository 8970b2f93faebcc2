"""Charts of runs, as PNG.  Every seed is drawn; bands are 95 % intervals."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from muzero.report.collect import Run, groups
from muzero.report.untrusted_files import number, rows
from muzero.runs.folder import plain_name
from muzero.util.extras import MissingExtra
from muzero.util.text import printable

COLOURS = ("#1f5fa8", "#c2571a", "#2b7a4b", "#8a3d8f", "#a08018", "#3b8a96", "#b03a48", "#5b5b5b")
SIZE = (6.4, 3.6)  # inches
DPI = 130
MOST = 30  # losses that are drawn, and numbers of health
Bands = Mapping[str, Sequence[tuple[float, float, float]]]
"""Name of a metric -> steps, and the lowest and the highest of healthy runs there."""
NOTHING: Bands = MappingProxyType({})


def figure(panels: int = 1) -> Any:
    """An empty chart: the figure and its axes, or a list of those of several panels.

    Raises:
        MissingExtra: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra('muzero-report needs matplotlib: pip install "muzero[report]"') from error
    made = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    every = [made.add_subplot(1, panels, panel + 1) for panel in range(panels)]
    for axes in every:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e3e7eb", linewidth=0.8)
        axes.set_axisbelow(True)
    return made, every[0] if panels == 1 else every


def png(made: Any) -> bytes:
    """A chart as a file."""
    buffer = io.BytesIO()
    made.savefig(buffer, format="png")
    return buffer.getvalue()


def charts(runs: Sequence[Run], healthy: Bands = NOTHING) -> dict[str, bytes]:
    """All charts for which there are figures: name of the file -> PNG.  healthy: is drawn behind the runs."""
    drawn: dict[str, Any] = {
        "evaluation-by-steps": evaluated(runs, lambda each: each.step, "environment steps"),
        "evaluation-by-time": evaluated(runs, lambda each: each.seconds / 60, "minutes of training"),
        "self-play-score": metric(
            runs, "self_play_score", "score of self-play, mean of the last 100 games", healthy=healthy
        ),
        "steps-per-second": metric(runs, "steps_per_second", "environment steps per second"),
        "updates-per-second": metric(runs, "updates_per_second", "updates per second"),
    }
    for group in ("loss", "health"):
        for key in measured(runs, f"{group}/"):
            title = key.replace("/", ": ").replace("_", " ")
            drawn[key.replace("/", "-")] = metric(runs, key, title, log=group == "loss", healthy=healthy)
    for run in runs:
        for name, result in run.results.items():
            title = f"{run.label}-{name.removesuffix('.json')}"
            drawn[f"sweep-{title}"] = swept(result, "simulations", "simulations a move")
            drawn[f"sweep-time-{title}"] = swept(result, "milliseconds_per_move", "milliseconds a move")
            for place, found in enumerate(rows(result.get("calibration"))[:MOST]):
                drawn[f"calibration-{title}{f'-{place}' if place else ''}"] = calibrated(found)
    return {f"{plain_name(name)}.png": png(made) for name, made in drawn.items() if made is not None}


def measured(runs: Sequence[Run], prefix: str) -> list[str]:
    """The metrics whose names begin so, at most `MOST`."""
    return sorted({key for run in runs for row in run.metrics for key in row if key.startswith(prefix)})[:MOST]


def coloured(runs: Sequence[Run]) -> list[tuple[Run, str, str | None]]:
    """Each run with the colour of its group, and a label for the first of the group."""
    found = []
    for place, group in enumerate(groups(runs)):
        for index, run in enumerate(group):
            label = run.label if len(group) == 1 else f"{run.label}, all {len(group)} seeds"
            found.append((run, COLOURS[place % len(COLOURS)], label if index == 0 else None))
    return found


def evaluated(runs: Sequence[Run], place: Callable[[Any], float], axis: str) -> Any:
    """Evaluations while runs learned; None if there were none."""
    if not any(run.evaluations for run in runs):
        return None
    made, axes = figure()
    for run, colour, label in coloured(runs):
        rows = run.evaluations
        where = [place(row) for row in rows]
        axes.plot(where, [row.mean for row in rows], color=colour, label=label, marker="o", markersize=3, linewidth=1.4)
        axes.fill_between(where, [row.low for row in rows], [row.high for row in rows], color=colour, alpha=0.15, lw=0)
        if len(rows) == 1:  # a point, which has no band
            axes.vlines(where, rows[0].low, rows[0].high, color=colour, alpha=0.4)
    axes.set_xlim(left=0)
    names = sorted({row.name for run in runs for row in run.evaluations})
    finish(axes, axis, f"score, {' and '.join(names)}", len(runs) > 1)
    return made


def metric(runs: Sequence[Run], key: str, title: str, log: bool = False, healthy: Bands = NOTHING) -> Any:
    """A metric against environment steps; None if no run has it.  healthy: is drawn behind it."""
    if not any(run.last(key) is not None for run in runs):
        return None
    made, axes = figure()
    if band := healthy.get(key):
        axes.fill_between(*zip(*band, strict=True), color="#8a96a3", alpha=0.25, lw=0, label="healthy runs")
    values: list[float] = []
    for run, colour, label in coloured(runs):
        points = [(row["steps"], row[key]) for row in run.metrics if key in row]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, label=label, linewidth=1.2)
            values += [value for _, value in points]
    if log and min(values) > 0 and max(values) > 10 * min(values):
        axes.set_yscale("log")
    finish(axes, "environment steps", title, len(runs) > 1 or bool(band))
    return made


def swept(result: dict[str, Any], key: str, axis: str) -> Any:
    """Score against the number of simulations, or against the time that they take; None if nothing was swept."""
    kinds = {"optimal": "optimal moves", "share": f"points against {result.get('against')}", "mean": "mean score"}
    lines = rows(result.get("rows"))
    value = next((kind for kind in kinds if lines and kind in lines[0]), "mean")
    ends = "interval_95" if value == "mean" else f"{value}_interval_95"
    lines = [row for row in lines if all(number(row.get(name)) for name in ("simulations", key, value))]
    if len(lines) < 2:
        return None
    made, axes = figure()
    where = [row[key] for row in lines]
    axes.plot(where, [row[value] for row in lines], color=COLOURS[0], marker="o", markersize=4)
    bands = [row.get(ends) for row in lines]
    if all(isinstance(band, list) and len(band) == 2 and all(map(number, band)) for band in bands):
        lows, highs = zip(*bands, strict=True)
        axes.fill_between(where, lows, highs, color=COLOURS[0], alpha=0.15, linewidth=0)
    axes.set_xscale("symlog", linthresh=1 if key == "simulations" else 0.1)
    if key == "simulations":
        axes.set_xticks(where, [str(each) for each in where])
        axes.minorticks_off()
    finish(axes, axis, kinds[value], False)
    return made


def calibrated(found: Mapping[str, Any]) -> Any:
    """How often numbers lay where heads expected them, by horizon; None if nothing was measured."""
    lines = [row for row in rows(found.get("rows")) if curve_of(row)][:MOST]
    if not lines:
        return None
    horizons = list(dict.fromkeys(map(horizon_of, lines)))  # of the same colour in both panels
    made, panels = figure(2)
    for axes, kind in zip(panels, ("reward", "value"), strict=True):
        axes.plot([0, 100], [0, 100], color="#8a96a3", linewidth=0.8)
        of_kind = [row for row in lines if row.get("number") == kind]
        for row in of_kind:
            curve = curve_of(row)
            where = [100 * (step + 1) / (len(curve) + 1) for step in range(len(curve))]
            style = "--" if row.get("beyond") is True else "-"
            label = horizon_of(row)
            colour = COLOURS[horizons.index(label) % len(COLOURS)]
            axes.plot(where, [100 * each for each in curve], style, color=colour, label=label, linewidth=1.2)
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        finish(axes, "% expected within", f"{kind}: % found there, by steps imagined", bool(of_kind))
    return made


def horizon_of(row: Mapping[str, Any]) -> str:
    """The number of steps that a row's predictions were imagined, as text."""
    return printable(str(row.get("horizon")), 10)


def curve_of(row: Mapping[str, Any]) -> list[float]:
    """The coverage of a row, at equal distances of probability; empty where it is damaged."""
    curve = row.get("curve")
    return curve if isinstance(curve, list) and curve and all(map(number, curve)) else []


def finish(axes: Any, across: str, up: str, legend: bool) -> None:
    """Name the axes.  Texts may come from files: none of them is a formula."""
    axes.set_xlabel(across, parse_math=False)
    axes.set_title(printable(up, 80), loc="left", fontsize=10, parse_math=False)
    if "steps" in across:
        from matplotlib.ticker import EngFormatter

        axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 20k, 1M
    if legend:
        for text in axes.legend(frameon=False, fontsize=8).get_texts():
            text.set_parse_math(False)

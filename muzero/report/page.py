"""The report as one HTML page that needs nothing beside it: no scripts, no network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from muzero.report.collect import Run, differences
from muzero.report.untrusted_files import number, rows
from muzero.util.provenance import provenance

STYLE = """
:root { --text: #1f2730; --dim: #66727f; --page: #fff; --rule: #dfe4e9; --band: #f5f7f9; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 84rem; color: var(--text); background: var(--page);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 .2rem; font-size: 1.6rem; }
h2 { margin: 2rem 0 .6rem; font-size: 1.2rem; border-bottom: 1px solid var(--rule); }
h3 { margin: 1.2rem 0 .4rem; font-size: 1rem; }
p.note { color: var(--dim); margin: .2rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .4rem 0; }
.wide { overflow-x: auto; }
th, td { padding: .2rem .8rem .2rem 0; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { color: var(--dim); font-weight: 500; }
th:first-child, td:first-child, .words { text-align: left; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; }
img { width: 100%; height: auto; }
pre { background: var(--band); padding: .8rem; overflow-x: auto; font-size: 13px; }
details > summary { cursor: pointer; color: var(--dim); }
"""
FIRST = ("evaluation", "sweep", "calibration", "self-play")  # beginnings of the names of charts
HEALTH = ("health",)


def page(runs: Sequence[Run], charts: Mapping[str, bytes]) -> str:
    """The whole page.  charts: PNG by name."""
    games = ", ".join(dict.fromkeys(run.game for run in runs))
    made = provenance()
    parts = [
        f"<h1>{escape(games)}</h1>",
        f'<p class="note">{len(runs)} run{"s" * (len(runs) > 1)}, reported {escape(made["date"])}</p>',
        section("Runs", summary(runs) + problems(runs)),
        section("Curves", drawn(charts, FIRST), "Every seed is drawn; bands and brackets are 95 % intervals."),
        *(section(f"Results: {run.label}", results(run)) for run in runs if run.results or run.final),
        section("Health", drawn(charts, HEALTH), "docs/health.md says what each number means, and what is healthy."),
        section("Learning and speed", drawn(charts, others=FIRST + HEALTH)),
        section("Settings that differ", different(runs)) if len(runs) > 1 else "",
        section("Hardware and commands", "".join(origin(run) for run in runs) + made_by(made)),
        section("Configuration", "".join(configuration(run) for run in runs)),
    ]
    head = f'<meta charset="utf-8"><title>{escape(games)}: report</title><style>{STYLE}</style>'
    viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<!doctype html>\n<html lang="en"><head>{viewport}{head}</head><body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def section(title: str, body: str, note: str = "") -> str:
    """A part of the page; empty if its body is."""
    shown = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<h2>{escape(title)}</h2>{shown}{body}" if body else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of texts and numbers, without columns that are empty; words to the left, numbers to the right."""
    named = zip(columns, *rows, strict=True)
    kept = [column for column in named if any(value not in (None, "") for value in column[1:])]
    marks = [' class="words"' if any(map(wordy, column[1:])) else "" for column in kept]
    head = "".join(f"<th{mark}>{escape(column[0])}</th>" for column, mark in zip(kept, marks, strict=True))
    body = ""
    for line in zip(*(column[1:] for column in kept), strict=True):
        cells = zip(line, marks, strict=True)
        body += "<tr>" + "".join(f"<td{mark}>{cell(value)}</td>" for value, mark in cells) + "</tr>"
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def wordy(value: Any) -> bool:
    """Whether a cell is words, not a number with or without its interval."""
    return isinstance(value, str) and bool(value) and not value[0].isdigit() and value[0] not in "+-∞"


def cell(value: Any) -> str:
    """A value as HTML text: numbers with four significant digits, an empty cell for None."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return escape(str(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def interval(value: Any, ends: Any, form: str = ".2f") -> str:
    """A figure with its 95 % interval, as "0.31 [0.12..0.50]"."""
    low, high = ends if isinstance(ends, list) and len(ends) == 2 else (None, None)
    texts = [f"{each:{form}}" if number(each) else "∞" for each in (value, low, high)]
    return f"{texts[0]} [{texts[1]}..{texts[2]}]"


def summary(runs: Sequence[Run]) -> str:
    """A line for each run."""
    columns = ["run", "game", "seed", "steps", "updates", "minutes", "last evaluation", "best checkpoint"]
    rows = []
    for run in runs:
        done = run.evaluations
        last = f"{interval(done[-1].mean, [done[-1].low, done[-1].high])} {done[-1].name}" if done else ""
        best = next((each for each in reversed(done) if each.step == run.best), None)
        kept = f"step {best.step:,}: {interval(best.mean, [best.low, best.high])}" if best else ""
        minutes = f"{(run.last('seconds') or 0) / 60:.1f}"
        rows.append([run.label, run.game, run.seed, run.last("steps"), run.last("updates"), minutes, last, kept])
    note = '<p class="note">The best checkpoint is the one whose interval has the highest lower end.</p>'
    return table(columns, rows) + note


def problems(runs: Sequence[Run]) -> str:
    """What could not be read of the runs, a line each."""
    lines = [f"<li>{escape(run.label)}: {escape(problem)}</li>" for run in runs for problem in run.problems]
    return f"<p>What could not be read:</p><ul>{''.join(lines)}</ul>" if lines else ""


def drawn(charts: Mapping[str, bytes], begins: tuple[str, ...] = ("",), others: tuple[str, ...] = ()) -> str:
    """HTML of the charts whose names begin in some ways and not in others, their images inside the page."""
    chosen = {name: image for name, image in charts.items() if name.startswith(begins) and not name.startswith(others)}
    figures = "".join(
        f'<figure><img alt="{escape(name.removesuffix(".png"))}" '
        f'src="data:image/png;base64,{base64.b64encode(image).decode()}"></figure>'
        for name, image in chosen.items()
    )
    return f'<div class="charts">{figures}</div>' if figures else ""


def results(run: Run) -> str:
    """What was played after the run, and at its end."""
    parts = []
    if run.final:
        columns = ["at the end of the run", "games", "mean [95 %]", "wins", "draws", "losses"]
        rows = [
            [name, row.get("games"), interval(row.get("mean"), row.get("interval_95"))]
            + [row.get(key) for key in ("wins", "draws", "losses")]
            for name, row in run.final.items()
        ]
        parts.append(table(columns, rows))
    for name, found in run.results.items():
        parts.append(f"<h3>{escape(name)}</h3>" + result(found))
    return "".join(parts)


def result(found: Mapping[str, Any]) -> str:
    """HTML of one file that muzero-eval wrote, and the command that made it."""
    provenance = found.get("provenance")
    command = provenance.get("command") if isinstance(provenance, dict) else None
    note = f'<p class="note">{escape(str(command))}</p>' if command else ""
    if isinstance(found.get("players"), list):
        return ladder(rows(found["players"])) + note
    if isinstance(found.get("calibration"), list):
        return "".join(map(calibration, rows(found["calibration"]))) + note
    lines = rows(found.get("rows")) or [dict(found)]
    if "optimal" in lines[0]:
        columns = ["player", "positions", "optimal [95 %]", "keeps outcome [95 %]", "value error", "ms/move"]
        return table(columns, map(quality, lines)) + note
    if "share" in lines[0]:
        columns = ["player", "against", "games", "wins", "draws", "losses", "points [95 %]", "Elo [95 %]", "ms/move"]
        return table(columns, map(match, lines)) + note
    return alone(found, lines) + note


def calibration(found: Mapping[str, Any]) -> str:
    """How well one run knows what it predicts."""
    lines = [(row, row.get("coverage"), row.get("coverage_interval_95")) for row in rows(found.get("rows"))]
    lines = [(row, shares, ends) for row, shares, ends in lines if isinstance(shares, dict) and isinstance(ends, dict)]
    levels = list(dict.fromkeys(level for _, shares, _ in lines for level in shares))
    columns = ["prediction", "steps", "beyond", "targets", *(f"in {level} [95 %]" for level in levels)]
    keys = ("calibration_error", "error", "sharpness", "epistemic_share", "spearman")
    shown = [
        [row.get("number"), row.get("horizon"), "*" if row.get("beyond") is True else None, row.get("targets")]
        + [interval(shares.get(level), ends.get(level), ".1%") for level in levels]
        + [row.get(key) for key in keys]
        for row, shares, ends in lines
    ]
    names = ["calibration error", "error", "deviation", "of it ignorance", "rank correlation"]
    counts = f"{found.get('player')}: {found.get('positions')} positions of {found.get('games')} games"
    text = f"<p>{escape(counts)}</p>" + table([*columns, *names], shown)
    outside = found.get("outside")
    areas = (
        [[name, outside[name]] for name in ("value", "reward") if name in outside] if isinstance(outside, dict) else []
    )
    described = [
        [
            f"members differ more on the {name} in random play",
            interval(area.get("auroc"), area.get("interval_95"), ".2f"),
        ]
        for name, area in areas
        if isinstance(area, dict)
    ]
    return text + (table(["doubt", "AUROC [95 %]"], described) if described else "")


def alone(found: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> str:
    """Scores in a single-agent environment, beside published ones."""
    columns = ["player", "protocol", "games", "mean [95 %]", "min", "max", "of human", "ms/move"]
    keys = ("min", "max", "human_normalised", "milliseconds_per_move")
    shown = [
        [row.get("player"), row.get("protocol"), row.get("games"), interval(row.get("mean"), row.get("interval_95"))]
        + [row.get(key) for key in keys]
        for row in lines
    ]
    text = table(columns, shown)
    published = [[each.get("agent"), each.get("score"), each.get("source")] for each in rows(found.get("references"))]
    if published:
        text += table(["published", "score", "source"], published)
    seeds = found.get("over_seeds")
    if isinstance(seeds, dict):
        mean = interval(seeds.get("iqm"), [seeds.get("low"), seeds.get("high")])
        text += f"<p>Interquartile mean over {cell(seeds.get('runs'))} runs: {mean}</p>"
    return text


def quality(row: Mapping[str, Any]) -> list[Any]:
    """A line of moves compared with perfect play."""
    shares = [interval(row.get(key), row.get(f"{key}_interval_95"), ".1%") for key in ("optimal", "outcome_preserving")]
    return [row.get("player"), row.get("positions"), *shares, row.get("value_error"), row.get("milliseconds_per_move")]


def match(row: Mapping[str, Any]) -> list[Any]:
    """A line of a match."""
    counts = [row.get(key) for key in ("games", "wins", "draws", "losses")]
    points = interval(row.get("share"), row.get("share_interval_95"), ".1%")
    elo = interval(row.get("elo"), row.get("elo_interval_95"), "+.0f")
    return [row.get("player"), row.get("against"), *counts, points, elo, row.get("milliseconds_per_move")]


def ladder(players: Sequence[Mapping[str, Any]]) -> str:
    """HTML table of a ladder's ratings, the best player first."""
    rated = sorted(players, key=lambda row: -row["elo"] if number(row.get("elo")) else 0.0)
    lines = [
        [
            row.get("player"),
            interval(row.get("elo"), row.get("elo_interval_95"), "+.0f"),
            row.get("points"),
            row.get("games"),
        ]
        for row in rated
    ]
    return table(["player", "Elo [95 %]", "points", "games"], lines)


def different(runs: Sequence[Run]) -> str:
    """Settings that are not the same in all runs."""
    found = differences(runs)
    if not found:
        return "<p>All settings are the same.</p>"
    rows = [[key, *("-" if value is None else str(value) for value in row)] for key, row in found.items()]
    return table(["setting", *(run.label for run in runs)], rows)


def origin(run: Run) -> str:
    """How a run came about."""
    if not run.commands:
        return f'<h3>{escape(run.label)}</h3><p class="note">No commands are recorded.</p>'
    last = run.commands[-1]
    commands = "\n".join(f"{each.get('date')}  {each.get('command')}" for each in run.commands)
    return f"<h3>{escape(run.label)}</h3><pre>{escape(commands)}</pre>" + facts(last)


def facts(note: Mapping[str, Any]) -> str:
    """HTML paragraph about the machine and the versions of packages, from a provenance."""
    machine, versions = note.get("machine"), note.get("versions")
    machine, versions = (each if isinstance(each, dict) else {} for each in (machine, versions))
    named = machine.get("gpus")
    gpus = ", ".join(map(str, named)) if isinstance(named, list) and named else "no GPU"
    text = f"{machine.get('processor')}, {machine.get('cores')} cores, {machine.get('memory_GiB')} GiB, {gpus}"
    with_them = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f'<p class="note">{escape(text)}, {escape(str(machine.get("system")))}<br>{escape(with_them)}</p>'


def made_by(note: Mapping[str, Any]) -> str:
    """How this page was made."""
    return f"<h3>this page</h3><pre>{escape(note['date'])}  {escape(note['command'])}</pre>" + facts(note)


def configuration(run: Run) -> str:
    """HTML of a run's whole configuration, folded behind the run's name."""
    return f"<details><summary>{escape(run.label)}</summary><pre>{escape(run.text)}</pre></details>"

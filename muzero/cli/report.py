"""muzero-report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from muzero.cli.exits import guarded
from muzero.cli.parser import Parser
from muzero.config import ConfigError
from muzero.util.text import printable

PAGE = "report.html"

NOT_LEARNED_FROM = (
    *("run.seed", "run.steps", "run.seconds", "run.symmetries", "run.evaluate_every", "run.evaluation_games"),
    *("run.save_every", "actors.overlap", "planner.greedy_value_scale"),
)
"""Settings in which runs of a curve may differ: how long a run lasts, where it plays, and how it is evaluated."""


def report_command(arguments: Sequence[str] | None = None) -> int:
    """Write a report of some runs."""
    parser = Parser(
        prog="muzero-report",
        example="zoo/CartPole-v1",
        description="Write one page about runs: curves, results, settings, hardware, commands.",
        epilog="The report includes what muzero-eval --json wrote into RUN/results/.",
    )
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="folder of a run; several runs appear side by side"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the page (default: RUN/report, or report for several runs)"
    )
    parser.add_argument(
        "--curve",
        type=Path,
        metavar="FILE",
        help="write the curve of these runs to a file instead, for later runs of the game to be compared with: "
        "the runs are healthy, finished, and learn alike, with other seeds",
    )
    options = parser.parse_args(arguments)
    if options.curve is not None:
        return write_curve(options.runs, options.curve)
    from muzero.report.charts import charts
    from muzero.report.collect import collect
    from muzero.report.page import page
    from muzero.runs.folder import require_run
    from muzero.runs.zoo import hint, located, outputs

    for run in options.runs:
        require_run(located(run), hint(str(run)))
    runs = collect(list(dict.fromkeys(map(located, options.runs))))
    images = charts(runs, healthy(runs[0].game) if len({run.game for run in runs}) == 1 else {})
    folder = options.out or (outputs(runs[0].folder) / "report" if len(runs) == 1 else Path("report"))
    if options.out is None and folder.is_symlink():
        raise ConfigError([f"{folder} is a symbolic link; choose a folder with --out"])
    folder.mkdir(parents=True, exist_ok=True)
    files = images | {PAGE: page(runs, images).encode("utf-8", "replace")}
    for name, content in files.items():
        (folder / name).unlink(missing_ok=True)  # a link is not written through, a pipe not waited for
        (folder / name).write_bytes(content)
    print(f"the report: {printable(str(folder / PAGE), 300)}, with {len(images)} charts beside it")
    return 0


def healthy(game: str) -> dict[str, list[tuple[float, float, float]]]:
    """The bands of healthy runs of a game, by the names of metrics."""
    from muzero.diagnostics.curve import of_game

    found: dict[str, list[tuple[float, float, float]]] = {}
    curve = of_game(game)
    for steps, bands in [] if curve is None else curve.points:
        for name, (low, high) in bands.items():
            found.setdefault(name, []).append((steps, low, high))
    return found


def write_curve(folders: Sequence[Path], file: Path) -> int:
    """Write the curve of healthy runs.

    Raises:
        ConfigError: if the runs learn in other ways, or have not been measured.
    """
    from muzero import build
    from muzero.config import merge, read_layer
    from muzero.diagnostics.curve import make
    from muzero.report.collect import collect
    from muzero.runs.folder import RunFolder
    from muzero.util.files import replace

    runs = collect(list(dict.fromkeys(folders)))
    # A setting that a run of an earlier version lacks has the default, which is what that version did.
    first, *others = (merge([read_layer(RunFolder(run.folder).config)], build.SCHEMA) for run in runs)
    different = dict.fromkeys(line for other in others for line in first.difference(other, NOT_LEARNED_FROM))
    if different:
        raise ConfigError([f"{runs[0].label}: {line}" for line in different] + ["a curve is of runs that learn alike"])
    made = make(runs[0].game, [run.seed for run in runs], [run.metrics for run in runs])
    replace(file, made.text())
    print(f"the curve of {len(runs)} runs: {printable(str(file), 300)}, with {len(made.points)} points")
    return 0


main = guarded(report_command)

"""muzero-report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from muzero.cli.exits import guarded
from muzero.cli.parser import Parser
from muzero.config import ConfigError
from muzero.util.text import printable

PAGE = "report.html"


def report_command(arguments: Sequence[str] | None = None) -> int:
    """Write a report of some runs."""
    parser = Parser(
        prog="muzero-report",
        description="Write one page about runs: curves, results, settings, hardware, commands.",
        epilog="The report includes what muzero-eval --json wrote into RUN/results/.",
    )
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="folder of a run; several runs appear side by side"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the page (default: RUN/report, or report for several runs)"
    )
    options = parser.parse_args(arguments)
    from muzero.report.charts import charts
    from muzero.report.collect import collect
    from muzero.report.page import page

    runs = collect(list(dict.fromkeys(options.runs)))
    images = charts(runs)
    folder = options.out or (runs[0].folder / "report" if len(runs) == 1 else Path("report"))
    if options.out is None and folder.is_symlink():
        raise ConfigError([f"{folder} is a symbolic link; choose a folder with --out"])
    folder.mkdir(parents=True, exist_ok=True)
    files = images | {PAGE: page(runs, images).encode("utf-8", "replace")}
    for name, content in files.items():
        (folder / name).unlink(missing_ok=True)  # a link is not written through, a pipe not waited for
        (folder / name).write_bytes(content)
    print(f"the report: {printable(str(folder / PAGE), 300)}, with {len(images)} charts beside it")
    return 0


main = guarded(report_command)

"""muzero-report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from muzero.cli.exits import guarded
from muzero.cli.parser import Parser

PAGE = "report.html"


def report_command(arguments: Sequence[str] | None = None) -> int:
    """muzero-report."""
    parser = Parser(
        prog="muzero-report",
        description="One page about runs: curves, results, settings, hardware, commands.",
        epilog="What muzero-eval --json writes into RUN/results/ is part of the report.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs, side by side")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where it goes (default: RUN/report, or ./report)")
    options = parser.parse_args(arguments)
    from muzero.report.charts import charts
    from muzero.report.collect import collect
    from muzero.report.page import page

    runs = collect(list(dict.fromkeys(options.runs)))
    images = charts(runs)
    folder = options.out or (runs[0].folder / "report" if len(runs) == 1 else Path("report"))
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        (folder / name).write_bytes(image)
    (folder / PAGE).write_text(page(runs, images), encoding="utf-8")
    print(f"the report: {folder / PAGE}, with {len(images)} charts beside it")
    return 0


main = guarded(report_command)

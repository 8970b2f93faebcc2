"""How a run shows its progress: by lines, or as a dashboard where that was asked for and is possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from muzero.training.loop import Training
    from muzero.training.progress import Progress


def progress_of(training: Training, console: Console, view: bool) -> Progress:
    """The progress of a run on a console.  view: as a dashboard, if the console can show one."""
    from muzero.cli.tables import say
    from muzero.training.progress import Progress
    from muzero.training.view.dashboard import Dashboard, refused
    from muzero.training.view.shown_game import ShownGame
    from muzero.util.text import escaped

    if not view or console.quiet:
        return Progress(training.folder, console)
    reason = refused(console)
    if reason is not None:
        say(console, f"--view needs a terminal to draw on, and {reason}: showing lines")
        return Progress(training.folder, console)
    game = ShownGame(training.config, training.learner.acting)
    dashboard = Dashboard(training.folder, console, training.spec.name, f"run in {escaped(str(training.given))}", game)
    training.stop.leave = dashboard.leave
    return dashboard

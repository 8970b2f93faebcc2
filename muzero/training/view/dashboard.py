"""The dashboard itself: draws on the whole terminal while a run learns, and leaves it as it was."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from muzero.training.progress import SCREEN_SECONDS, Progress
from muzero.training.status import Status
from muzero.training.view.bottleneck import shares
from muzero.training.view.history import History
from muzero.training.view.layout import laid_out
from muzero.training.view.panels import View
from muzero.training.view.shown_game import ShownGame

DRAWING = 0.02  # of the time that drawing may take
KEPT = 200  # messages that are printed once the terminal is as it was
LEAVE = b"\x1b[?1049l\x1b[?25h"  # the screen from before, with a cursor


class Dashboard(Progress):
    """Progress that is drawn on a whole terminal."""

    def __init__(self, folder: Path, console: Console, title: str, where: str, game: ShownGame) -> None:
        """Draw nothing yet.

        Args:
            folder: of the run.
            console: a terminal.
            title: the run's game.
            where: the run is.
            game: is shown.
        """
        self.history = History(folder)  # before this session adds rows
        super().__init__(folder, console)
        self.title, self.where, self.game = title, where, game
        self.said: list[str] = []
        self.note = ""
        self.newest: Status | None = None
        self.live: Live | None = None

    def show(self, status: Status) -> None:
        """As of `Progress`; and let the shown game make a move, where it is time."""
        if self.live is None and not self.silent and self.newest is None:
            self._open()
        self.newest, self.note = status, ""
        if status.updates:
            self.game.look()
        super().show(status)

    def _draw(self, status: Status) -> None:
        if self.live is None:
            super()._draw(status)
            return
        self.history.add(status)
        self.recently(status)
        self._refresh()

    def _refresh(self) -> None:
        if self.live is None or self.newest is None:
            return
        began, size, live = time.perf_counter(), self.console.size, self.live
        try:
            drawn = laid_out(self._view(), *size)
            self._guarded(lambda: live.update(drawn, refresh=True))
        except Exception as error:  # what a run shows cannot end it
            self._stop()
            self._say(f"warning: the dashboard failed, lines follow ({type(error).__name__}: {error})", style="yellow")
        # Large frames take long to draw: then they are drawn less often.
        self.screen_every = max(SCREEN_SECONDS, (time.perf_counter() - began) / DRAWING)

    def _view(self) -> View:
        assert self.newest is not None
        status, before = self.newest, self.recent[0] if self.recent else self.newest
        rates = {name.replace("_per_second", "/s"): rate for name, rate in status.rates(before).items()}
        if status.clock == before.clock:
            rates = {}
        error = self.game.error
        return View(
            title=self.title,
            where=self.where,
            status=status,
            left=self.pace.left(status),
            rates=rates,
            spent=shares(status, before),
            history=self.history,
            shown=self.game.newest,
            silence=f"No game can be shown: {error}" if error else "" if status.updates else WAITING,
            said=self.said,
            note=self.note,
            two_player=self.game.two_player,
        )

    def _live(self, text: str) -> None:
        if self.live is None:
            super()._live(text)
        else:
            self.note = text
            self._refresh()

    def _say(self, text: str, **how: Any) -> None:
        if self.live is None:
            super()._say(text, **how)
        else:
            self.said = [*self.said, text][-KEPT:]

    def _open(self) -> None:
        live = Live(console=self.console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._guarded(live.start)
        self.live = None if self.silent else live

    def leave(self) -> None:
        """Give the terminal back at once, from a signal handler."""
        if self.live is not None:
            with suppress(OSError, ValueError):
                os.write(self.console.file.fileno(), LEAVE)

    def close(self, status: Status) -> None:
        """Give the terminal back, and print there what was said, and the last line."""
        self._stop()
        self.game.close()
        super().close(status)

    def _stop(self) -> None:
        """Give the terminal back, and print there what was said meanwhile."""
        live, self.live = self.live, None
        if live is None:
            return
        self._guarded(live.stop)
        for message in self.said:
            style = "yellow" if message.startswith("warning: ") else None
            self._say(message, style=style, soft_wrap=True)


WAITING = "A game is shown once the first updates are made."


def refused(console: Console) -> str | None:
    """Why a console cannot show a dashboard; None if it can."""
    if not console.is_terminal:
        return "the output is not a terminal"
    if console.is_dumb_terminal:
        return "this terminal (TERM=dumb) cannot move its cursor"
    if console.options.ascii_only:
        return f"this terminal's encoding, {console.encoding}, has no characters to draw with; use a UTF-8 locale"
    return None

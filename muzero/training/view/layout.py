"""Where the parts of a dashboard are: in two columns, below each other, or the most important ones alone."""

from __future__ import annotations

from functools import partial

from rich.layout import Layout

from muzero.training.view import game_panel, panels
from muzero.training.view.panels import Fitted, View, framed, titled

GAME = "a game on the newest weights"
WIDE = 90  # columns from which there are two columns of parts
ROOMY = 34  # lines below which parts have no frames
TALL = 36  # lines from which a board leaves room for more beside it
SHORT = 16  # lines below which there are no frames


def laid_out(view: View, width: int, height: int) -> Layout:
    """The dashboard for a terminal of these columns and lines."""
    root = Layout()
    lines = 2 if height >= 8 else 1
    top = Layout(Fitted(partial(panels.head, view)), size=lines)
    if height < SHORT:
        root.split_column(top, *_short(view, width, height - lines))
    elif width >= WIDE:
        root.split_column(top, *_wide(view, width, height - lines))
    else:
        root.split_column(top, *_narrow(view, height - lines))
    return root


def _wide(view: View, width: int, height: int) -> list[Layout]:
    said = _lines(view, width - 4, max(height // 5, 3)) + 2
    rows = max((height - said) // 3, 4)
    score = Layout(framed("score", partial(panels.scores, view)))
    learning = Layout(framed("learning", partial(panels.figures, view)), size=min(len(view.status.losses) + 7, rows))
    game = Layout(framed(GAME, partial(game_panel.position, view)))
    time = Layout(framed("time", partial(panels.times, view)), size=7)
    left, right, body = Layout(ratio=1), Layout(ratio=1), Layout()
    if height >= TALL and (view.shown is None or view.shown.frame is None):  # a board needs less room than a frame
        left.split_column(score)
        right.split_column(game, learning, time)
    else:
        left.split_column(score, learning)
        right.split_column(game, time)
    body.split_row(left, right)
    return [body, Layout(framed("messages", partial(panels.messages, view)), size=said)]


def _narrow(view: View, height: int) -> list[Layout]:
    """Below each other, the game included; where there are few lines, without frames and without the figures."""
    roomy = height >= ROOMY
    put, more = (framed, 1) if roomy else (titled, 0)
    parts = [
        Layout(put("score", partial(panels.scores, view)), ratio=2, minimum_size=5),
        Layout(put(GAME, partial(game_panel.position, view)), ratio=3),
    ]
    if height >= 26:
        parts.append(Layout(put("learning", partial(panels.figures, view)), size=5 + more))
    parts.append(Layout(put("time", partial(panels.times, view)), size=5 + more if roomy else 2))
    parts.append(Layout(put("messages", partial(panels.messages, view)), size=(5 if roomy else 3) + more))
    return parts


def _short(view: View, width: int, height: int) -> list[Layout]:
    """Without frames: the curve beside the game where there is room, else the figures; and the newest message."""
    if height < 1:
        return []
    said = Layout(Fitted(partial(panels.messages, view)), size=1)
    if height < 6:
        return [Layout(Fitted(partial(panels.figures, view))), said] if height > 1 else [said]
    curve, game = (Layout(Fitted(partial(draw, view))) for draw in (panels.scores, game_panel.position))
    body = Layout()
    body.split_row(*([curve, Layout(" ", size=2), game] if width >= WIDE else [curve]))
    return [body, Layout(Fitted(partial(panels.times, view)), size=2), said]


def _lines(view: View, width: int, most: int) -> int:
    """Lines that the messages need."""
    needed = sum(-(-len(message) // max(width - 4, 1)) for message in [*view.said[-3:], *[view.note] * bool(view.note)])
    return min(max(needed, 1), most)

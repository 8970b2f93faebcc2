"""The part of a dashboard that shows a game: its position, its moves, and what the agent thinks of them."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from muzero.interactive.pictures import half_blocks, shades
from muzero.interactive.thoughts import Move
from muzero.training.view.chart import short
from muzero.training.view.panels import View, flowing
from muzero.training.view.shown_game import Shown
from muzero.util.text import escaped

ROOM = 60  # columns of a picture and its moves below which the moves have fewer columns
MOST = 4  # columns of a pixel
LONGEST = 16  # columns of a move's name


class Form(NamedTuple):
    """The columns of a table of moves."""

    name: int  # columns of a move's name
    whole: bool  # whether the search's policy has its column, too
    searched: bool  # whether there are visits and values


def position(view: View, width: int, height: int, colour: bool) -> Text:
    """The position of a game that is played for the user; beside or below it its moves, and what is said of it."""
    shown = view.shown
    if shown is None:
        return flowing((view.silence or "A game begins soon.").split(), width, " ")
    form = columns_of(shown, width)
    least = len(row_of(None, *form).plain)
    picture = drawn(shown, width - least - 2, height, colour)
    if not picture or not shown.moves:
        picture = drawn(shown, width, height // 2, colour)
        return Text("\n").join([*picture, *beside(shown, form, width, height - len(picture))])
    across = max(cell_len(line.plain) for line in picture)
    under = facts(shown, width, height - max(len(picture), min(len(shown.moves) + 1, height - 3)))
    if len(under) >= 3:  # in full width
        table = moves(shown, form, height - len(under))
    else:
        table, under = beside(shown, form, width - across - 2, height), []
    rows = []
    for number in range(max(len(picture), len(table))):
        row = picture[number].copy() if number < len(picture) else Text()
        row.append(" " * (across + 2 - cell_len(row.plain)))
        rows.append(row + table[number] if number < len(table) else row)
    return Text("\n").join([*rows, *map(Text, under)])


def beside(shown: Shown, form: Form, width: int, height: int) -> list[Text]:
    """The moves, and what is said of the position, in a third of the lines or what the moves leave."""
    said = facts(shown, width, max(height // 3, height - len(shown.moves) - 2, 1))
    table = moves(shown, form, height - len(said))
    if table and len(table) + len(said) < height:
        table.append(Text())
    return [*table, *map(Text, said)]


def drawn(shown: Shown, width: int, height: int, colour: bool) -> list[Text]:
    """The position itself: a frame, or text; nothing where it does not fit."""
    if height < 1 or width < 1:
        return []
    if shown.frame is not None:
        tall, wide = shown.frame.shape[:2]
        whole = min(width // wide, 2 * height // tall, MOST)  # a small frame is even where each pixel has as many cells
        draw = half_blocks if colour else shades
        return list(draw(shown.frame, whole * wide or width, height).split("\n"))
    lines = [escaped(line) for line in shown.text.rstrip("\n").split("\n")]
    if len(lines) == 1:
        lines = textwrap.wrap(lines[0], width)
    fits = len(lines) <= height and max(map(cell_len, lines), default=0) <= width
    return [Text(line) for line in lines] if fits else []


def columns_of(shown: Shown, width: int) -> Form:
    """How moves are shown in this width, a picture beside them."""
    longest = max([cell_len("move"), *(cell_len(escaped(move.name)) for move in shown.moves)])
    searched = any(move.visits for move in shown.moves)
    return Form(min(longest, LONGEST if width >= ROOM else LONGEST // 2), width >= ROOM, searched)


def moves(shown: Shown, form: Form, height: int) -> list[Text]:
    """The best moves, below a line of titles; that which is played is always among them."""
    if height < 2 or not shown.moves:
        return []
    best = list(shown.moves[: height - 1])
    if shown.played not in [move.name for move in best]:
        best[-1:] = [move for move in shown.moves if move.name == shown.played]
    return [row_of(None, *form), *(row_of(move, *form, "bold green" * (move.name == shown.played)) for move in best)]


def row_of(move: Move | None, name: int, whole: bool, searched: bool, style: str = "") -> Text:
    """A move with its visits, its prior, its share of the search's policy, and its value; None: the titles of these.

    Without a search there are neither visits nor values, and the share is that of the planner.
    """
    if move is None:
        policy, label, style = "search" if searched else "planner", "move", "dim"
        cells = ("visits", "prior", policy, "value")
    else:
        value = "" if move.value is None else signed(move.value)
        cells, label = (f"{move.visits}", f"{move.prior:.0%}", f"{move.policy:.0%}", value), escaped(move.name)
    widths = ({6: cells[0]} if searched else {}) | {5: cells[1]} | ({7: cells[2]} if whole or not searched else {})
    row = set_cell_size(label, name) + "".join(f" {cell:>{width}}" for width, cell in widths.items())
    return Text(f"{row} {cells[3]:>6}" if searched else row, style)


def facts(shown: Shown, width: int, height: int) -> list[str]:
    """What is said of the position in words, the most important first, as far as it fits."""
    to_move = f", {shown.player} to move" if shown.player else ""
    over = "" if shown.score is None else f"; the game is over: {short(shown.score)}"
    said = [f"game {shown.game}, move {shown.move + 1}{to_move}: plays {shown.played}{over}"]
    if shown.predicted:
        error = sum(abs(a - b) for a, b in zip(shown.predicted, shown.real, strict=True)) / len(shown.real)
        said.append(f"reward predicted {signed(shown.predicted[-1])}, real {signed(shown.real[-1])}")
        said[-1] += f"; {error:.2f} off on average"
    if shown.numbers:
        said.append(f"the network alone would play {shown.numbers}")
    searched = f"{signed(shown.value)} by search, " if shown.searched else ""
    said.append(f"value {searched}{signed(shown.network_value)} by the network")
    if shown.searched:
        said.append(f"expects {' '.join(shown.line)}")
    lines: list[str] = []
    for wrapped in (textwrap.wrap(escaped(text), width)[:2] for text in said):
        if len(lines) + len(wrapped) > height:
            return lines or wrapped[: max(height, 0)]
        lines += wrapped
    return lines


def signed(number: float) -> str:
    """A value or a reward, with its sign."""
    return f"{round(number, 2) + 0.0:+.2f}" if abs(number) < 100 else short(number)

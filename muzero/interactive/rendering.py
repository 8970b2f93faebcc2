"""Positions as pictures, with Pillow: the environment's frame, a board, an observation, or text in a box."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from muzero.interactive.boards import Board, Cell, board_of
from muzero.interactive.pictures import frame_of
from muzero.interfaces import Rules
from muzero.util.extras import need

SIZE = 420  # pixels of the longer side of a picture
BACKGROUND, INK, DIM, LINE = (24, 26, 32), (232, 234, 238), (150, 156, 168), (70, 76, 88)
ACCENT, SECOND, WARM = (94, 176, 255), (126, 211, 133), (255, 170, 90)
MOST_NUMBERS = 24  # of an observation that is drawn as bars
WOOD, GREEN, BLUE = (214, 170, 104), (46, 125, 80), (38, 88, 170)
FIRST = {"discs": (226, 72, 66), "hexagons": (226, 72, 66)}
# Of what the search thinks of empty cells.
GREY = (96, 104, 120)
MARK = {"marks": GREY, "hexagons": GREY, "discs": GREY, "stones": (150, 104, 48), "stones on squares": (28, 92, 56)}
SECONDS = {"discs": (248, 206, 70), "hexagons": (74, 128, 226)}


def pillow() -> tuple[Any, Any, Any]:
    """The modules Image, ImageDraw and ImageFont of Pillow.

    Raises:
        MissingExtra: if it is not installed.
    """
    names = ("PIL.Image", "PIL.ImageDraw", "PIL.ImageFont")
    image, draw, font = (need(name, "a picture", "Pillow", "watch") for name in names)
    return image, draw, font


def picture(
    observation: np.ndarray,
    rules: Rules | None = None,
    frame: np.ndarray | None = None,
    weights: Mapping[int, float] | None = None,
    size: int = SIZE,
) -> Any:
    """A position as a picture.

    Args:
        observation: [*observation], for what draws neither frames nor boards.
        rules: the position; None where the rules cannot be consulted.
        frame: [H, W, 3] uint8, the environment's own picture.
        weights: of actions, between 0 and 1, to mark on boards that are known.
        size: pixels of the longer side.

    Returns:
        a `PIL.Image.Image` in RGB.

    Raises:
        MissingExtra: if Pillow is not installed.
    """
    shown = frame if frame is not None or rules is not None else frame_of(observation)
    if shown is not None:
        return fitted(shown, size)
    if rules is None:
        return bars(observation, size)
    board = board_of(rules)
    if board is None:
        return text(rules.draw(), size)
    places = {action: board.place(rules.game, action) for action in weights or {}}
    return drawn(board, {cell: (weights or {})[action] for action, cell in places.items() if cell}, size)


def fitted(frame: np.ndarray, size: int) -> Any:
    """A frame whose longer side is about `size`: small ones grow by a whole factor, large ones shrink."""
    image, *_ = pillow()
    given = image.fromarray(np.ascontiguousarray(frame))
    longest = max(given.size)
    if longest <= size:
        factor = size // longest
        return given.resize((given.width * factor, given.height * factor), image.Resampling.NEAREST)
    shape = tuple(max(1, round(side * size / longest)) for side in given.size)
    return given.resize(shape, image.Resampling.LANCZOS)


def drawn(board: Board, weights: Mapping[Cell, float], size: int) -> Any:
    """A board as a picture.  weights: of cells, between 0 and 1, to mark."""
    rows, columns = len(board.cells), len(board.cells[0])
    scale = 2  # drawn larger, then shrunk: edges are smooth
    hexagonal = board.shape == "hexagons"
    wide = (columns + (rows - 1) / 2) * math.sqrt(3) if hexagonal else columns + 0.6
    tall = 1.5 * rows + 0.5 if hexagonal else rows + 0.6
    unit = scale * size / max(wide, tall)
    image, draw, _ = pillow()
    grounds = {"discs": BLUE, "stones": WOOD, "stones on squares": GREEN}
    canvas = image.new("RGB", (round(wide * unit), round(tall * unit)), grounds.get(board.shape, BACKGROUND))
    pen = draw.Draw(canvas)
    centre = _hexagon_centre(unit) if hexagonal else _square_centre(unit)
    _ground(pen, board, centre, unit)
    for row, cells in enumerate(board.cells):
        for column, kind in enumerate(cells):
            x, y = centre(row, column)
            if kind:
                _piece(pen, board.shape, kind, x, y, unit)
            elif share := weights.get((row, column), 0.0):
                _disc(pen, x, y, unit * (0.04 + 0.16 * math.sqrt(share)), MARK[board.shape])
            if board.last == (row, column):
                _mark(pen, board.shape, kind, x, y, unit)
    return canvas.resize((canvas.width // scale, canvas.height // scale), image.Resampling.LANCZOS)


def _square_centre(unit: float) -> Any:
    return lambda row, column: ((column + 0.8) * unit, (row + 0.8) * unit)


def _hexagon_centre(unit: float) -> Any:
    side = math.sqrt(3)
    return lambda row, column: ((column + row / 2 + 0.5) * side * unit, (1.5 * row + 1) * unit)


def _ground(pen: Any, board: Board, centre: Any, unit: float) -> None:
    """What lies below the pieces: lines, holes or cells."""
    rows, columns, thick = len(board.cells), len(board.cells[0]), max(1, min(3, round(unit / 30)))
    for row in range(rows):
        for column in range(columns):
            x, y = centre(row, column)
            if board.shape == "discs":
                _disc(pen, x, y, 0.42 * unit, BACKGROUND)
            elif board.shape == "hexagons":
                corners = [
                    (x + 0.96 * unit * math.sin(k * math.pi / 3), y + 0.96 * unit * math.cos(k * math.pi / 3))
                    for k in range(6)
                ]
                pen.polygon(corners, fill=(58, 62, 72), outline=LINE)
            elif board.shape != "stones":
                half = unit / 2
                outline = LINE if board.shape == "marks" else (24, 84, 50)
                pen.rectangle((x - half, y - half, x + half, y + half), outline=outline, width=thick)
    if board.shape == "stones":
        for row in range(rows):
            pen.line([centre(row, 0), centre(row, columns - 1)], fill=(120, 84, 36), width=thick)
        for column in range(columns):
            pen.line([centre(0, column), centre(rows - 1, column)], fill=(120, 84, 36), width=thick)


def _piece(pen: Any, shape: str, kind: int, x: float, y: float, unit: float) -> None:
    reach, thick = 0.3 * unit, max(2, round(unit / 10))
    if shape == "marks":
        if kind == 1:
            pen.line((x - reach, y - reach, x + reach, y + reach), fill=ACCENT, width=thick)
            pen.line((x - reach, y + reach, x + reach, y - reach), fill=ACCENT, width=thick)
        else:
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), outline=WARM, width=thick)
        return
    colour = FIRST.get(shape, (20, 20, 22)) if kind == 1 else SECONDS.get(shape, (244, 244, 240))
    _disc(pen, x, y, {"discs": 0.42, "hexagons": 0.62}.get(shape, 0.44) * unit, colour)


def _mark(pen: Any, shape: str, kind: int, x: float, y: float, unit: float) -> None:
    """Mark the last move."""
    if shape == "marks":
        half = 0.46 * unit
        pen.rectangle((x - half, y - half, x + half, y + half), outline=INK, width=max(2, round(unit / 40)))
    elif kind:
        _disc(pen, x, y, 0.1 * unit, (20, 20, 22) if kind == 2 or shape != "stones" else INK)


def _disc(pen: Any, x: float, y: float, radius: float, colour: tuple[int, int, int]) -> None:
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def text(lines: str, size: int = SIZE) -> Any:
    """Text in a box, each character in a cell of its own, so that columns stay aligned."""
    image, draw, fonts = pillow()
    rows = lines.split("\n")
    columns = max(map(len, rows), default=1)
    cell = max(6.0, min(size / (columns + 2), size / (1.6 * (len(rows) + 2)), 16.0))
    font = fonts.load_default(round(1.5 * cell))
    canvas = image.new("RGB", (size, size), BACKGROUND)
    pen = draw.Draw(canvas)
    left, top = (size - cell * columns) / 2, (size - 1.6 * cell * len(rows)) / 2
    for row, line in enumerate(rows):
        for column, character in enumerate(line):
            place = (left + (column + 0.5) * cell, top + (row + 0.5) * 1.6 * cell)
            pen.text(place, character, font=font, fill=INK, anchor="mm")
    return canvas


def bars(observation: np.ndarray, size: int = SIZE) -> Any:
    """The numbers of an observation as bars to the left and right of 0; of many, the first ones."""
    image, draw, fonts = pillow()
    canvas = image.new("RGB", (size, size), BACKGROUND)
    pen, font = draw.Draw(canvas), fonts.load_default(13)
    numbers = np.ravel(observation).astype(np.float64)
    shown = numbers[:MOST_NUMBERS]
    largest = max(float(np.abs(shown).max(initial=0)), 1.0)
    pen.text((10, 8), f"observation {'x'.join(map(str, observation.shape))}", font=font, fill=DIM)
    height, middle = (size - 60) / max(len(shown), 8), 0.55 * size
    for row, number in enumerate(shown):
        y = 34 + row * height
        end = middle + number / largest * 0.4 * size
        pen.rectangle((min(middle, end), y + 2, max(middle, end), y + height - 2), fill=ACCENT)
        pen.text((10, y + height / 2), f"{number:+.3g}", font=font, fill=INK, anchor="lm")
    pen.line((middle, 30, middle, 36 + height * len(shown)), fill=LINE)
    if len(numbers) > len(shown):
        pen.text((10, size - 22), f"and {len(numbers) - len(shown):,} more numbers", font=font, fill=DIM)
    return canvas

"""Positions as pictures, with Pillow: the environment's frame, a board, an observation, or text in a box."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from muzero.interactive.boards import Board, Piece, board_of, last_squares, taps
from muzero.interactive.pictures import frame_of
from muzero.interfaces import Rules
from muzero.util.extras import need

SIZE = 420  # pixels of the longer side of a picture
BACKGROUND, INK, DIM, LINE = (24, 26, 32), (232, 234, 238), (150, 156, 168), (70, 76, 88)
ACCENT, SECOND, WARM = (94, 176, 255), (126, 211, 133), (255, 170, 90)
MOST_NUMBERS = 24  # of an observation that is drawn as bars
GROUND = {"discs": (38, 88, 170), "stones": (46, 125, 80), "lines": (214, 170, 104), "chequered": (46, 125, 80)}
FIRST = {"discs": (226, 72, 66), "hexagons": (226, 72, 66)}  # colours of the first side's pieces; elsewhere black
SECOND_SIDE = {"discs": (248, 206, 70), "hexagons": (74, 128, 226)}  # elsewhere white
BLACK, WHITE = (20, 20, 22), (244, 244, 240)
THOUGHT = {"lines": (150, 104, 48), "stones": (28, 92, 56)}  # marks of what the search thinks of empty squares
GREY, DARK_GREEN = (96, 104, 120), (24, 84, 50)


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
    before: Rules | None = None,
) -> Any:
    """A position as a picture.

    Args:
        observation: [*observation], for what draws neither frames nor boards.
        rules: the position; None where the rules cannot be consulted.
        frame: [H, W, 3] uint8, the environment's own picture.
        weights: of actions, between 0 and 1, to mark on boards that are known.
        size: pixels of the longer side.
        before: the position before the last move, by which that move is marked.

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
    clicks = taps(rules, board) if weights else {}
    places = {action: board.place(clicks.get(action, ())) for action in weights or {}}
    shares = {square: (weights or {})[action] for action, square in places.items() if square is not None}
    return drawn(board, shares, last_squares(before, rules) if before else [], size)


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


def drawn(board: Board, weights: Mapping[int, float], last: Sequence[int], size: int) -> Any:
    """A board as a picture.

    Args:
        board: the position.
        weights: of squares, between 0 and 1, to mark.
        last: squares of the last move.
        size: pixels of the longer side.
    """
    rows, columns = len(board.rows), len(board.columns)
    scale = 2  # drawn larger, then shrunk: edges are smooth
    hexagonal = board.shape == "hexagons"
    wide = (columns + (rows - 1) / 2) * math.sqrt(3) if hexagonal else columns + 0.6
    tall = 1.5 * rows + 0.5 if hexagonal else rows + 0.6
    unit = scale * size / max(wide, tall)
    image, draw, _ = pillow()
    canvas = image.new("RGB", (round(wide * unit), round(tall * unit)), GROUND.get(board.shape, BACKGROUND))
    pen = draw.Draw(canvas)
    place = _hexagon_centre if hexagonal else _square_centre
    centres = [place(*divmod(square, columns), unit) for square in range(rows * columns)]
    _ground(pen, board, centres, unit)
    for square, (piece, (x, y)) in enumerate(zip(board.cells, centres, strict=True)):
        if piece is not None:
            _piece(pen, board.shape, piece, x, y, unit)
        elif share := weights.get(square, 0.0):
            _disc(pen, x, y, unit * (0.04 + 0.16 * math.sqrt(share)), THOUGHT.get(board.shape, GREY))
        if square in last:
            _mark(pen, board.shape, piece, x, y, unit)
    return canvas.resize((canvas.width // scale, canvas.height // scale), image.Resampling.LANCZOS)


def _square_centre(row: int, column: int, unit: float) -> tuple[float, float]:
    return (column + 0.8) * unit, (row + 0.8) * unit


def _hexagon_centre(row: int, column: int, unit: float) -> tuple[float, float]:
    return (column + row / 2 + 0.5) * math.sqrt(3) * unit, (1.5 * row + 1) * unit


def _ground(pen: Any, board: Board, centres: Sequence[tuple[float, float]], unit: float) -> None:
    """What lies below the pieces: lines, holes or cells."""
    columns, thick = len(board.columns), max(1, min(3, round(unit / 30)))
    if board.shape == "lines":
        rows = [centres[at : at + columns] for at in range(0, len(centres), columns)]
        for line in (*rows, *zip(*rows, strict=True)):
            pen.line([line[0], line[-1]], fill=(120, 84, 36), width=thick)
        return
    for square, (x, y) in enumerate(centres):
        box = (x - unit / 2, y - unit / 2, x + unit / 2, y + unit / 2)
        if board.shape == "discs":
            _disc(pen, x, y, 0.42 * unit, BACKGROUND)
        elif board.shape == "hexagons":
            angles = [corner * math.pi / 3 for corner in range(6)]
            corners = [(x + 0.96 * unit * math.sin(angle), y + 0.96 * unit * math.cos(angle)) for angle in angles]
            pen.polygon(corners, fill=(58, 62, 72), outline=LINE)
        elif board.shape == "chequered":
            pen.rectangle(box, fill=DARK_GREEN if sum(divmod(square, columns)) % 2 else GROUND["chequered"])
        else:
            pen.rectangle(box, outline=LINE if board.shape == "marks" else DARK_GREEN, width=thick)


def _piece(pen: Any, shape: str, piece: Piece, x: float, y: float, unit: float) -> None:
    reach, thick = 0.3 * unit, max(2, round(unit / 10))
    box = (x - reach, y - reach, x + reach, y + reach)
    if shape == "marks" and piece.side:
        pen.ellipse(box, outline=WARM, width=thick)
    elif shape == "marks":
        pen.line(box, fill=ACCENT, width=thick)
        pen.line((x - reach, y + reach, x + reach, y - reach), fill=ACCENT, width=thick)
    else:
        colour = SECOND_SIDE.get(shape, WHITE) if piece.side else FIRST.get(shape, BLACK)
        _disc(pen, x, y, {"discs": 0.42, "hexagons": 0.62}.get(shape, 0.44) * unit, colour)
        if piece.glyph:  # the font has no signs of chess
            *_, fonts = pillow()
            letter = "N" if piece.name.endswith("knight") else piece.name.split()[-1][0].upper()
            font = fonts.load_default(round(0.5 * unit))
            pen.text((x, y), letter, font=font, fill=BLACK if piece.side else WHITE, anchor="mm")


def _mark(pen: Any, shape: str, piece: Piece | None, x: float, y: float, unit: float) -> None:
    """Mark a square of the last move."""
    if piece is None or piece.glyph:
        half = 0.46 * unit
        pen.rectangle((x - half, y - half, x + half, y + half), outline=INK, width=max(2, round(unit / 40)))
    else:
        _disc(pen, x, y, 0.1 * unit, INK if shape not in FIRST and not piece.side else BLACK)


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

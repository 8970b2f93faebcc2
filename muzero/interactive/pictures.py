"""Pictures as text: frames as coloured half-blocks, and observations as frames."""

from __future__ import annotations

from colorsys import hsv_to_rgb

import numpy as np
from rich.color import Color
from rich.style import Style
from rich.text import Text

UPPER = "▀"  # the colour of its foreground is above that of its background
SHADES = " .:-=+*#%@"  # from dark to bright, for terminals without colours
GOLDEN = 0.618034  # of a circle of hues: neighbours in a row of any length differ


def half_blocks(frame: np.ndarray, width: int, height: int | None = None) -> Text:
    """Draw a frame with two pixels in each character.

    Args:
        frame: [H, W, 3] uint8.
        width: columns, at most; the frame keeps its proportions, half a character being about square.
        height: lines, at most; None: as many as the width asks for.

    Raises:
        ValueError: if it is not such a frame.
    """
    pixels = _fitted(frame, width, height)
    text = Text(no_wrap=True, end="")
    for row in range(0, len(pixels), 2):
        text.append("\n" if row else "")
        start, pairs = 0, np.concatenate([pixels[row], pixels[row + 1]], -1)
        for end in [*(np.flatnonzero((pairs[1:] != pairs[:-1]).any(-1)) + 1), len(pairs)]:
            above, below = (Color.from_rgb(*map(int, rgb)) for rgb in (pairs[start, :3], pairs[start, 3:]))
            text.append(UPPER * int(end - start), Style(color=above, bgcolor=below))
            start = end
    return text


def shades(frame: np.ndarray, width: int, height: int | None = None) -> Text:
    """Draw a frame without colours, as characters that are denser where it is brighter; see `half_blocks`."""
    pixels = _fitted(frame, width, height).mean(-1)
    levels = ((pixels[::2] + pixels[1::2]) / 2 * (len(SHADES) - 1) / 255).round().astype(int)
    lines = ("".join(SHADES[level] for level in row) for row in levels)
    return Text("\n".join(lines), no_wrap=True, end="")


def _fitted(frame: np.ndarray, width: int, height: int | None) -> np.ndarray:
    """A frame in other sizes, of which each pixel is the mean of those that it stands for: [2 * lines, columns, 3]."""
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or 0 in frame.shape:
        raise ValueError(f"frame: expected uint8 of shape (H, W, 3), got {frame.dtype} of shape {frame.shape}")
    tall, wide = frame.shape[:2]
    columns = max(width, 1)
    if height is not None:
        columns = max(min(columns, 2 * height * wide // tall), 1)
    lines = max(round(columns * tall / wide / 2), 1)
    lines = lines if height is None else min(lines, max(height, 1))
    rows, cells = (np.arange(count) * length // count for count, length in ((2 * lines, tall), (columns, wide)))
    # Of a range without a pixel, in a frame that grows, `reduceat` takes the pixel where it begins.
    sums = np.add.reduceat(np.add.reduceat(frame.astype(np.int64), rows, 0), cells, 1)
    counts = np.multiply.outer(
        *(np.maximum(np.diff(ends, append=length), 1) for ends, length in ((rows, tall), (cells, wide)))
    )
    return (sums // counts[..., None]).astype(np.uint8)


def frame_of(observation: np.ndarray) -> np.ndarray | None:
    """The newest frame that an observation shows, [H, W, 3] uint8; None where it is not made of planes.

    Args:
        observation: [C, H, W].  Of bytes, the last three planes are colours where the number of planes is a multiple of
            three, and else the last one is grey.  Of zeros and ones, each plane has its colour and later ones cover
            earlier ones.  Of other numbers, the last plane is grey, between its smallest and largest number.
    """
    if observation.ndim != 3 or 0 in observation.shape:
        return None
    if observation.dtype == np.uint8:
        planes = observation[-3:] if len(observation) % 3 == 0 else observation[[-1] * 3]
        return np.ascontiguousarray(np.moveaxis(planes, 0, -1))
    if ((observation == 0) | (observation == 1)).all():
        frame = np.zeros((*observation.shape[1:], 3), np.uint8)
        for number, plane in enumerate(observation):
            frame[plane > 0] = np.array(hsv_to_rgb(number * GOLDEN % 1, 0.65, 1.0)) * 255
        return frame
    plane = observation[-1].astype(np.float64)
    low, high = plane.min(), plane.max()
    grey = ((plane - low) / max(high - low, 1e-12) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, -1)

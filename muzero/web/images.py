"""Frames of environments as PNG files."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from muzero.interactive.live_game import LiveGame

MINATAR = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (227, 119, 194))
LARGEST = 512  # pixels of a picture's side


def png(frame: np.ndarray) -> bytes:
    """A picture as a PNG file.  frame: [height, width, 3] uint8."""
    height, width, _ = frame.shape
    lines = np.zeros((height, 1 + width * 3), np.uint8)  # each begins with the number of its filter, 0: none
    lines[:, 1:] = frame.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 3)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def frame(live: LiveGame) -> np.ndarray | None:
    """What an environment shows, [height, width, 3] uint8; None where its observation is not a picture."""
    seen = live.now.observation[0]
    if seen.ndim != 3:
        return None
    if live.spec.name.startswith("minatar/"):
        return coloured(seen[-channels(live) :])
    planes = seen[-3:] if live.agent.config.table("game").get("colour") else seen[-1:]
    if seen.dtype != np.uint8:
        low, high = float(planes.min()), float(planes.max())
        planes = (255 * (planes - low) / max(high - low, 1e-9)).astype(np.uint8)
    return np.repeat(np.moveaxis(planes, 0, -1), 3 // len(planes), axis=-1)


def channels(live: LiveGame) -> int:
    """Channels of one frame of MinAtar, of which an observation can hold several."""
    return len(live.now.observation[0]) // int(live.agent.config.table("game").get("stack", 1))


def coloured(planes: np.ndarray) -> np.ndarray:
    """Planes of zeros and ones, [channels, height, width], as a picture: a colour for each, the last ones on top."""
    out = np.full((*planes.shape[1:], 3), (24, 28, 34), np.uint8)
    for number, plane in enumerate(planes):
        out[plane > 0.5] = MINATAR[number % len(MINATAR)]
    return out

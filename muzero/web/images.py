"""Frames of environments as PNG files."""

from __future__ import annotations

import struct
import zlib

import numpy as np


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

"""Files that a crash leaves whole."""

from __future__ import annotations

import os
from pathlib import Path


def replace(file: Path, text: str) -> None:
    """Write a file so that at no moment half of it is there."""
    aside = file.with_name(f".{file.name}-{os.getpid()}")
    aside.write_text(text)
    sync(aside)
    aside.replace(file)


def sync(path: Path) -> None:
    """Have the disk hold what was written to a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

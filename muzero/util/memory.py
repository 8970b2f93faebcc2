"""How much memory a process may use."""

from __future__ import annotations

import os
import resource
from pathlib import Path

CONTAINER = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))  # version 2 and 1


def limit() -> int:
    """Bytes that this process may use at most: of the machine, its container, and its own limit (ulimit -v)."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    own, _ = resource.getrlimit(resource.RLIMIT_AS)
    if own != resource.RLIM_INFINITY:
        found.append(own)
    for path in CONTAINER:
        try:
            text = path.read_text("utf-8").strip()
        except OSError:
            continue
        if text.isdecimal():  # "max" sets no limit
            found.append(int(text))
    return min(found)

"""The cores that a process may use; CPU time of it and of those that it started."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

PROCESSES = Path("/proc")  # of Linux
TIMES = slice(11, 15)  # fields of `stat` behind the name: user, system, and both of children that were waited for


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_seconds() -> float:
    """CPU seconds of this process and its descendants so far: those that run, and those that were waited for.

    Where the system has no /proc, descendants count once they were waited for.
    """
    if not (PROCESSES / "self" / "stat").exists():
        return sum(os.times()[:4])
    found, ticks = [os.getpid()], 0
    while found:
        process = PROCESSES / str(found.pop())
        with suppress(OSError):  # one that ends meanwhile is among those that its parent waited for
            ticks += sum(map(int, (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[TIMES]))
            for thread in (process / "task").iterdir():
                found += map(int, (thread / "children").read_text("utf-8").split())
    return ticks / os.sysconf("SC_CLK_TCK")

"""Waits until the process that started it is gone, however it ended, then removes what Ray left of its session.

Run as a separate script that imports nothing but the standard library: standard input is a pipe from that process,
and the argument is the session's folder.
"""

import os
import select
import shutil
import signal
import sys
from pathlib import Path


def members(folder: str) -> list[int]:
    """Processes of the session: they name its folder as an argument or in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            texts = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        number = int(entry.name)
        if number != os.getpid() and any(folder.encode() in text for text in texts):
            found.append(number)
    return found


def end(processes: list[int]) -> None:
    """Kill processes, and wait a second for each."""
    for number in processes:
        try:
            handle = os.pidfd_open(number)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except OSError:
            continue
        select.select([handle], [], [], 1.0)
        os.close(handle)


def main(folder: str) -> None:
    """Wait until the starting process is gone, kill what is left of the session, and remove its folder."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are meant for the process that is waited for
    sys.stdin.buffer.read()
    while processes := members(folder):
        end(processes)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])

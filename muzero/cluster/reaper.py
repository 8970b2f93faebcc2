"""Waits until the process that started it is gone, however it ended, then removes what Ray left of its session.

Run as a script of its own, with nothing imported that could fail: standard input is a pipe from that process, and
the argument is the session's folder.
"""

import os
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


def main(folder: str) -> None:
    """Wait, kill, remove."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are meant for the one that is waited for
    sys.stdin.buffer.read()
    while numbers := members(folder):
        for number in numbers:
            try:
                handle = os.pidfd_open(number)
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            except OSError:
                continue
            import select

            select.select([handle], [], [], 1.0)  # until it has ended
            os.close(handle)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])

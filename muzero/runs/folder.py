"""A run's folder: one process at a time learns in it, and it must be fit to be written to."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from muzero.config import ConfigError


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Hold a run's folder, made if needed; the system lets go of it when the process ends, however it ends.

    Raises:
        ConfigError: if another process holds it, or it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        probe(folder)
    except OSError as error:
        raise ConfigError([f"{folder} cannot be written to ({error}); choose another with --run"]) from error
    try:
        take(handle, folder)
        yield
    finally:
        os.close(handle)


def take(handle: int, folder: Path) -> None:
    """Lock the file, and say in it who did."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 200).decode("utf-8", "replace").strip() or "another process"
        raise ConfigError([f"{folder} is in use by {holder}; one process at a time can learn there"]) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)


def probe(folder: Path) -> None:
    """Do once what a checkpoint needs: write, have the disk hold it, rename, remove."""
    aside, final = folder / f".probe-{os.getpid()}", folder / f".probed-{os.getpid()}"
    try:
        aside.write_bytes(b"muzero")
        sync(aside)
        aside.rename(final)
    finally:
        aside.unlink(missing_ok=True)
        final.unlink(missing_ok=True)


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

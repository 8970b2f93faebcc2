"""Files that are complete also after a crash, and safe ways to open files of an untrusted folder."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)  # errors that a user ends by making room


def replace(file: Path, text: str) -> None:
    """Write a UTF-8 file so that at every moment the old or the new content is there, complete.

    Raises:
        OSError: if it cannot be written; the old file is untouched.
    """
    aside = file.with_name(f".{file.name}-{os.getpid()}")
    aside.unlink(missing_ok=True)  # of a process that died; a link is not followed
    try:
        with os.fdopen(open_regular(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="utf-8") as opened:
            opened.write(text)
        sync(aside)
        aside.replace(file)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Flush what was written to a file or a folder to the disk (fsync)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_regular(path: Path, flags: int = os.O_RDONLY, mode: int = 0o644) -> int:
    """A handle of a regular file: a link is not followed, and a pipe or a device is never waited for.

    Args:
        path: of the file.
        flags: as of `os.open`.
        mode: permissions of a file that is created.

    Raises:
        OSError: naming the file, if it is not regular or cannot be opened.
    """
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(error.errno, "a symbolic link, expected a regular file", str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return handle


def read_regular(path: Path, most: int) -> bytes:
    """The content of a regular file.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        OSError: naming the file, if it is not regular, is larger, or cannot be read.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"more than {most:,} bytes", str(path))
        return file.read(most)

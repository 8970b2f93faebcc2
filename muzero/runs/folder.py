"""A run's folder: its name, its lock, and the notes of how it was begun, resumed and changed."""

import fcntl
import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from muzero.config import ConfigError
from muzero.util.files import sync
from muzero.util.provenance import provenance

DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no names of files on Windows


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


def run_folder(game: str, seed: int, began: time.struct_time) -> Path:
    """The default folder of a run, whatever the game's name: below runs/, of plain names that every system takes."""
    kind, *names = game.split("/")
    parts = [plain_name(part) for part in (kind, "/".join(names)) if part]
    return Path("runs", *parts, f"{time.strftime('%Y%m%d-%H%M%S', began)}-s{seed}")


def plain_name(text: str, most: int = 64) -> str:
    """A name of a file, for any text: letters, digits, "._-" and no more; one that is shortened keeps a checksum."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip("._-").rstrip(".") or "game"
    if DEVICES.fullmatch(name):
        name = f"game-{name}"
    if len(name) <= most:
        return name
    return f"{name[: most - 9]}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"


def newest_run(runs: Path) -> Path:
    """The run in a folder of runs that was begun or saved last."""
    found = [path.parent for path in runs.glob("**/config.toml")] if runs.is_dir() else []
    if not found:
        raise ConfigError([f"--resume latest: {runs} holds no run"])
    return max(found, key=lambda run: max(path.stat().st_mtime for path in (run, run / "config.toml")))


def record(folder: Path, steps: int) -> None:
    """Keep how the run was begun or resumed, and where, for reports."""
    with (folder / "commands.jsonl").open("a") as file:
        file.write(json.dumps({"steps": steps, **provenance()}) + "\n")


def note(folder: Path, steps: int, changed: list[str]) -> None:
    """Keep what was changed against the rules, one line each time."""
    if changed:
        with (folder / "changes.jsonl").open("a") as file:
            file.write(json.dumps({"steps": steps, "changed": changed}) + "\n")

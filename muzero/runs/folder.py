"""A run's folder: the names of its files, its lock, and the notes of how it was begun, resumed and changed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from muzero.config import ConfigError
from muzero.runs import json_lines
from muzero.util.files import open_regular, sync
from muzero.util.provenance import provenance
from muzero.util.text import nearest

CHECKPOINTS = "checkpoints"
LEARNERS = "learners"
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # not names of files on Windows


class RunFolder:
    """The files of a run, by what they are for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"  # the complete configuration
        self.lock = path / "lock"  # locked by the process that learns here, and naming it
        self.checkpoints = path / CHECKPOINTS
        self.replay = path / "replay"  # the log of experience
        self.learners = path / LEARNERS  # what each further learner of several keeps, by its number
        self.metrics = path / "metrics.jsonl"  # what progress shows, every few seconds
        self.evaluations = path / "evaluations.jsonl"  # those during the run
        self.evaluation = path / "evaluation.json"  # the one at the end
        self.commands = path / "commands.jsonl"  # how the run was begun and resumed, and where
        self.changes = path / "changes.jsonl"  # settings that --override changed
        self.bad_batch = path / "bad-batch.npz"  # the batch at which learning was given up
        self.entry = path / "entry.json"  # of a trained agent: what it took, what it scores
        self.tree = path / "tree.html"  # of muzero-tree
        self.results = path / "results"  # where a report looks for files of `muzero-eval --json`

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return self.config.is_file()

    def check(self) -> None:
        """Refuse a folder in which a run would write elsewhere, or wait: because of links, pipes or devices.

        Raises:
            ConfigError: naming each of them.
        """
        files = (self.config, self.lock, self.metrics, self.evaluations, self.evaluation)
        files += (self.commands, self.changes, self.bad_batch)
        problems = [wrong_kind(path, stat.S_IFDIR, "folder") for path in (self.checkpoints, self.replay, self.learners)]
        problems += [wrong_kind(path, stat.S_IFREG, "regular file") for path in files]
        if any(problems):
            raise ConfigError(filter(None, problems))


def wrong_kind(path: Path, expected: int, name: str) -> str | None:
    """What is wrong with a path, if it exists and is not of the expected kind; a link is of no kind but its own."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        return f"{path} is a symbolic link, expected a {name}: replace it with what it points to"
    return None if stat.S_IFMT(mode) == expected else f"{path} is not a {name}: remove or rename it"


def require_run(path: Path, hint: str = "") -> None:
    """Refuse a folder in which no run was begun.

    hint: for the end of the message.

    Raises:
        ConfigError: naming the folder.
    """
    if not RunFolder(path).exists:
        raise ConfigError([f"{path} is not a run: it has no config.toml{hint or beside(path)}"])


def beside(path: Path) -> str:
    """The run in the same folder that was probably meant, for the end of a message; empty where none is close."""
    with suppress(OSError):
        close = nearest(path.name, [each.name for each in path.parent.iterdir() if RunFolder(each).exists])
        return f"; did you mean {path.parent / close[0]}?" if close else ""
    return ""


def run_of(path: Path) -> Path:
    """The run's folder of a path that is one, or is one of its checkpoints."""
    return path.parent.parent if path.parent.name == CHECKPOINTS else path


_held: set[int] = set()  # files of the locks of this process


def release_copies() -> None:
    """Close the locks of the parent in a process that was forked, which may live a little longer than its parent."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=release_copies)


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Lock a run's folder, made if needed; the system unlocks it when the process ends, however it ends.

    Raises:
        ConfigError: if another process holds it, it cannot be written to, or its files are links or pipes.
    """
    run = RunFolder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        run.check()
        handle = open_regular(run.lock, os.O_RDWR | os.O_CREAT)
        probe(folder)
    except OSError as error:
        raise ConfigError([f"{folder} cannot be written to ({error}); choose another with --run"]) from error
    _held.add(handle)
    try:
        take(handle, folder)
        yield
    finally:
        _held.discard(handle)
        with suppress(OSError):  # closed by an environment: the lock is released, and the first error stays
            os.close(handle)


def take(handle: int, folder: Path) -> None:
    """Lock the file, and write into it which process did."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 200).decode("utf-8", "replace").strip() or "another process"
        raise ConfigError([f"{folder} is in use by {holder}; one process at a time can learn there"]) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)


def probe(folder: Path) -> None:
    """Do once what a checkpoint needs: write, sync, rename, remove.

    Raises:
        OSError: if one of these is impossible.
    """
    aside, final = folder / f".probe-{os.getpid()}", folder / f".probed-{os.getpid()}"
    try:
        os.close(open_regular(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        sync(aside)
        aside.rename(final)
    finally:
        aside.unlink(missing_ok=True)
        final.unlink(missing_ok=True)


# --- names ---------------------------------------------------------------------------------------------------------


def run_folder(game: str, seed: int, began: time.struct_time) -> Path:
    """The default folder of a run, for any name of a game: below runs/, of plain names that every system takes."""
    kind, *names = game.split("/")
    parts = [plain_name(part) for part in (kind, "/".join(names)) if part]
    return Path("runs", *parts, f"{time.strftime('%Y%m%d-%H%M%S', began)}-s{seed}")


def plain_name(text: str, most: int = 64) -> str:
    """A file name for any text: letters, digits and "._-" only; one that is shortened ends with a checksum."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip("._-").rstrip(".") or "game"
    if RESERVED.fullmatch(name):
        name = f"game-{name}"
    if len(name) <= most:
        return name
    return f"{name[: most - 9]}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"


def newest_run(runs: Path) -> Path:
    """The run in a folder of runs that was begun or saved last.

    Raises:
        ConfigError: if there is none.
    """
    found = [path.parent for path in runs.glob(f"**/{RunFolder(runs).config.name}")] if runs.is_dir() else []
    if not found:
        raise ConfigError([f"--resume latest: {runs} holds no run"])
    return max(found, key=lambda run: max(path.stat().st_mtime for path in (run, RunFolder(run).config)))


# --- notes ---------------------------------------------------------------------------------------------------------


def record(folder: Path, steps: int) -> None:
    """Note how the run was begun or resumed, and where, for reports."""
    json_lines.append(RunFolder(folder).commands, [{"steps": steps, **provenance()}])


def note(folder: Path, steps: int, changed: list[str]) -> None:
    """Note what --override changed, one line each time."""
    if changed:
        json_lines.append(RunFolder(folder).changes, [{"steps": steps, "changed": changed}])

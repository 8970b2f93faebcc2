"""Writing checkpoints: built aside, published by one rename, in the background; old ones removed."""

import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as to_bytes

from muzero.runs.checkpoint import (
    FORMAT,
    MANIFEST,
    STATE,
    Checkpoint,
    CheckpointError,
    digest,
    listed,
    read_manifest,
    sealed,
    verify,
)
from muzero.util.failpoints import failpoint
from muzero.util.files import sync

LEFTOVER = re.compile(r"\.writing-\d+(\.\d+)?|\.removing-step-[\d.]+")


class SaveError(Exception):
    """Checkpoints or the log of experience cannot be written, so a run would lose what it learns."""


def save(
    folder: Path,
    step: int,
    arrays: dict[str, dict[str, np.ndarray]],
    state: dict[str, Any],
    notes: dict[str, Any] | None = None,
) -> Checkpoint:
    """Write a checkpoint beside the others, and read it back.

    It is built aside and appears by one rename: a reader sees all of it or nothing, and none is ever overwritten.

    Args:
        folder: of the run's checkpoints; no other process may write there.
        step: environment steps so far.
        arrays: by file name.
        state: plain values.
        notes: for the manifest, to be read without the rest: fingerprint, seconds.

    Raises:
        OSError: if the disk is full or read-only; what was there is untouched.
        CheckpointError: if what was written does not verify.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clean(folder)
    aside = free(folder, f".writing-{os.getpid()}")
    aside.mkdir()
    try:
        failpoint("checkpoint.begin")
        for name, group in arrays.items():
            # Not with safetensors' own writing of files, whose errors do not say that a disk is full.
            content = to_bytes({key: np.asarray(array, order="C") for key, array in group.items()})
            (aside / f"{name}.safetensors").write_bytes(content)
            failpoint("checkpoint.mid_write")
        (aside / STATE).write_text(json.dumps(state), "utf-8")
        files = {path.name: {"bytes": path.stat().st_size, "sha256": digest(path)} for path in sorted(aside.iterdir())}
        manifest = {"format": FORMAT, "step": step, **(notes or {}), "files": files}
        (aside / MANIFEST).write_text(sealed(manifest), "utf-8")
        failpoint("checkpoint.before_sync")
        for path in [*aside.iterdir(), aside]:
            sync(path)
        failpoint("checkpoint.before_rename")
        final = free(folder, f"step-{step:09d}")
        aside.rename(final)
        failpoint("checkpoint.after_rename")
        sync(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return verify(final)


def free(folder: Path, name: str) -> Path:
    """A path of this name, or of the name with a number, at which nothing lies, not even a dangling link."""
    path, again = folder / name, 0
    while os.path.lexists(path):
        again += 1
        path = folder / f"{name}.{again}"
    return path


def prune(folder: Path, keep: int, every: float, wanted_steps: Collection[int] = ()) -> int:
    """Remove all but the newest `keep`, the first of each `every` seconds of training, and those of the wanted steps.

    To be called once a newer one has been verified.

    Returns:
        the first file of the log that one of the newest needs.
    """
    failpoint("checkpoint.before_prune")
    paths = listed(folder)
    notes: dict[Path, dict[str, Any]] = {}
    for path in paths:
        try:
            notes[path] = read_manifest(path)
        except CheckpointError:
            continue  # damaged: a resume reports it and sets it aside
    paths = list(notes)
    wanted = set(paths[-keep:])
    wanted.update(path for path in notes if notes[path]["step"] in wanted_steps)
    intervals: dict[int, Path] = {}
    for path in paths:
        intervals.setdefault(int(notes[path].get("seconds", 0) // every), path)
    wanted.update(path for interval, path in intervals.items() if interval > 0)
    for path in paths:
        if path not in wanted:
            # Renamed first: one that is half removed must not look like one that is damaged.
            path.rename(gone := free(folder, f".removing-{path.name}"))
            failpoint("checkpoint.mid_prune")
            shutil.rmtree(gone)
    return min((notes[path].get("log", 0) for path in paths[-keep:]), default=0)


def clean(folder: Path) -> None:
    """Remove folders that a process that died left half written or half removed; other things there are left alone."""
    for path in folder.iterdir():
        if LEFTOVER.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


class Writer:
    """Writes in a thread, one at a time, so that learning continues meanwhile."""

    def __init__(self) -> None:
        self.failures = 0  # in all
        self.in_a_row = 0
        self.error: Exception | None = None  # of the last one, if it failed
        self._thread: threading.Thread | None = None

    def submit(self, job: Callable[[], Any]) -> None:
        """Begin a job once the one before is done.  What it uses must not change any more."""
        self.wait()

        def run() -> None:
            try:
                job()
            except Exception as error:  # wait() raises what is not a fault of the disk
                self.failures, self.in_a_row, self.error = self.failures + 1, self.in_a_row + 1, error
            else:
                self.in_a_row, self.error = 0, None

        # No daemon: an interpreter that ends waits until the checkpoint is whole.
        self._thread = threading.Thread(target=run, name="checkpoint")
        self._thread.start()

    def wait(self) -> None:
        """Until nothing is being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            if not isinstance(self.error, OSError | CheckpointError | None):
                raise self.error

"""Reading checkpoints: step directories of safetensors and JSON, each file named with its SHA-256 in a manifest.

Nothing is trusted: the manifest digests itself too, sizes and headers are bounded before they are parsed, nothing is
unpickled.  A digest finds damage, not forgery.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from muzero.runs import evaluations
from muzero.runs.folder import RunFolder
from muzero.runs.value_checks import brief, finite_json, number, table, whole
from muzero.util.files import open_regular, read_regular
from muzero.util.text import printable

FORMAT = 2
MANIFEST = "MANIFEST.json"
STATE = "state.json"
NAME = re.compile(r"step-(\d{9,15})(?:\.(\d{1,6}))?")
FILE = re.compile(r"[a-z][a-z_]{0,40}\.(json|safetensors)")
MOST_TEXT = 64 << 20  # bytes of a JSON file
MOST_DIGITS = 15  # of a step
UNFIT = (AttributeError, IndexError, KeyError, OverflowError, RuntimeError, TypeError, ValueError)  # of bad content
MOST_HEADER = 1 << 20  # bytes that name the tensors of a file


class CheckpointError(Exception):
    """A checkpoint is damaged, missing, or of another game or network."""


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint on disk."""

    path: Path
    manifest: dict[str, Any]

    @property
    def step(self) -> int:
        """Environment steps at which it was written."""
        return self.manifest["step"]

    def state(self) -> dict[str, Any]:
        """The plain values.

        Raises:
            CheckpointError: if the file cannot be read, or is not a table of finite values.
        """
        found = parse(self.path / STATE)
        if not isinstance(found, dict):
            raise CheckpointError(f"{self.path / STATE} is not a table")
        return found

    def holds(self, name: str) -> bool:
        """Whether there is a file of this name among those of arrays."""
        return f"{name}.safetensors" in self.manifest["files"]

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of one file; all numbers are finite.

        Raises:
            CheckpointError: naming the file and what is wrong with it.
        """
        file = self.path / f"{name}.safetensors"
        if not self.holds(name):  # then `verify` did not look at it
            raise CheckpointError(f"{self.path / MANIFEST} does not list {file.name}")
        try:
            with os.fdopen(open_regular(file), "rb") as opened:
                start = opened.read(8)
            if len(start) < 8 or struct.unpack("<Q", start)[0] > MOST_HEADER:
                raise CheckpointError(f"{file} does not begin with a header of at most {MOST_HEADER:,} bytes")
            arrays = load_file(file)
        except (OSError, SafetensorError, *UNFIT) as error:
            raise CheckpointError(f"{file}: {error}") from error
        for key, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise CheckpointError(f"{file}: {key} holds numbers that are not finite")
        return arrays


# --- reading -------------------------------------------------------------------------------------------------------


def digest(path: Path) -> str:
    """SHA-256 of a regular file.

    Raises:
        OSError: if it is not regular, or cannot be read.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed(manifest: dict[str, Any]) -> str:
    """A manifest as text, its own SHA-256 included."""
    seal = hashlib.sha256(json.dumps(manifest).encode()).hexdigest()
    return json.dumps({**manifest, "seal": seal}, indent=1)


def parse(file: Path) -> Any:
    """A JSON file.

    Raises:
        CheckpointError: if it cannot be read, is too large, is not JSON, or names a number that is not finite.
    """
    return parse_text(file, read_text(file))


def read_text(file: Path) -> str:
    """The text of a regular UTF-8 file of bounded size."""
    try:
        return read_regular(file, MOST_TEXT).decode("utf-8")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} is not readable ({error})") from error


def parse_text(file: Path, text: str) -> Any:
    """The value of a JSON text; see `finite_json`."""
    try:
        return finite_json(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is not readable ({error})") from error


def read_manifest(path: Path) -> dict[str, Any]:
    """A checkpoint's manifest, exactly as it was written.

    Raises:
        CheckpointError: naming the file and what is wrong with it.
    """
    file = path / MANIFEST
    if path.is_symlink() or file.is_symlink():
        raise CheckpointError(f"{file} is reached by a symbolic link")
    text = read_text(file)
    found = parse_text(file, text)
    if not isinstance(found, dict) or "format" not in found:
        raise CheckpointError(f"{file} is not a manifest")
    if found["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has format {brief(found['format'])}; this version of muzero reads format {FORMAT}"
        )
    seal = found.pop("seal", None)
    if seal is None or sealed(found) != text:
        raise CheckpointError(f"{file} is damaged: its SHA-256 is not the one that it names")
    try:
        _check_manifest(found)
    except ValueError as error:
        raise CheckpointError(f"{file} is not a manifest: {error}") from error
    return found


def _check_manifest(manifest: dict[str, Any]) -> None:
    """Refuse a manifest with a field of another type or out of range.

    Raises:
        ValueError: naming the field.
    """
    whole("step", manifest.get("step"))
    number("seconds", manifest.get("seconds", 0), 0)
    whole("log", manifest.get("log", 0))
    for name, file in table("files", manifest.get("files"), STATE).items():
        if not FILE.fullmatch(name):
            raise ValueError(f"files: unexpected file {brief(name)}")
        whole(f"files: {name}: bytes", table(f"files: {name}", file, "bytes", "sha256")["bytes"])
        if not isinstance(file["sha256"], str):
            raise ValueError(f"files: {name}: sha256: expected a text, got {brief(file['sha256'])}")


def verify(path: Path) -> Checkpoint:
    """Compare a checkpoint with its manifest.

    Raises:
        CheckpointError: naming the file and what is wrong with it.
    """
    manifest = read_manifest(path)
    for name, expected in manifest["files"].items():
        file = path / name
        try:
            found = file.lstat()
            if not stat.S_ISREG(found.st_mode):
                raise CheckpointError(f"{file} is not a regular file")
            if found.st_size != expected["bytes"]:
                size = f"{found.st_size:,} bytes, expected {expected['bytes']:,}"
                raise CheckpointError(f"{file} has {size}: it is damaged")
            if digest(file) != expected["sha256"]:
                raise CheckpointError(f"{file} is damaged: its SHA-256 is not the manifest's")
        except OSError as error:
            raise CheckpointError(f"{file} is missing or not readable ({error.strerror})") from error
    return Checkpoint(path, manifest)


def listed(folder: Path) -> list[Path]:
    """The step directories, the oldest first; links and files of such names are not checkpoints."""
    found = [(NAME.fullmatch(path.name), path) for path in (folder.iterdir() if folder.is_dir() else [])]
    ordered = sorted((int(name.group(1)), int(name.group(2) or 0), path) for name, path in found if name)
    return [path for _, _, path in ordered if path.is_dir() and not path.is_symlink()]


def step_of(path: Path) -> int:
    """Environment steps of a checkpoint, by its name."""
    found = NAME.fullmatch(path.name)
    assert found is not None
    return int(found.group(1))


def named(run: Path, name: str) -> Path:
    """A checkpoint of a run by name.

    Args:
        run: the run's folder.
        name: "3000", "step-000003000", "latest" for the newest that is whole, or "best" of those that were evaluated
            while the run learned.

    Raises:
        CheckpointError: if the run has no such checkpoint; it lists those that there are.
    """
    folder = RunFolder(run).checkpoints
    if name == "latest":
        return latest(folder)[0].path
    paths = {path.name: path for path in listed(folder)}
    there = ", ".join(paths) or "nothing"
    if name == "best":
        step = evaluations.best(evaluations.read(run), map(step_of, paths.values()))
        if step is None:
            raise CheckpointError(f"{run}: none of its checkpoints was evaluated while it learned; there are {there}")
        name = str(step)
    number_only = name.isascii() and name.isdecimal() and len(name) <= MOST_DIGITS
    found = paths.get(f"step-{int(name):09d}" if number_only else name)
    if found is None:
        raise CheckpointError(f"{folder} does not hold {printable(name)}, only {there}")
    return found


T = TypeVar("T")


@dataclass(frozen=True)
class Newest(Generic[T]):
    """The newest checkpoint that can be used, and why newer ones cannot."""

    found: T
    problems: list[str]
    damaged: list[Path]  # newer ones that do not verify


def newest(folder: Path, read: Callable[[Checkpoint], T]) -> Newest[T]:
    """Read the newest checkpoint that verifies and that `read` accepts.

    Raises:
        CheckpointError: if there is none; it lists what is wrong with each.
    """
    problems: list[str] = []
    damaged: list[Path] = []
    for path in reversed(listed(folder)):
        try:
            checkpoint = verify(path)
        except CheckpointError as error:
            problems.append(str(error))
            damaged.append(path)
            continue
        try:
            return Newest(read(checkpoint), problems, damaged)
        except CheckpointError as error:
            problems.append(str(error))
    lines = "".join(f"\n  {problem}" for problem in problems)
    raise CheckpointError(f"{folder} holds no usable checkpoint{lines}")


def latest(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The newest checkpoint that verifies, and what is wrong with the newer ones.

    Raises:
        CheckpointError: if there is none.
    """
    result = newest(folder, lambda found: found)
    return result.found, result.problems


def set_aside(path: Path) -> None:
    """Rename a damaged checkpoint, so that it is not read again but can be examined."""
    aside, again = path.with_name(path.name + ".invalid"), 0
    while os.path.lexists(aside):
        again += 1
        aside = path.with_name(f"{path.name}.invalid-{again}")
    path.rename(aside)

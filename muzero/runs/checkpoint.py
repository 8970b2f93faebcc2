"""Reading checkpoints: step directories of safetensors and JSON, each file named with its SHA-256 in a manifest.

Nothing is trusted: the manifest digests itself too, sizes and headers are bounded before they are parsed, nothing is
unpickled.  A digest finds damage, not forgery.
"""

import hashlib
import json
import math
import re
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file

from muzero.interfaces import GameSpec
from muzero.runs import evaluations
from muzero.runs.folder import RunFolder

FORMAT = 2
MANIFEST = "MANIFEST.json"
STATE = "state.json"
NAME = re.compile(r"step-(\d{9,15})(?:\.(\d{1,6}))?")
FILE = re.compile(r"[a-z][a-z_]{0,40}\.(json|safetensors)")
MOST_TEXT = 64 << 20  # bytes of a JSON file
MOST_HEADER = 1 << 20  # bytes that name the tensors of a file


class CheckpointError(Exception):
    """A checkpoint is damaged, missing, or for something else."""


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
        """The plain values."""
        found = parse(self.path / STATE)
        if not isinstance(found, dict):
            raise CheckpointError(f"{self.path / STATE} holds no table")
        return found

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of one file, all of finite numbers.

        Raises:
            CheckpointError: naming the file and what is wrong with it.
        """
        file = self.path / f"{name}.safetensors"
        try:
            with file.open("rb") as opened:
                start = opened.read(8)
            if len(start) < 8 or struct.unpack("<Q", start)[0] > MOST_HEADER:
                raise CheckpointError(f"{file} begins with no header of at most {MOST_HEADER:,} bytes")
            arrays = load_file(file)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{file}: {error}") from error
        for key, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise CheckpointError(f"{file}: {key} holds numbers that are not finite")
        return arrays


# --- reading -------------------------------------------------------------------------------------------------------


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed(manifest: dict[str, Any]) -> str:
    """A manifest as text, its own SHA-256 included."""
    seal = hashlib.sha256(json.dumps(manifest).encode()).hexdigest()
    return json.dumps({**manifest, "seal": seal}, indent=1)


def parse(file: Path) -> Any:
    """A JSON file.

    Raises:
        CheckpointError: if it cannot be read, is too large, or is no JSON.
    """
    try:
        if file.stat().st_size > MOST_TEXT:
            raise CheckpointError(f"{file} has more than {MOST_TEXT:,} bytes")
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is not readable ({error})") from error


def read_manifest(path: Path) -> dict[str, Any]:
    """A checkpoint's manifest, exactly as it was written.

    Raises:
        CheckpointError: naming the file and what is wrong with it.
    """
    file = path / MANIFEST
    if path.is_symlink() or file.is_symlink():
        raise CheckpointError(f"{file} is reached by a symbolic link")
    found = parse(file)
    if not isinstance(found, dict) or "format" not in found:
        raise CheckpointError(f"{file} is no manifest")
    if found["format"] != FORMAT:
        raise CheckpointError(f"{path} has format {found['format']!r}; this version of muzero reads format {FORMAT}")
    seal = found.pop("seal", None)
    if sealed(found) != file.read_text("utf-8") or seal is None:
        raise CheckpointError(f"{file} is damaged: its SHA-256 is not the one that it names")
    return found


def verify(path: Path) -> Checkpoint:
    """Hold a checkpoint against its manifest.

    Raises:
        CheckpointError: naming the file and what is wrong with it.
    """
    manifest = read_manifest(path)
    try:
        files = {name: (int(file["bytes"]), str(file["sha256"])) for name, file in manifest["files"].items()}
        complete = isinstance(manifest["step"], int) and math.isfinite(manifest.get("seconds", 0))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path / MANIFEST} is no manifest ({error!r})") from error
    if not complete or STATE not in files:
        raise CheckpointError(f"{path / MANIFEST} is no manifest: step, seconds or state.json is missing")
    for name, (size, expected) in files.items():
        file = path / name
        if not FILE.fullmatch(name):
            raise CheckpointError(f"{path / MANIFEST} names a file {name!r}, which no checkpoint has")
        try:
            found = file.lstat()
            if not stat.S_ISREG(found.st_mode):
                raise CheckpointError(f"{file} is no regular file")
            if found.st_size != size:
                raise CheckpointError(f"{file} has {found.st_size:,} bytes, expected {size:,}: it is damaged")
            if digest(file) != expected:
                raise CheckpointError(f"{file} is damaged: its SHA-256 is not the manifest's")
        except OSError as error:
            raise CheckpointError(f"{file} is missing or not readable ({error.strerror})") from error
    return Checkpoint(path, manifest)


def listed(folder: Path) -> list[Path]:
    """The step directories, the oldest first."""
    found = [(NAME.fullmatch(path.name), path) for path in (folder.iterdir() if folder.is_dir() else [])]
    ordered = sorted((int(name.group(1)), int(name.group(2) or 0), path) for name, path in found if name)
    return [path for _, _, path in ordered]


def step_of(path: Path) -> int:
    """Environment steps of a checkpoint, by its name."""
    found = NAME.fullmatch(path.name)
    assert found is not None
    return int(found.group(1))


def named(run: Path, name: str) -> Path:
    """A checkpoint of a run: "3000", "step-000003000", or "best" of those evaluated while the run learned.

    Raises:
        CheckpointError: if the run has no such checkpoint; it lists those that there are.
    """
    paths = {path.name: path for path in listed(RunFolder(run).checkpoints)}
    there = ", ".join(paths) or "nothing"
    if name == "best":
        step = evaluations.best(evaluations.read(run), map(step_of, paths.values()))
        if step is None:
            raise CheckpointError(f"{run}: none of its checkpoints was evaluated while it learned; there are {there}")
        name = str(step)
    found = paths.get(f"step-{int(name):09d}" if name.isdecimal() else name)
    if found is None:
        raise CheckpointError(f"{RunFolder(run).checkpoints} holds no {name}, only {there}")
    return found


def latest(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The newest checkpoint that verifies, and what is wrong with the newer ones.

    Raises:
        CheckpointError: if there is none.
    """
    problems: list[str] = []
    for path in reversed(listed(folder)):
        try:
            return verify(path), problems
        except CheckpointError as error:
            problems.append(str(error))
    lines = "".join(f"\n  {problem}" for problem in problems)
    raise CheckpointError(f"{folder} holds no usable checkpoint{lines}")


def set_aside(path: Path) -> None:
    """Take a damaged checkpoint out of the way, for a person to look at."""
    aside, again = path.with_name(path.name + ".invalid"), 0
    while aside.exists():
        again += 1
        aside = path.with_name(f"{path.name}.invalid-{again}")
    path.rename(aside)


# --- what a checkpoint is for --------------------------------------------------------------------------------------


def fingerprint(spec: GameSpec) -> dict[str, Any]:
    """What a checkpoint notes of its game, and `require` compares."""
    return {"game": spec.name, "actions": spec.actions, "observation": list(spec.observation), "dtype": spec.dtype}


def require(found: Checkpoint, spec: GameSpec) -> None:
    """Refuse a checkpoint of another game.

    Raises:
        CheckpointError: naming both games.
    """
    there, here = found.manifest.get("fingerprint"), fingerprint(spec)
    if there != here:
        raise CheckpointError(f"checkpoint {found.path.name} is for {_describe(there)}; this run is {_describe(here)}")


def _describe(note: Any) -> str:
    if not isinstance(note, dict):
        return "an unknown game"
    shape = "x".join(map(str, note.get("observation", [])))
    return f"{note.get('game')} ({note.get('actions')} actions, {shape} {note.get('dtype')})"


def fitting(found: Checkpoint, name: str, expected: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of one file, with just the names, shapes and types that are expected.

    Raises:
        CheckpointError: naming the first tensor that differs.
    """
    arrays = {key: torch.from_numpy(np.require(a, requirements="W")) for key, a in found.arrays(name).items()}
    there = {key: (tuple(tensor.shape), tensor.dtype) for key, tensor in arrays.items()}
    here = {key: (tuple(tensor.shape), tensor.dtype) for key, tensor in expected.items()}
    if there != here:
        odd = sorted(key for key in {*there, *here} if there.get(key) != here.get(key))[0]
        raise CheckpointError(
            f"checkpoint {found.path.name} is for another network: {name}.{odd} is {_kind(there.get(odd))} there, "
            f"{_kind(here.get(odd))} in the configuration"
        )
    return arrays


def _kind(known: tuple[tuple[int, ...], torch.dtype] | None) -> str:
    return "missing" if known is None else f"{known[0]} {str(known[1]).removeprefix('torch.')}"


def load_weights(model: torch.nn.Module, found: Checkpoint, spec: GameSpec) -> None:
    """Put a checkpoint's weights into a model.

    Raises:
        CheckpointError: if the checkpoint is for another game or another network.
    """
    require(found, spec)
    model.load_state_dict(fitting(found, "model", model.state_dict()))

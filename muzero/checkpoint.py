"""Checkpoints: atomic step directories of safetensors and JSON, each file named in a manifest with its SHA-256."""

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from muzero.interfaces import GameSpec

FORMAT = 1
MANIFEST = "MANIFEST.json"
NAME = re.compile(r"step-(\d{9})")


class CheckpointError(Exception):
    """A checkpoint is damaged, missing, or for something else."""


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint on disk."""

    path: Path

    @property
    def step(self) -> int:
        """Environment steps at which it was written."""
        found = NAME.fullmatch(self.path.name)
        return int(found.group(1)) if found else 0

    def state(self) -> dict[str, Any]:
        """The plain values."""
        return json.loads((self.path / "state.json").read_text())

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of one file."""
        try:
            return load_file(self.path / f"{name}.safetensors")
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{self.path}/{name}.safetensors: {error}") from error


def save(
    folder: Path, step: int, arrays: dict[str, dict[str, np.ndarray]], state: dict[str, Any], keep: int = 2
) -> Path:
    """Write a checkpoint beside the others, and remove all but the newest `keep`.

    It is built aside and appears by one rename: whoever reads sees all of it or nothing.

    Raises:
        OSError: if the disk is full or read-only; what was there is untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{step:09d}"
    aside = folder / f".writing-{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir()
        for name, group in arrays.items():
            save_file(
                {key: np.asarray(array, order="C") for key, array in group.items()}, aside / f"{name}.safetensors"
            )
        (aside / "state.json").write_text(json.dumps(state))
        files = {path.name: {"bytes": path.stat().st_size, "sha256": digest(path)} for path in sorted(aside.iterdir())}
        (aside / MANIFEST).write_text(json.dumps({"format": FORMAT, "files": files}, indent=1))
        for path in [*aside.iterdir(), aside]:
            sync(path)
        if final.exists():
            shutil.rmtree(final)
        aside.rename(final)
        sync(folder)
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    for path in sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))[:-keep]:
        shutil.rmtree(path)
    return final


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have the disk hold what was written."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def verify(path: Path) -> Checkpoint:
    """Hold a checkpoint against its manifest.

    Raises:
        CheckpointError: naming the file and what is wrong with it.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        found, files = manifest["format"], manifest["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} has no readable {MANIFEST} ({error})") from error
    if found != FORMAT:
        raise CheckpointError(f"{path} has format {found}; this version of muzero reads format {FORMAT}")
    for name, expected in files.items():
        file = path / Path(name).name
        if not file.is_file():
            raise CheckpointError(f"{file} is missing")
        size = file.stat().st_size
        if size != expected["bytes"]:
            raise CheckpointError(f"{file} has {size:,} bytes, expected {expected['bytes']:,}: it is damaged")
        if digest(file) != expected["sha256"]:
            raise CheckpointError(f"{file} is damaged: its SHA-256 is not the manifest's")
    return Checkpoint(path)


def latest(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The newest checkpoint that verifies, and what is wrong with the newer ones.

    Raises:
        CheckpointError: if there is none.
    """
    problems: list[str] = []
    names = folder.iterdir() if folder.is_dir() else []
    for path in sorted((path for path in names if NAME.fullmatch(path.name)), reverse=True):
        try:
            return verify(path), problems
        except CheckpointError as error:
            problems.append(str(error))
    listed = "".join(f"\n  {problem}" for problem in problems)
    raise CheckpointError(f"{folder} holds no usable checkpoint{listed}")


def fingerprint(spec: GameSpec) -> dict[str, Any]:
    """What a checkpoint notes of its game, and `require` compares."""
    return {"game": spec.name, "actions": spec.actions, "observation": list(spec.observation)}


def require(found: Checkpoint, spec: GameSpec) -> None:
    """Refuse a checkpoint of another game.

    Raises:
        CheckpointError: naming both games.
    """
    there, here = found.state().get("fingerprint", {}), fingerprint(spec)
    if there != here:
        raise CheckpointError(f"checkpoint {found.path.name} is for {_describe(there)}; this run is {_describe(here)}")


def _describe(note: dict[str, Any]) -> str:
    shape = "x".join(map(str, note.get("observation", [])))
    return f"{note.get('game', 'an unknown game')} ({note.get('actions')} actions, {shape})"


def load_weights(model: torch.nn.Module, found: Checkpoint, spec: GameSpec) -> None:
    """Put a checkpoint's weights into a model.

    Raises:
        CheckpointError: if the checkpoint is for another game or another network.
    """
    require(found, spec)
    arrays = found.arrays("model")
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != expected:
        odd = sorted(name for name in {*expected, *shapes} if expected.get(name) != shapes.get(name))[0]
        raise CheckpointError(
            f"checkpoint {found.path.name} is for another network: {odd} is {shapes.get(odd)} there, "
            f"{expected.get(odd)} in the configuration"
        )
    model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})

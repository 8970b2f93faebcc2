"""Whether a checkpoint is for this game and this network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from muzero.interfaces import GameSpec
from muzero.runs.checkpoint import Checkpoint, CheckpointError
from muzero.util.text import printable

LONGEST = 200  # characters that describe a game


def fingerprint(spec: GameSpec) -> dict[str, Any]:
    """How a checkpoint identifies its game, for `require` to compare."""
    known = {"game": spec.name, "actions": spec.actions.mark}
    return known | {"observation": list(spec.observation), "dtype": spec.dtype}


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
    observation = note.get("observation")
    shape = "x".join(map(str, observation)) if isinstance(observation, list) else "?"
    actions = note.get("actions")
    space = f"{actions} actions" if isinstance(actions, int) else f"actions {actions}"
    text = f"{note.get('game')} ({space}, {shape} {note.get('dtype')})"
    return printable(text, LONGEST)


def tensors(
    found: Checkpoint, name: str, expected: dict[str, torch.Tensor], half: bool = False
) -> dict[str, torch.Tensor]:
    """The tensors of one file, with just the names, shapes and types that are expected.

    half: also take float16 where float32 is expected.

    Raises:
        CheckpointError: naming the first tensor that differs.
    """
    try:
        arrays = {key: torch.from_numpy(np.require(a, requirements="W")) for key, a in found.arrays(name).items()}
        if half:
            arrays = {key: a.float() if a.dtype == torch.float16 else a for key, a in arrays.items()}
    except TypeError as error:
        raise CheckpointError(f"checkpoint {found.path.name}: {name}: {error}") from error
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
    """Put a checkpoint's weights into a model; those of a trained agent may be stored in float16.

    Raises:
        CheckpointError: if the checkpoint is for another game or another network.
    """
    require(found, spec)
    model.load_state_dict(tensors(found, "model", model.state_dict(), half=True))

"""One search's simulations of a model, by the path that suits the model and its device."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, NamedTuple

import numpy as np
import torch

from muzero.config import ConfigError
from muzero.inference.acting import NotInBfloat16
from muzero.inference.bfloat16 import NotTraceable
from muzero.inference.fallback import warn_once
from muzero.inference.onnx_backend import OnnxModel, OnnxSimulator
from muzero.inference.onnx_graph import NotExportable
from muzero.inference.simulators import Simulator, Simulators
from muzero.inference.torch_backend import TorchModel, TorchSimulator
from muzero.interfaces import Latent, WorldModel
from muzero.search import Expand, Launch, rows_of_parts
from muzero.util.bfloat16 import device_has_bfloat16, has_convolutions

Path = Literal["auto", "torch", "torch_bf16", "onnx", "cuda_graph", "measure"]
"""How simulations are computed.  "auto" is a fixed rule.  On a GPU, recorded graphs, with convolutions in bfloat16 if a
search explores.  On the CPU "torch_bf16" where it pays, see `pays_in_bfloat16`, and the model can be traced, else
onnxruntime for models that can be exported, torch for all others.  "measure" times what there is, so it does not make
reproducible runs."""

DEVICES = {"onnx": "cpu", "torch_bf16": "cpu", "cuda_graph": "cuda"}
OVERLAP = 1024  # roots from which on two halves take turns on a GPU: below, launching two costs more (measured, H100)
WIDE = 2_000_000  # products of one position of a kernel from which on convolutions in bfloat16 pay


class Simulation(NamedTuple):
    """A search that has begun: the roots, and the function that evaluates its edges."""

    parameters: np.ndarray  # [B, P] of the policy at the roots: logits, where actions can be listed
    value: np.ndarray  # [B] of the roots
    # As `muzero.search` takes it: one function, or one for each part of the batch.  An edge is of the model's `edges`,
    # so [B, *shape], and what it leads to is described by the policy's parameters in place of logits.
    expand: Expand | list[Launch]


@contextmanager
def simulating(
    model: WorldModel,
    root: Latent,
    simulations: int,
    path: Path = "auto",
    parts: int | None = None,
    kappa: float = 0.0,
    noise: np.ndarray | None = None,
    precise: bool = False,
) -> Iterator[Simulation]:
    """Begin a search of a model; buffers and compiled networks are used again by the next search of the same shape.

    Args:
        model: as it is now; that its weights change between searches is noticed.
        root: latents of the roots, B in front.
        simulations: calls of `expand` that may follow.
        path: how to compute.
        parts: how many parts of the batch take turns, so that a GPU evaluates one while the trees of another are
            searched; None for two where that pays.
        kappa: how many deviations are added to rewards and values, see `WorldModel.expand`.
        noise: [simulations, B, noise of the model], uniform numbers in (0, 1]: a simulation takes one after the other.
            None: the model takes its most probable draw each time.
        precise: have "auto" compute in float32 whatever the batch and the processor, so that results depend on neither
            beyond the last digits.

    Raises:
        ConfigError: if the path does not exist for this model or device.
        ValueError: if the noise has another shape.
    """
    kept = Simulators.of(model)
    batch, device = _size(root)
    noise = checked(noise, (simulations, batch, model.noise))
    width = 0 if noise is None else model.noise
    bfloat16 = path == "auto" and not precise and pays_in_bfloat16(model, root)
    kind = path, bfloat16, width, *((name, rows.dtype, rows.device, rows.shape[1:]) for name, rows in root.items())
    with torch.inference_mode():
        if kind not in kept.models:
            kept.models[kind] = prepared(model, root, simulations, path, width, bfloat16)
        slices = rows_of_parts(batch, parts or (2 if device == "cuda" and batch >= OVERLAP else 1))
        used = [((kind, rows.stop - rows.start, simulations), rows) for rows in slices]
        simulators = [kept.take(key) or simulator_for(kept.models[kind], *key[1:]) for key, _ in used]
        found = [
            simulator.begin(
                model,
                {name: latent[rows] for name, latent in root.items()},
                kappa,
                None if noise is None else noise[:, rows],
            )
            for simulator, (_, rows) in zip(simulators, used, strict=True)
        ]
        if len(simulators) == 1:
            yield Simulation(*found[0], simulators[0].expand)
        else:
            parameters, value = map(np.concatenate, zip(*found, strict=True))
            yield Simulation(parameters, value, [simulator.launch for simulator in simulators])
        for simulator, (key, _) in zip(simulators, used, strict=True):
            kept.give_back(key, simulator)


def checked(noise: np.ndarray | None, shape: tuple[int, int, int]) -> np.ndarray | None:
    """The noise, if it has this shape; None where that is empty, as of a model in which nothing is random."""
    if noise is not None and noise.shape != shape:
        raise ValueError(
            f"noise: expected shape {shape} (simulations, rows, numbers of the model for each row), got {noise.shape}"
        )
    return noise if noise is not None and noise.size else None


def _size(root: Latent) -> tuple[int, str]:
    """The number of rows of a latent, and the type of its device."""
    rows = next(iter(root.values()))
    return len(rows), rows.device.type


def simulator_for(model: OnnxModel | TorchModel, batch: int, simulations: int) -> Simulator:
    """New buffers for searches of this size."""
    if isinstance(model, OnnxModel):
        return OnnxSimulator(model, batch, simulations)
    return TorchSimulator(model, batch, simulations)


def pays_in_bfloat16(model: WorldModel, root: Latent) -> bool:
    """Whether convolutions in bfloat16 save more time on this device than all that is around them costs.

    On the CPU that depends on the products of the convolutions, here of one position of a kernel that makes planes of
    planes: rows times squares times the square of the channels.  On a GPU they always do.
    """
    products = max((rows.numel() * rows.shape[1] for rows in root.values() if rows.ndim == 4), default=0)
    device = next(iter(root.values())).device
    enough = device.type == "cuda" or products >= WIDE
    return enough and has_convolutions(model) and device_has_bfloat16(device)


def prepared(
    model: WorldModel, root: Latent, simulations: int, path: Path, noise: int, bfloat16: bool
) -> OnnxModel | TorchModel:
    """The model as this path calls it.

    Args:
        model: to prepare.
        root: latents, as an example.
        simulations: of a search.
        path: how to compute.
        noise: numbers that a step is given for each row.
        bfloat16: let "auto" try convolutions in bfloat16 first.

    Raises:
        ConfigError: if the path does not exist for this model or device.
    """
    _, device = _size(root)
    if path == "measure":
        path = fastest(model, root, simulations)
    check(path, device)
    try:
        if path == "onnx":
            return OnnxModel(model, root, noise)
        if path == "torch_bf16":
            return TorchModel(model, root, noise, bfloat16=True)
    except (NotExportable, NotTraceable) as error:
        name = type(model).__name__
        raise ConfigError([f"[planner] inference = {path!r}: {name} cannot be {error.verb}; {error}"]) from error
    # A model without weights, such as the exact rules of a game, is not a network: there is nothing to compile.
    if path == "auto" and device == "cpu" and next(model.parameters(), None) is not None:
        if bfloat16:
            try:
                return TorchModel(model, root, noise, bfloat16=True)
            except NotTraceable as error:
                warn_once(type(model), error)
        with suppress(NotExportable):
            return OnnxModel(model, root, noise)
    if device == "cuda":
        return on_gpu(model, root, path, noise, bfloat16)
    return TorchModel(model, root, noise)


def on_gpu(model: WorldModel, root: Latent, path: Path, noise: int, bfloat16: bool) -> TorchModel:
    """The model as it is called on a GPU; see `prepared`."""
    kept, device = Simulators.of(model), next(iter(root.values())).device
    record = path != "torch"
    if not has_convolutions(model):
        return TorchModel(model, root, noise, record)
    if bfloat16:
        try:
            return TorchModel(model, root, noise, record, acting=kept.copy(model, device, True))
        except NotInBfloat16 as error:
            warn_once(type(model), error)
    return TorchModel(model, root, noise, record, acting=kept.copy(model, device, False))


def check(path: Path, device: str) -> None:
    """Raise ConfigError if a device does not have this path."""
    if DEVICES.get(path, device) != device:
        raise ConfigError([f"[planner] inference = {path!r} needs device {DEVICES[path]}; the model is on {device}"])
    if path == "torch_bf16" and not device_has_bfloat16(torch.device(device)):
        missing = "needs a processor with instructions for bfloat16 (avx512_bf16); this one has none"
        raise ConfigError([f"[planner] inference = {path!r} {missing}: take 'auto'"])


def fastest(model: WorldModel, root: Latent, simulations: int, seconds: float = 0.2) -> Path:
    """The path whose simulations take the least time here, now and at this batch.  seconds: spent on each."""
    batch, device = _size(root)
    paths: tuple[Path, ...] = ("torch", "cuda_graph") if device == "cuda" else ("torch", "torch_bf16", "onnx")
    taken: dict[Path, float] = {}
    parent, edge = np.zeros(batch, np.int32), model.edges.none(batch)
    for path in paths:
        try:
            with simulating(model, root, simulations, path, parts=1) as (_, _, expand):
                assert callable(expand)
                expand(parent, edge, parent + 1)
        except ConfigError:
            continue
        rounds, end = [], time.perf_counter() + seconds
        while not rounds or time.perf_counter() < end:
            with simulating(model, root, simulations, path, parts=1) as (_, _, expand):
                assert callable(expand)
                begin = time.perf_counter()
                for node in range(simulations):
                    expand(parent, edge, parent + node + 1)
                rounds.append(time.perf_counter() - begin)
        taken[path] = float(np.median(rounds))
    return min(taken, key=taken.__getitem__)

"""Settings that are shipped for a device: --config names them, and muzero-train takes those of its own device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from muzero.config import ConfigError, Layer, read_layer
from muzero.config.shipped import DEVICES, presets
from muzero.util.text import nearest, printable

PLANNED = "reanalysed_per_step"  # cannot be used with actors on Ray


def settings_from(path: Path) -> Layer:
    """The settings of --config: those of a file, or of a name, as "gpu/pong"; a file that exists wins.

    Raises:
        ConfigError: if there are neither, naming the nearest.
    """
    if path.exists() or path.suffix:
        return read_layer(path)
    known, name = _named(), str(path)
    if name in known:
        return read_layer(known[name])
    given, _, game = name.partition("/")
    for device in nearest(given, DEVICES):
        close = nearest(game, [other.partition("/")[2] for other in known if other.startswith(f"{device}/")])
        remedy = f"did you mean {device}/{close[0]}?" if close else f"there are {', '.join(presets())}"
        raise ConfigError([f"--config {printable(name)}: no such file, and no settings for a device; {remedy}"])
    return read_layer(path)


def _named() -> dict[str, Path]:
    """The files of all names: "gpu/atari", and the same settings by a game of the family, "gpu/pong"."""
    from muzero.games.registry import FAMILIES, listing

    games = [(FAMILIES[kind], name.partition("/")[2]) for kind, group in listing().items() for name in group.names]
    found = {}
    for name, path in presets().items():
        device, family = name.split("/")
        found |= {name: path} | {f"{device}/{game}": path for of, game in games if of == family}
    return found


def with_device(game: str, layers: Sequence[Layer]) -> tuple[list[Layer], list[str]]:
    """The layers of a new run, with those shipped for its device; and what the user should know of them.

    Args:
        game: as --game takes it.
        layers: the given ones.
    """
    notes, found = [], list(layers)
    if name := of_this_device(game, layers):
        found.insert(0, read_layer(presets()[name]))
        others = ", ".join(other for other in presets() if other != name)
        notes.append(f"settings for this device: {name} (others: --config {others})")
    if _last(layers, "actors", "count", 0) != 0:
        shipped = _shipped()
        planning = [at for at, layer in enumerate(found) if layer.source in shipped and PLANNED in _run(layer)]
        for at in planning:
            run = {key: value for key, value in _run(found[at]).items() if key != PLANNED}
            found[at] = replace(found[at], tables={**found[at].tables, "run": run})
        if planning:
            notes.append(f"with actors on Ray, run.{PLANNED} is not taken from there; actors.reanalyse does that work")
    return found, notes


def of_this_device(game: str, layers: Sequence[Layer]) -> str | None:
    """The name of the shipped settings for the device that learns a game; None if there are none, or none are needed.

    Args:
        game: as --game takes it.
        layers: the given ones.  They need no others if they have settings for a device, or those of a whole run.
    """
    from muzero import build
    from muzero.games.registry import FAMILIES, split

    shipped = _shipped()
    if any(layer.source in shipped or "game" in _run(layer) for layer in layers):
        return None
    device = _last(layers, "run", "device", "auto")
    gpu = device in build.DEVICES and build.device(device).type == "cuda"
    name = f"{'gpu' if gpu else 'laptop'}/{FAMILIES[split(game)[0]]}"
    return name if name in presets() else None


def _shipped() -> set[str]:
    """The sources of layers with settings for a device."""
    return {str(path) for path in presets().values()}


def _run(layer: Layer) -> Mapping[str, Any]:
    """The table [run] of a layer, whose values are not checked yet."""
    return layer.tables.get("run", {})


def _last(layers: Sequence[Layer], table: str, key: str, default: Any) -> Any:
    """The value of a key in the last layer that has it, which is not checked yet."""
    given = (layer.tables.get(table, {}) for layer in reversed(layers))
    return next((entries[key] for entries in given if key in entries), default)

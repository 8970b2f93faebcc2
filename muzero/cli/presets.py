"""Settings that are shipped for a device: --config names them, and muzero-train takes those of its own device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from muzero.config import ConfigError, Layer, read_layer
from muzero.config.shipped import presets
from muzero.util.text import nearest, printable


def settings_from(path: Path) -> Layer:
    """The settings of --config: those of a file, or of a name, as "gpu/pong"; a file that exists wins.

    Raises:
        ConfigError: if there are neither, naming the nearest.
    """
    if path.exists() or path.suffix:
        return read_layer(path)
    known, name = _named(), str(path)
    close = nearest(name, known, 3)
    if name not in known and close:
        raise ConfigError([f"--config {printable(name)}: no such file or settings; did you mean {' or '.join(close)}?"])
    return read_layer(known.get(name, path))


def _named() -> dict[str, Path]:
    """The files of all names: "gpu/atari", and the same settings by a game of the family, "gpu/pong"."""
    from muzero.games.registry import FAMILIES, listing

    games = [(FAMILIES[kind], name.partition("/")[2]) for kind, group in listing().items() for name in group.names]
    found = {}
    for name, path in presets().items():
        device, family = name.split("/")
        found |= {name: path} | {f"{device}/{game}": path for of, game in games if of == family}
    return found


def of_this_device(game: str, layers: Sequence[Layer]) -> str | None:
    """The name of the shipped settings for the device that learns a game; None if there are none, or none are needed.

    Args:
        game: as --game takes it.
        layers: the given ones.  They need no others if they have settings for a device, or those of a whole run.
    """
    from muzero import build
    from muzero.games.registry import FAMILIES, split

    shipped = {str(path) for path in presets().values()}
    if any(layer.source in shipped or "game" in _run(layer) for layer in layers):
        return None
    device = next((_run(layer)["device"] for layer in reversed(layers) if "device" in _run(layer)), "auto")
    gpu = device in build.DEVICES and build.device(device).type == "cuda"
    name = f"{'gpu' if gpu else 'laptop'}/{FAMILIES[split(game)[0]]}"
    return name if name in presets() else None


def _run(layer: Layer) -> Any:
    """The table [run] of a layer; a device in it is not checked yet."""
    return layer.tables.get("run", {})

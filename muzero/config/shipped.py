"""The files with settings that are shipped for games and devices."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent.parent
# Inside the package in a wheel, beside it in a checkout.
CONFIGS = next(path for path in (PACKAGE / "configs", PACKAGE.parent / "configs") if path.exists())
CONTINUOUS = CONFIGS / "continuous.toml"  # for real-valued actions, above the settings of a family
RECORDED = CONFIGS / "recorded.toml"  # for runs that learn from recorded experience, above those of a game
DEVICES = ("gpu", "laptop")  # folders with settings for a device: gpu/atari.toml is for all Atari games


def shipped(game: str, suffix: str) -> Path | None:
    """The file of a game, "board/tic_tac_toe", with a suffix, ".toml"; None if there is none.

    Files are compared by name: a game's name is not a path.
    """
    names = ((path, f"{path.parent.name}/{path.name}") for path in CONFIGS.glob("*/*"))
    return next((path for path, name in names if name == f"{game}{suffix}" and path.parent.name not in DEVICES), None)


def presets() -> dict[str, Path]:
    """The files with settings for a device and a family of games, by their names: "gpu/atari"."""
    return {f"{device}/{path.stem}": path for device in DEVICES for path in sorted((CONFIGS / device).glob("*.toml"))}

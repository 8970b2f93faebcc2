"""The settings of a run that follow from a probe of its game, because no layer sets them for it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from contextlib import chdir, closing
from typing import Any

from muzero.config import Config, Layer
from muzero.config.merge import DEFAULT
from muzero.games.errors import EnvironmentWarning
from muzero.interfaces import Games, GameSpec
from muzero.trials import choices
from muzero.trials.choices import RANGES, Choice, Limits
from muzero.trials.probe import PATIENCE, Probe, probe, size

SOURCE = "a probe of the game"


def following(
    config: Config, spec: GameSpec, general: Sequence[str], make: Callable[[Config, int], Games]
) -> Layer | None:
    """The layer of what follows from a probe, to be put above all others; None where there is nothing to choose.

    Args:
        config: the settings of all other layers.
        spec: of the game.
        general: the sources of what is said for all games alike.
        make: makes that many games side by side.

    Raises:
        EnvironmentFault: if the environment does not work.
    """
    free = unsaid(config, general)
    if not free:  # as of a run that is repeated
        return None
    batch, steps = size(spec)
    with chdir("."), closing(make(config, batch)) as games:
        seen = probe(games, steps)
    if seen is not None:
        return layer(config, spec, seen, free)
    message = (
        f"{spec.name} takes more than {PATIENCE:g} s for {batch * steps:,} steps, so it is not probed: "
        "model.value_limit and game.discount are the usual ones; set them if they do not suit it"
    )
    warnings.warn(EnvironmentWarning(message, f"probe of {spec.name}"), stacklevel=2)
    return None


def unsaid(config: Config, general: Sequence[str]) -> set[tuple[str, str]]:
    """The settings, as (table, key), that may follow a probe, because no layer sets them for this game."""
    keys = [("game", "discount"), ("model", "kind"), *(("model", key) for key in config.table("model"))]
    sources = {place: config.source(*place) for place in keys}
    return {place for place, source in sources.items() if source == DEFAULT or source.startswith(tuple(general))}


def layer(config: Config, spec: GameSpec, seen: Probe, free: Collection[tuple[str, str]]) -> Layer:
    """The layer of what follows from a probe, with a note for each value.

    Args:
        config: all other layers.
        spec: of the game.
        seen: the probe.
        free: the settings that the layer may name, see `unsaid`.
    """
    model, kind, usual = config.table("model"), str(config.kind("model")), config.table("game")["discount"]
    step = choices.discount(spec, seen, usual)
    found: dict[tuple[str, str], Choice] = {("game", "discount"): step}
    sizes = choices.network(spec, kind)
    if sizes:
        what = "planes" if len(spec.observation) == 3 else "rows of numbers"
        found["model", "kind"] = Choice(kind, f"observations are {what}: {'x'.join(map(str, spec.observation))}")
    ranges: dict[str, Choice] = {}
    if spec.returns is None and set(RANGES) <= set(model):
        ahead = step.value if ("game", "discount") in free else usual
        ranges = choices.limits(spec, seen, ahead, Limits(*(model[key] for key in RANGES)))
    found |= {("model", key): choice for key, choice in (sizes | ranges).items()}
    tables: dict[str, dict[str, Any]] = {}
    for (table, key), choice in found.items():
        if (table, key) in free:
            tables.setdefault(table, {})[key] = choice.value
    return Layer(SOURCE, tables, notes={place: choice.reason for place, choice in found.items()})


def summary(config: Config) -> list[str]:
    """What was chosen by a probe, in a line for the beginning of a run; empty where nothing was."""
    keys = [("game", "discount"), *(("model", key) for key in RANGES)]
    found = [f"{table}.{key} = {config.table(table)[key]:g}" for table, key in keys if config.note(table, key)]
    if not found:
        return []
    return [f"chosen after random play: {', '.join(found)} (--dry-run says why, --set changes them)"]

"""Which settings suit a game for which no layer sets them: the network's size, the range of its numbers, the discount.

Each comes with its reason.  They follow from the game's spaces and from the probe alone, so they are the same on every
machine and for every seed.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from muzero.config import read_layer
from muzero.config.shipped import CONFIGS
from muzero.interfaces import GameSpec
from muzero.models.heads import value_transform
from muzero.trials.probe import Probe

RANGES = ("value_limit", "reward_limit", "atoms")
# Networks of planes, which were measured with games of their size.
MEASURED = {"board": ["board.toml"], "minatar": ["minatar.toml"], "atari": ["atari.toml", "laptop/atari.toml"]}

HORIZONS = {100: 0.99, 200: 0.995, 334: 0.997}  # steps that a discount looks ahead: 1 / (1 - discount)
SMALL_PLANES = 16  # the shorter side of planes that need not be halved
MANY = 512  # numbers of an observation, or actions, from which a vector network is wider
MOST_ATOMS = 201
MARGIN = 2.0  # times what random play saw
LARGEST_LIMIT = 1e6  # that a model takes


class Choice(NamedTuple):
    """A value of a setting, and why."""

    value: Any
    reason: str


class Limits(NamedTuple):
    """The ranges of a network's numbers, with as many atoms."""

    value: float
    reward: float
    atoms: int


def network(spec: GameSpec, kind: str) -> dict[str, Choice]:
    """The size of the network of a kind of model, for the keys of [model]."""
    numbers, actions = math.prod(spec.observation), spec.actions.width
    if kind == "vector":
        many = max(numbers, actions) > MANY
        why = f"{numbers:,} numbers in an observation and {spec.actions.describe()}: "
        why += f"more than {MANY} need a wider network" if many else f"up to {MANY} need no wider network"
        return {"width": Choice(256 if many else 128, why)}
    if kind != "spatial":
        return {}
    side = min(spec.observation[1:])
    shape = "x".join(map(str, spec.observation))
    if spec.two_player:
        name, why = "board", "two players: the network of board games"
    elif side <= SMALL_PLANES:
        name, why = "minatar", f"sides of at most {SMALL_PLANES}: the network of MinAtar"
    else:
        name, why = "atari", f"sides of more than {SMALL_PLANES}: the network of Atari on a laptop"
    return {key: Choice(value, f"planes of {shape}, {why}") for key, value in measured(name).items()}


def measured(name: str) -> dict[str, Any]:
    """The size of a network that is shipped: its keys of [model], but not the ranges of its numbers."""
    layers = [read_layer(CONFIGS / file).tables["model"] for file in MEASURED[name]]
    return {key: value for layer in layers for key, value in layer.items() if key not in ("kind", *RANGES)}


def discount(spec: GameSpec, probe: Probe, usual: float) -> Choice:
    """The discount of a step.  usual: that of the family."""
    if spec.two_player and probe.only_at_the_end:
        games = f"{probe.games:,} games of at most {probe.longest_game:,} steps"
        return Choice(1.0, f"two players, and only the end of a game is paid ({games}), however late it comes")
    silence = probe.silence
    if silence <= _horizon(usual):
        why = f"a reward other than the usual one, or the end of a game, comes every {silence:.2g} steps"
        return Choice(usual, f"{why}, and {usual:g} looks {_horizon(usual):,} steps ahead")
    found = next((value for steps, value in HORIZONS.items() if steps >= silence), max(HORIZONS.values()))
    found = max(found, usual)
    why = f"rewards are all the same, and no game ends by itself, for {silence:.3g} steps"
    return Choice(found, f"{why}; {found:g} looks {_horizon(found):,} steps ahead")


def limits(spec: GameSpec, probe: Probe, discount: float, usual: Limits) -> dict[str, Choice]:
    """The ranges of values and rewards, and the atoms, for the keys of [model].

    A range is made larger where the probe saw more than fits.  It is made smaller only for two players, of whom one
    wins what the other loses: better play of one player may be paid much more than random play, and narrow ranges
    taught FrozenLake nothing better (docs/environments.md).

    Args:
        spec: of the game.
        probe: of it.
        discount: of a step.
        usual: the ranges where nothing is known.
    """
    reward, found = probe.largest_reward, probe.largest_return(discount)
    if not reward:
        why = f"no reward but 0 in {probe.steps:,} steps of random play: the usual range"
        return {"value_limit": Choice(usual.value, why), "reward_limit": Choice(usual.reward, why)}
    paid = f"random play was paid up to {reward:.3g} in a step"
    if spec.two_player and probe.all_ended and probe.only_at_the_end and MARGIN * reward < min(usual[:2]):
        why = (
            f"two players, and only the end of a game is paid, up to {reward:.3g} in {probe.games:,} games: twice that"
        )
        same = Choice(ceiling(MARGIN * reward), why)
        return {"value_limit": same, "reward_limit": same}
    returned = f"the discounted return from a step was up to {found:.3g}"
    chosen = {
        "value_limit": _range(MARGIN * found, usual.value, returned),
        "reward_limit": _range(MARGIN * reward, usual.reward, paid),
    }
    largest, wide = max(choice.value for choice in chosen.values()), max(usual.value, usual.reward)
    if largest > wide:
        wider = value_transform(np.float64(largest)) / value_transform(np.float64(wide))
        atoms = min(MOST_ATOMS, round(usual.atoms * float(wider)))
        chosen["atoms"] = Choice(atoms, f"as close to each other as {usual.atoms} in the usual range")
    return chosen


def _range(needed: float, usual: float, seen: str) -> Choice:
    """The usual limit, or a larger one where more is needed."""
    if needed <= usual:
        return Choice(usual, f"{seen}: the usual range has room for twice that")
    return Choice(ceiling(needed), f"{seen}: twice that")


def ceiling(number: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, ... and 0.5, 0.2, ... that is at least a number above 0; at most a million."""
    power = 10.0 ** math.floor(math.log10(number))
    found = next(step * power for step in (1, 2, 5, 10) if step * power >= number * (1 - 1e-6))
    return min(float(f"{found:.1g}"), LARGEST_LIMIT)


def _horizon(discount: float) -> int:
    return round(1 / (1 - discount))

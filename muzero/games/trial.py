"""A trial of an environment before a run begins: what can never work is found at once, not after an hour."""

from __future__ import annotations

import warnings

import numpy as np

from muzero.games.errors import EnvironmentWarning
from muzero.interfaces import Games, Timestep

STEPS = 8


def try_out(games: Games) -> None:
    """Play the first steps of the games twice with the same seeds and actions.

    Warns of a game whose second course differs, since then a resumed run does not continue it exactly.

    Raises:
        EnvironmentFault: if no game can be begun, or the environment has a form that cannot be played.
    """
    once, again = _course(games), _course(games)
    if games.faults:
        return
    for step, (one, other) in enumerate(zip(once, again, strict=True)):
        different = [name for name in vars(one) if not np.array_equal(getattr(one, name), getattr(other, name))]
        if different:
            message = (
                f"{games.spec.name}: with the same seed and actions, {different[0]} differs at step {step}: "
                "reset(seed=...) does not set all randomness, so runs cannot be repeated or resumed exactly"
            )
            warnings.warn(EnvironmentWarning(message, f"seeds of {games.spec.name}"), stacklevel=2)
            return


def _course(games: Games) -> list[Timestep]:
    """The first steps of games under random actions, the same in every call."""
    rng = np.random.default_rng(0)
    shown = [games.reset(np.arange(games.batch))]
    for _ in range(STEPS):
        shown.append(games.step(games.spec.actions.draw(shown[-1].legal, rng)))
    return shown

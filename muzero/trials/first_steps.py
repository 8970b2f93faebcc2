"""A trial of an environment before a run begins: what can never work is found at once, not after an hour."""

from __future__ import annotations

import math
import time
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
    once, again = course(games), course(games)
    if games.faults:
        return
    if (found := difference(once, again)) is not None:
        what, step = found
        message = (
            f"{games.spec.name}: with the same seed and actions, {what} differs at step {step}: "
            "reset(seed=...) does not set all randomness, so runs cannot be repeated or resumed exactly"
        )
        warnings.warn(EnvironmentWarning(message, f"seeds of {games.spec.name}"), stacklevel=2)


def course(games: Games, steps: int = STEPS, seed: int = 0, until: float = math.inf) -> list[Timestep]:
    """The first steps of games under random actions, the same in every call.

    The actions of a game do not depend on the games beside it.

    Args:
        games: B games.
        steps: to be taken.
        seed: of the first game; the next one has the next seed.
        until: seconds of time.monotonic() after which no further step is taken.
    """
    rngs = [np.random.default_rng(slot) for slot in range(games.batch)]
    shown, space = [games.reset(np.arange(games.batch) + seed)], games.spec.actions
    while len(shown) <= steps and time.monotonic() < until:
        legal = shown[-1].legal
        shown.append(games.step(np.concatenate([space.draw(legal[k : k + 1], rng) for k, rng in enumerate(rngs)])))
    return shown


def difference(one: list[Timestep], other: list[Timestep], rows: int | None = None) -> tuple[str, int] | None:
    """What differs first between two courses, and in which step; None if nothing does.

    Args:
        one: a course.
        other: another; the shorter of the two is compared.
        rows: the first games that are compared; None: all.
    """
    for step, (left, right) in enumerate(zip(one, other, strict=False)):
        for name in vars(left):
            if not np.array_equal(getattr(left, name)[:rows], getattr(right, name)[:rows]):
                return name, step
    return None

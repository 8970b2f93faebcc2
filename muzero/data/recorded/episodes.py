"""Recorded episodes: what every source gives, checked against the game, and the segments that they become."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from muzero.data import schema
from muzero.data.schema import Segment, SegmentId
from muzero.interfaces import Games, GameSpec

UNPLANNED = -1  # version of rows that no weights of the run have planned


@dataclass(frozen=True)
class Episode:
    """T steps of a game, and the T + 1 positions around them, in the package's own numbers."""

    name: str  # for messages: "episode 3"
    observation: np.ndarray  # [T + 1, *observation]
    legal: np.ndarray  # [T + 1, A] bool
    action: np.ndarray  # [T, *shape of an action]
    reward: np.ndarray  # [T] float32, to the player who moved
    discount: np.ndarray  # [T] float32, signed; 0 where the game is over
    planned: np.ndarray  # [T] bool; false: the action is known to have been drawn at random

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def over(self) -> bool:
        """Whether the game is over at the end; otherwise nothing is known of how it went on."""
        return bool(self.discount[-1] == 0)

    def check(self, spec: GameSpec) -> None:
        """Check shapes, finite numbers, actions and discounts against the game.

        Raises:
            ValueError: naming the episode, the step, what was found and what was expected.
        """
        if not len(self):
            raise ValueError(f"{self.name} has no steps; leave it out")
        for name, array in (("observation", self.observation), ("reward", self.reward)):
            finite = np.isfinite(array.reshape(len(array), -1)).all(1) if array.dtype.kind == "f" else np.ones(1, bool)
            if not finite.all():
                step = int(np.flatnonzero(~finite)[0])
                raise ValueError(
                    f"{self.name}, step {step}: {name} is {array[step]}, expected finite numbers (float32)"
                )
        shape = self.observation.shape[1:]
        if shape != spec.observation or self.observation.dtype != spec.dtype:
            found = f"{self.observation.dtype} of shape {shape}"
            raise ValueError(f"{self.name}: observations are {found}, expected {spec.dtype} of {spec.observation}")
        if not spec.actions.allows(self.legal).all():
            step = int(np.flatnonzero(~spec.actions.allows(self.legal))[0])
            raise ValueError(f"{self.name}, step {step}: no action is legal, expected at least one")
        spec.actions.check(self.action, self.legal[:-1], self.name)
        if not np.isin(self.discount, np.array(spec.discounts, np.float32)).all() or (self.discount[:-1] == 0).any():
            raise ValueError(f"{self.name}: a discount is not one of {spec.discounts}, or is 0 before the last step")

    def returns(self) -> np.ndarray:
        """[T + 1] float32: the discounted rewards from each position on, each seen by the player to move there.

        What follows an episode that was cut short is not known, and counts as 0.
        """
        found, total = np.zeros(len(self) + 1), 0.0
        steps = list(zip(self.reward.tolist(), self.discount.tolist(), strict=True))
        for row in range(len(self) - 1, -1, -1):
            reward, discount = steps[row]
            total = reward + discount * total
            found[row] = total
        return found.astype(np.float32)

    def segments(self, spec: GameSpec, candidates: int, number: int, most: int) -> Iterator[Segment]:
        """The segments of the episode, of at most this many rows each.

        No row teaches a policy before it is planned, and the value of each is the return that was recorded.

        Args:
            spec: of the game.
            candidates: actions that the planner weighs in a position, see `schema.columns`.
            number: of the episode among all.
            most: rows of a segment.
        """
        rows = {column.name: column.rows(len(self) + 1) for column in schema.columns(spec, candidates)}
        rows["observation"][:], rows["legal"][:], rows["value"][:] = self.observation, self.legal, self.returns()
        for name in ("action", "reward", "discount", "planned"):
            rows[name][:-1] = getattr(self, name)
        for sequence, begin in enumerate(range(0, len(self) + 1, most)):
            part = {name: array[begin : begin + most] for name, array in rows.items()}
            tail = begin + most > len(self)
            yield Segment(SegmentId(0, 0, number, sequence), UNPLANNED, part, tail)


@dataclass
class Source(ABC):
    """Where recorded experience comes from."""

    notes: list[str] = field(default_factory=list, init=False)  # what the user should know of it, once it is read

    @abstractmethod
    def episodes(self, games: Games) -> Iterator[Episode]:
        """All episodes, in an order that is always the same.

        games: of the run; they translate observations and actions.

        Raises:
            ValueError: naming the episode and the step of what does not fit.
            OSError: if something cannot be read.
        """


def native(
    games: Games,
    name: str,
    observations: Sequence[Any] | np.ndarray,
    actions: Sequence[Any] | np.ndarray,
    rewards: Any,
    terminations: Any,
    truncations: Any,
    legal: np.ndarray | None = None,
) -> Episode:
    """An episode from what an environment of gymnasium took and returned.

    Args:
        games: of the run.
        name: of the episode, for messages.
        observations: T + 1.
        actions: T.
        rewards: [T].
        terminations: [T] bool; true at most at the last step.
        truncations: [T] bool; likewise.
        legal: [T + 1, A] bool, the legal actions; None: all.

    Raises:
        ValueError: naming the step of what does not fit.
    """
    spec, space, steps = games.spec, games.spec.actions, len(rewards)
    lengths = {"actions": len(actions), "terminations": len(terminations), "truncations": len(truncations)}
    for what, length in lengths.items():
        if length != steps:
            raise ValueError(f"{name} has {steps} rewards and {length} {what}; expected as many")
    if len(observations) != steps + 1:
        raise ValueError(f"{name} has {steps} steps and {len(observations)} observations; expected {steps + 1}")
    over = flags(name, "terminations", terminations)
    for what, ends in (("terminations", over), ("truncations", flags(name, "truncations", truncations))):
        if ends[:-1].any():
            step = int(np.flatnonzero(ends)[0])
            raise ValueError(f"{name}, step {step}: {what} is true before the last step, which is {steps - 1}")
    seen = np.zeros((steps + 1, *spec.observation), spec.dtype)
    taken = space.none(steps)
    with np.errstate(over="ignore"):  # what becomes infinite is refused
        for step in range(steps + 1):
            seen[step] = at_step(name, step, games.convert, observations[step])
            if step < steps:
                taken[step] = at_step(name, step, games.own, actions[step])
        paid = np.asarray(rewards)
        if paid.shape != (steps,) or paid.dtype.kind not in "fiub":
            raise ValueError(f"{name}: rewards are {paid.dtype} of shape {paid.shape}, expected numbers [{steps}]")
        paid = paid.astype(np.float32)
    if legal is None:
        legal = np.ones((steps + 1, space.columns), bool)
    return Episode(
        name=name,
        observation=seen,
        legal=legal,
        action=taken,
        reward=paid,
        discount=np.where(over, 0, spec.discounts[-1]).astype(np.float32),
        planned=np.ones(steps, bool),
    )


def at_step(name: str, step: int, convert: Any, value: Any) -> Any:
    """What a function makes of a value; its error names the episode and the step."""
    try:
        return convert(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}, step {step}: {error}") from error


def flags(name: str, what: str, values: Any) -> np.ndarray:
    """[T] bool.

    Raises:
        ValueError: if values are neither booleans nor 0 and 1.
    """
    found = np.asarray(values)
    if found.ndim != 1 or found.dtype.kind not in "biu" or not np.isin(found, (0, 1)).all():
        raise ValueError(f"{name}: {what} are {found.dtype} of shape {found.shape}, expected booleans [{len(values)}]")
    return found.astype(bool)

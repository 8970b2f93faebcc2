"""Random play that is watched: what it showed, and what of that is not as it should be."""

from __future__ import annotations

import re
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from muzero.games.batched import BatchedGames
from muzero.games.errors import EnvironmentWarning
from muzero.games.gymnasium_game import MASK, GymnasiumGame
from muzero.interfaces import EnvironmentFault, Games, GameSpec, Timestep
from muzero.trials.findings import Finding

MOST_FAULTS = 5  # that are shown
SLOW = 0.02  # seconds of a step
SAME_LENGTH = 5  # games, after which equal lengths are not an accident
LONG_RUN = 50_000  # steps, of which the time is said


@dataclass
class Play:
    """What random play showed."""

    steps: int = 0
    seconds: float = 0.0  # in steps that begin no game
    faults: list[str] = field(default_factory=list)  # different ones
    warnings: list[str] = field(default_factory=list)
    smallest: float = 0.0  # reward
    largest: float = 0.0
    rewards: int = 0  # other than 0
    lowest: float = np.inf  # number of an observation
    highest: float = -np.inf
    changes: bool = False  # whether observations differ
    ended: Counter[int] = field(default_factory=Counter)  # games over by their rules, by their length
    cut: Counter[int] = field(default_factory=Counter)  # games cut short, by their length
    unfinished: int = 0  # steps of the longest game that was not finished
    legal: tuple[int, int] = (1 << 62, 0)  # fewest and most legal actions
    masks: Counter[bool] = field(default_factory=Counter)  # positions with and without a mask in their info
    masked: bool = False  # whether masks are heeded
    gymnasium: bool = False
    reused: str = ""  # what was seen of an observation that changed later
    foreign: str = ""  # what was seen of an observation that its space does not contain

    @property
    def seconds_per_step(self) -> float:
        """Mean time of a step of one game."""
        return self.seconds / max(self.steps, 1)

    def range_of_observations(self) -> str:
        """In words."""
        return f"numbers from {self.lowest:.4g} to {self.highest:.4g}, within their space"

    def about_masks(self, spec: GameSpec) -> str:
        """In words."""
        if not spec.actions.columns:
            return f"none: {spec.actions.describe()}"
        fewest, most = self.legal
        if fewest >= most == spec.actions.columns:
            return f"none: all {most:,} actions are always legal"
        return f"{fewest:,} to {most:,} of {spec.actions.columns:,} actions are legal"

    def about_ends(self, spec: GameSpec) -> str:
        """In words."""
        lengths = [*self.ended, *self.cut]
        unlimited = any("no time limit" in note for note in spec.notes)
        limit = "no time limit" if unlimited else f"cut at {spec.max_steps:,} steps at the latest"
        if not lengths:
            return f"no game ended in {self.unfinished:,} steps; {limit}"
        games = f"{sum(self.ended.values()):,} games ended, {sum(self.cut.values()):,} were cut"
        steps = f"{min(lengths):,}" + (f" to {max(lengths):,}" if len(set(lengths)) > 1 else "")
        return f"{games}, after {steps} steps; {limit}"

    # --- what is not as it should be -----------------------------------------------------------------------------

    def findings_of_observations(self) -> list[Finding]:
        """Bounds, type, reuse."""
        found = []
        for warning in self.warnings:
            seen, _, declared = warning.partition("; ")
            remedy = "give observation_space the bounds that occur, or clip the observation to them"
            found.append(Finding(seen, declared, remedy))
        if self.foreign and not self.warnings:
            remedy = "return it with the type of the space: observation.astype(np.float32)"
            found.append(Finding(self.foreign, "a member of observation_space, type included", remedy, fault=False))
        if self.reused:
            remedy = "return self.observation.copy(); here nothing is lost, but other programs keep what they are given"
            found.append(Finding(self.reused, "observations that stay as they were returned", remedy, fault=False))
        if self.steps > 1 and not self.changes and not self.faults:
            seen = f"all observations of {self.steps:,} steps are the same"
            remedy = "look whether the observation is made after the step, and from what changes"
            found.append(Finding(seen, "observations from which something can be learned", remedy, fault=False))
        return found

    def findings_of_masks(self, spec: GameSpec) -> list[Finding]:
        """Masks that are missing, or not heeded."""
        if not self.gymnasium or not self.masks[True]:
            return []
        if not self.masked:
            seen = f"info holds {MASK}, which is not heeded: illegal actions are played too"
            return [Finding(seen, "legal actions alone", "--set game.action_mask=true", fault=False)]
        if not self.masks[False]:
            return []
        positions = self.masks[True] + self.masks[False]
        seen = f"info held no {MASK} in {self.masks[False]:,} of {positions:,} positions: there all actions are legal"
        return [Finding(seen, "a mask in every info", f'return info = {{"{MASK}": mask}} in reset and in step')]

    def findings_of_ends(self, spec: GameSpec) -> list[Finding]:
        """Games without an end, and ends that are time limits."""
        if self.faults:
            return []
        if not self.ended and not self.cut:
            if any("no time limit" in note for note in spec.notes):
                seen = f"no game ended in {self.unfinished:,} steps, and there is no time limit: they are cut at "
                seen += f"{spec.max_steps:,}"
                remedy = "--set game.max_steps=N; or register it with max_episode_steps=N"
                return [Finding(seen, "games that end", remedy, fault=False)]
            return []
        length, count = next(iter(self.ended.items()), (0, 0))
        if self.gymnasium and len(self.ended) == 1 and count >= SAME_LENGTH and length > 1 and not self.cut:
            seen = f"all {count:,} games ended with terminated after exactly {length:,} steps, as by a time limit"
            expected = "truncated where time is up: terminated says that nothing could follow"
            remedy = "if it is one, return terminated=False, truncated=True there"
            return [Finding(seen, expected, remedy, fault=False)]
        return []

    def findings_of_speed(self) -> list[Finding]:
        """Steps that take long."""
        if self.seconds_per_step < SLOW or not self.steps:
            return []
        minutes = LONG_RUN * self.seconds_per_step / 60
        seen = f"a step takes {1e3 * self.seconds_per_step:.0f} ms: {LONG_RUN:,} steps take {minutes:,.0f} minutes"
        return [Finding(seen, "some milliseconds", "profile step; --actors auto plays on several cores", fault=False)]


def play(games: Games, steps: int, until: float) -> Play:
    """Play at random.

    Args:
        games: B games.
        steps: of all games together.
        until: seconds of time.monotonic() after which no further step is taken.
    """
    seen, watch = Play(), _Watch(games)
    rng = np.random.default_rng(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            now = games.reset(np.arange(games.batch))
            watch.look(seen, now)
            while seen.steps < steps and time.monotonic() < until:
                actions = games.spec.actions.draw(now.legal, rng)
                begun = time.perf_counter()
                now = games.step(actions)
                _count(seen, now, time.perf_counter() - begun)
                watch.look(seen, now)
        except EnvironmentFault as error:
            watch.fault(seen, re.sub(r"^\d+ games in a row broke .* The last: ", "", str(error)))
    seen.warnings = [str(one.message) for one in caught if isinstance(one.message, EnvironmentWarning)][:1]
    seen.unfinished = max(seen.unfinished, int(watch.length.max()))
    return seen


def _count(seen: Play, now: Timestep, seconds: float) -> None:
    moved = ~now.first
    if not moved.any():
        return
    seen.steps += int(moved.sum())
    if moved.all():
        seen.seconds += seconds
    else:  # the time of a reset is not that of a step
        seen.seconds += seen.seconds_per_step * int(moved.sum())
    reward = now.reward[moved]
    seen.smallest, seen.largest = min(seen.smallest, float(reward.min())), max(seen.largest, float(reward.max()))
    seen.rewards += int((reward != 0).sum())


class _Watch:
    """Looks at every position: at what the games show, and at what their environments returned."""

    def __init__(self, games: Games) -> None:
        self.games = games
        self.length = np.zeros(games.batch, np.int64)
        self.first: np.ndarray | None = None  # the first observation
        self.kept: tuple[Any, np.ndarray] | None = None  # what an environment returned before, and its numbers then
        self.shapes: set[str] = set()  # of faults, without their numbers

    def look(self, seen: Play, now: Timestep) -> None:
        """Take notes of a position."""
        if self.games.faults and self.games.last_fault:
            self.fault(seen, self.games.last_fault)
        observation = now.observation
        seen.lowest, seen.highest = (
            min(seen.lowest, float(observation.min())),
            max(seen.highest, float(observation.max())),
        )
        self.first = observation.copy() if self.first is None else self.first
        seen.changes = seen.changes or not np.array_equal(self.first, observation)
        self.length = np.where(now.first, 0, self.length + 1)
        going = ~now.last
        if going.any() and now.legal.shape[1]:
            counts = now.legal[going].sum(1)
            seen.legal = min(seen.legal[0], int(counts.min())), max(seen.legal[1], int(counts.max()))
        for slot in np.flatnonzero(now.last & ~now.first):
            (seen.ended if now.discount[slot] == 0 else seen.cut)[int(self.length[slot])] += 1
        seen.unfinished = max(seen.unfinished, int(self.length.max()))
        if isinstance(self.games, BatchedGames) and isinstance(one := self.games.one(0), GymnasiumGame):
            if bool(now.first[0]):
                self.kept = None  # of the game before, which may have broken off
            self._look_behind(seen, one, bool(now.last[0]))

    def _look_behind(self, seen: Play, one: GymnasiumGame, last: bool) -> None:
        """Look at what the first environment itself returned."""
        seen.gymnasium, seen.masked = True, one.masked
        if not last:
            seen.masks[MASK in one.info] += 1
        if self.kept is not None and not seen.reused:
            before, numbers = self.kept
            if before is not one.observation or not np.array_equal(one.convert(one.observation), numbers):
                try:
                    changed = not np.array_equal(one.convert(before), numbers)
                except ValueError:
                    changed = True
                if changed:
                    seen.reused = "the next step changes the observation that was returned: one array is used again"
        self.kept = one.observation, one.convert(one.observation)
        space = one.environment.observation_space
        if not seen.foreign and not space.contains(one.observation):
            seen.foreign = _foreign(space, one.observation)

    def fault(self, seen: Play, message: str) -> None:
        """Note a fault, unless it differs only in numbers from one before."""
        shape = re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "#", message)
        if shape not in self.shapes and len(seen.faults) < MOST_FAULTS:
            self.shapes.add(shape)
            seen.faults.append(message)


def _foreign(space: Any, observation: Any) -> str:
    """What is returned, and what was declared."""
    returned = getattr(observation, "dtype", type(observation).__name__)
    declared = getattr(space, "dtype", None)
    if str(returned) != str(declared):
        return f"an observation is {returned}, observation_space declares {declared}"
    return f"an observation is not a member of {space}"

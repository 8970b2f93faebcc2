"""A batch of games of one environment each, as most sources of games need it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from muzero.games.checks import check_seeds, check_size, legal_mask
from muzero.games.errors import EnvironmentWarning, WrongForm
from muzero.games.faults import Faults, attempt, describe
from muzero.games.one_game import OneGame, close
from muzero.games.torch_settings import environments_own
from muzero.interfaces import EnvironmentFault, Games, GameSpec, Rules, Timestep
from muzero.util.seeds import derive_short

LARGEST = float(np.finfo(np.float32).max)
MAX_STEPS = 5000  # of a game whose environment has no limit: without one an evaluation might never end


def limited(spec: GameSpec) -> GameSpec:
    """The spec of a game that ends: without a limit it gets `MAX_STEPS`, and a note that says so."""
    if spec.max_steps is not None:
        return spec
    note = f"{spec.name} has no time limit: games are cut at {MAX_STEPS:,} steps (change it with game.max_steps)"
    return replace(spec, max_steps=MAX_STEPS, notes=(*spec.notes, note))


class BatchedGames(Games):
    """B games of one environment each.

    A game is fully given by its seed and its actions, so `state` consists of these and `restore` plays them again.
    A game that raises or returns invalid data is dropped; the others are not affected, and a new game begins in its
    place.
    """

    def __init__(
        self,
        spec: GameSpec,
        games: Sequence[OneGame],
        max_steps: int | None = None,
        make: Callable[[], OneGame] | None = None,
        bounds: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        """The batch has one slot for each of `games`, and closes them in the end.

        Args:
            spec: of the game.
            games: one per slot.
            max_steps: truncate games of this length.
            make: makes a new environment in place of one that raised; None: the same one is reset.
            bounds: the lowest and highest observation that the environment declares, both [*observation]; None: there
                are no bounds.

        Raises:
            UnknownGame: if the game is empty or too large.
        """
        if not games:
            raise ValueError(f"{spec.name}: batch = 0; expected at least 1")
        check_size(spec)
        self.spec, self.batch = limited(spec), len(games)
        self._games, self._make = list(games), make
        self._faults = Faults(self.batch)
        self._bounds = bounds
        self._drawn = True  # while no environment has failed to draw
        self._max_steps = self.spec.max_steps if spec.max_steps is None else max_steps
        self._start(np.zeros(self.batch, np.int64))

    @property
    def faults(self) -> int:  # type: ignore[override]
        return self._faults.total

    @property
    def last_fault(self) -> str | None:  # type: ignore[override]
        return self._faults.last

    def one(self, slot: int) -> OneGame:
        """The environment of a slot, to be looked at."""
        return self._games[slot]

    def _start(self, seeds: np.ndarray) -> None:
        self._seeds: list[int] = seeds.tolist()
        self._begun = [0] * self.batch  # games that each slot has begun
        self._actions: list[list[Any]] = [[] for _ in range(self.batch)]  # of each slot's current game
        self._reward, self._discount = [0.0] * self.batch, [1.0] * self.batch
        self._first, self._truncated = [True] * self.batch, [False] * self.batch
        self._legal = np.ones((self.batch, self.spec.actions.columns), bool)

    @environments_own()
    def reset(self, seeds: np.ndarray) -> Timestep:
        self._start(check_seeds(seeds, self.batch))
        self._each(self._begin)
        return self._show()

    @environments_own()
    def frame(self, slot: int) -> np.ndarray | None:
        """See `Games.frame`.  An environment that fails to draw is not asked again, with a warning."""
        if not self._drawn:
            return None
        try:
            return self._games[slot].frame()
        except BaseException as error:
            text = f"{self._name(slot)} cannot be drawn: {describe(error)}"
            warnings.warn(EnvironmentWarning(text, f"frames of {self.spec.name}"), stacklevel=2)
            self._drawn = False
            return None

    @environments_own()
    def step(self, actions: np.ndarray) -> Timestep:
        self.spec.actions.check(actions, self._legal, self.spec.name)
        chosen = actions.tolist()
        self._each(lambda slot: self._begin(slot) if self._ended(slot) else self._advance(slot, chosen[slot]))
        return self._show()

    def state(self) -> dict[str, np.ndarray]:
        """Four arrays: seeds [B], games begun [B], lengths [B] and the actions of all current games, joined."""
        return {
            "seeds": np.array(self._seeds, np.int64),
            "begun": np.array(self._begun, np.int64),
            "lengths": np.array([len(actions) for actions in self._actions], np.int64),
            "actions": self._joined_actions(),
        }

    def _joined_actions(self) -> np.ndarray:
        space = self.spec.actions
        joined = [action for actions in self._actions for action in actions]
        return np.array(joined, space.dtype).reshape(len(joined), *space.shape)

    @environments_own()
    def restore(self, state: dict[str, np.ndarray]) -> Timestep:
        self._check_state(state)
        lengths, begun = state["lengths"].tolist(), state["begun"].tolist()
        ends = np.cumsum(lengths).tolist()
        self._start(check_seeds(state["seeds"], self.batch))
        self._begun = [number - 1 for number in begun]  # beginning the game counts it again

        def replay(slot: int) -> None:
            self._begin(slot)
            for action in state["actions"][ends[slot] - lengths[slot] : ends[slot]].tolist():
                if self._ended(slot):
                    raise ValueError("played again, the game ends earlier: some of its randomness is not in the seed")
                legal = self._games[slot].legal()
                if legal is not None and action not in legal:
                    raise ValueError(f"played again, action {action} is not legal: the game is another one than before")
                self._advance(slot, action)

        self._each(replay, strict=True)
        return self._show()

    def _check_state(self, state: dict[str, np.ndarray]) -> None:
        """Refuse a state of other games.

        Raises:
            ValueError: saying what was expected.
        """
        begun, lengths, actions = (state[name] for name in ("begun", "lengths", "actions"))
        if begun.shape != (self.batch,) or lengths.shape != (self.batch,):
            raise ValueError(f"{self.spec.name}: the state has {begun.size} games, expected {self.batch}")
        if any(array.dtype != np.int64 or (array < 0).any() for array in (begun, lengths)):
            raise ValueError(f"{self.spec.name}: the state has other numbers than int64 from 0")
        every = np.ones(
            (int(lengths.sum()), self.spec.actions.columns), bool
        )  # what is legal is seen as they are played
        self.spec.actions.check(actions, every, f"{self.spec.name}: the state")

    def rules(self, slots: Sequence[int]) -> list[Rules] | None:
        found = [attempt(f"{self._name(slot)}: clone()", self._games[slot].rules) for slot in slots]
        known = [position for position in found if position is not None]
        return known if len(known) == len(found) else None

    @environments_own()
    def convert(self, observation: Any) -> np.ndarray:
        return self._games[0].convert(observation)

    def native(self, action: Any) -> Any:
        return self._games[0].native(action)

    def own(self, action: Any) -> Any:
        return self._games[0].own(action)

    @environments_own()
    def close(self) -> None:
        for game in self._games:
            close(game)

    def _ended(self, slot: int) -> bool:
        return self._discount[slot] == 0 or self._truncated[slot]

    def _begin(self, slot: int) -> None:
        self._begun[slot] += 1
        self._actions[slot] = []
        self._reward[slot], self._discount[slot], self._first[slot], self._truncated[slot] = 0.0, 1.0, True, False
        self._games[slot].reset(derive_short(self._seeds[slot], "game", self._begun[slot]))

    def _advance(self, slot: int, action: Any) -> None:
        taken = self._actions[slot]
        taken.append(action)
        reward, discount, truncated = self._games[slot].step(action)
        self._reward[slot], self._discount[slot], self._first[slot] = reward, discount, False
        self._truncated[slot] = discount != 0 and (truncated or len(taken) == self._max_steps)

    def _each(self, what: Callable[[int], None], strict: bool = False) -> None:
        """Call `what` for every slot.  A game that raises is dropped; if strict, EnvironmentFault is raised instead."""
        for slot in range(self.batch):
            try:
                what(slot)
            except BaseException as error:
                message = self._message(slot, error)
                if strict:
                    raise EnvironmentFault(message) from error
                self._drop(slot, message)

    def _drop(self, slot: int, message: str) -> None:
        """Drop a slot's game and begin a new one, in a new environment where one can be made; try until one begins."""
        while True:
            self._faults.add(slot, message)
            try:
                if self._make is not None:
                    close(self._games[slot])
                    self._games[slot] = self._make()
                return self._begin(slot)
            except BaseException as error:
                message = self._message(slot, error)

    def _message(self, slot: int, error: BaseException) -> str:
        """An exception of a slot as a message that says where it happened.

        Raises:
            WrongForm: if the error is one that a new game cannot mend.
        """
        if isinstance(error, WrongForm):
            raise WrongForm(self._describe(slot, str(error))) from error
        return self._describe(slot, describe(error))

    def _describe(self, slot: int, what: str) -> str:
        taken = self._actions[slot]
        action = f", action {self.spec.actions.name(taken[-1])}" if taken else ""
        game = f"game {self._begun[slot]} from seed {self._seeds[slot]}"
        return f"{self._name(slot)}, step {len(taken)} of {game}{action}: {what}"

    def _name(self, slot: int) -> str:
        """A slot for a person."""
        return self.spec.name + (f", environment {slot + 1} of {self.batch}" if self.batch > 1 else "")

    def _show(self) -> Timestep:
        observation = np.empty((self.batch, *self.spec.observation), self.spec.dtype)
        allowed = [self._look(slot, observation[slot]) for slot in range(self.batch)]
        legal = legal_mask(self.spec.actions, allowed)
        if legal is None or not self._finite(observation):
            for slot in range(self.batch):
                allowed[slot] = self._look_again(slot, observation[slot], allowed[slot])
            legal = legal_mask(self.spec.actions, allowed)
            assert legal is not None
        self._legal = legal
        self._check_bounds(observation)
        if self._faults.pending:
            for slot in range(self.batch):
                if self._ended(slot):
                    self._faults.ended(slot)
        return Timestep(
            observation=observation,
            legal=self._legal,
            reward=np.array(self._reward, np.float32),
            discount=np.array(self._discount, np.float32),
            first=np.array(self._first),
            truncated=np.array(self._truncated),
        )

    def _look(self, slot: int, out: np.ndarray) -> Sequence[int] | None:
        """Write a slot's observation into out and return its legal actions; a game that raises is dropped."""
        while True:
            try:
                game = self._games[slot]
                game.observe(out)
                return None if self._ended(slot) else game.legal()
            except BaseException as error:
                self._drop(slot, self._message(slot, error))

    def _look_again(self, slot: int, out: np.ndarray, legal: Sequence[int] | None) -> Sequence[int] | None:
        """Check what `_look` found in a slot; while it is invalid, drop the game and look at the next."""
        while (problem := self._problem(slot, out, legal)) is not None:
            self._drop(slot, self._describe(slot, problem))
            legal = self._look(slot, out)
        return legal

    def _check_bounds(self, observation: np.ndarray) -> None:
        """Warn once about an observation outside its declared space."""
        if self._bounds is None:
            return
        low, high = self._bounds
        outside = ~((observation >= low) & (observation <= high))
        if outside.any():
            slot, *place = (int(number) for number in np.argwhere(outside)[0])
            value, least, most = (array[tuple(place)] for array in (observation[slot], low, high))
            what = f"observation{place} is {value:g}; observation_space declares {least:g} to {most:g}"
            topic = f"bounds of {self.spec.name}"
            warnings.warn(EnvironmentWarning(self._describe(slot, what), topic), stacklevel=2)
            self._bounds = None

    def _finite(self, observation: np.ndarray) -> bool:
        numbers = observation.dtype.kind != "f" or bool(np.isfinite(observation).all())
        return numbers and all(abs(reward) <= LARGEST for reward in self._reward)

    def _valid(self, legal: Sequence[int]) -> bool:
        return 0 < len(legal) == len(set(legal)) and min(legal) >= 0 and max(legal) < self.spec.actions.columns

    def _problem(self, slot: int, observation: np.ndarray, legal: Sequence[int] | None) -> str | None:
        """What is invalid in a slot, in words; None if all is valid."""
        if observation.dtype.kind == "f" and not np.isfinite(observation).all():
            return f"observation is not finite: {observation}"
        if not abs(self._reward[slot]) <= LARGEST:
            return f"reward is not finite: {self._reward[slot]}"
        if legal is not None and not self._valid(legal):
            if not len(legal):
                return "no action is legal"
            return f"legal actions are {list(legal)}, expected each once and from 0 to {self.spec.actions.columns - 1}"
        return None

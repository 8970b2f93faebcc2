"""Two-player games of the user's own: their form, one as a game of a batch, and its rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from muzero.games.checks import legal_actions, number, player_to_move, shown
from muzero.games.faults import attempt, truth
from muzero.games.one_game import OneGame
from muzero.games.spaces import check_numbers
from muzero.interfaces import GameSpec

T = TypeVar("T")


class TurnGame(Protocol):
    """The form of a two-player game, whose players need not alternate.  A game need not inherit from this class.

    The game is zero-sum: what one player wins, the other loses.

    A game without chance may offer more, for players that look ahead (minimax), `--positions`, and people:
    `clone()`, an independent copy; `action_name(action)`, the name of an action; `__str__`, the board as text.
    """

    actions: int
    observation_shape: tuple[int, ...]

    def reset(self, seed: int) -> None:
        """Begin a new game; take all randomness from the seed."""
        ...

    def observation(self) -> np.ndarray:
        """The view of the player to move, [*observation_shape]; called at the end of the game too."""
        ...

    def legal(self) -> np.ndarray:
        """[actions] bool, true where an action is legal; not called at the end of the game."""
        ...

    def to_move(self) -> int:
        """The player whose turn it is, 0 or 1; not called at the end of the game."""
        ...

    def step(self, action: int) -> tuple[float, bool]:
        """Apply an action; returns the reward to the player who moved, and whether the game is over."""
        ...


class Turns(OneGame):
    """A `TurnGame` as one game."""

    def __init__(self, game: TurnGame, spec: GameSpec, discount: float) -> None:
        self.game = game
        self.spec = spec
        self.history: list[int] = []
        self.returns = [0.0, 0.0]  # of each player so far
        self.over = False
        self._discount = discount

    def reset(self, seed: int) -> None:
        self.game.reset(seed)
        self.history, self.returns, self.over = [], [0.0, 0.0], False

    def step(self, action: int) -> tuple[float, float, bool]:
        player = self.to_move()
        found = self.game.step(action)
        if not (isinstance(found, tuple | list) and len(found) == 2):
            raise ValueError(f"step returned {shown(found)}, expected two values: reward, over")
        reward, self.over = number(found[0], "reward"), truth(found[1], "over")
        self.history.append(action)
        self.returns[player] += reward
        self.returns[1 - player] -= reward
        if self.over:
            return reward, 0.0, False
        return reward, self._discount if self.to_move() == player else -self._discount, False

    def observe(self, out: np.ndarray) -> None:
        out[...] = check_numbers(self.game.observation(), self.spec.observation, "observation")

    def legal(self) -> Sequence[int]:
        return legal_actions(self.game.legal(), self.spec.actions.columns, "legal()")

    def to_move(self) -> int:
        """Whose turn it is, 0 or 1."""
        return player_to_move(self.game.to_move())

    def rules(self) -> TurnRules | None:
        return TurnRules(self.clone()) if hasattr(self.game, "clone") else None

    def clone(self) -> Turns:
        """An independent copy of a game that offers `clone`."""
        copy = Turns(self.game.clone(), self.spec, self._discount)  # type: ignore[attr-defined]
        copy.history, copy.returns, copy.over = list(self.history), list(self.returns), self.over
        return copy


class TurnRules:
    """`Rules` of a `TurnGame` that offers `clone`.  What the game raises becomes an EnvironmentFault."""

    def __init__(self, turns: Turns) -> None:
        """turns: the game, which must not change any more."""
        self._turns = turns
        self.game: str = turns.spec.name
        self.parameters: dict[str, Any] = {}
        self.history: list[int] = turns.history
        self.returns: list[float] = turns.returns
        self.over: bool = turns.over

    def _ask(self, what: str, action: Callable[[], T]) -> T:
        return attempt(f"{self.game}, {what} after {len(self.history)} moves", action)

    @property
    def to_move(self) -> int:
        return self._ask("to_move()", self._turns.to_move)

    def legal(self) -> list[int]:
        return [] if self.over else list(self._ask("legal()", self._turns.legal))

    def child(self, action: int) -> TurnRules:
        if action not in self.legal():
            raise ValueError(f"{self.game}: action {action} is not legal; legal are {self.legal()}")
        after = self._ask("clone()", self._turns.clone)
        self._ask(f"step({action})", lambda: after.step(action))
        return TurnRules(after)

    def name(self, action: int) -> str:
        named = getattr(self._turns.game, "action_name", str)
        return self._ask(f"action_name({action})", lambda: str(named(action)))

    def key(self) -> str:
        # The form of a game promises that the player to move sees all that matters.
        return f"{self.over or self.to_move} {self.returns} {self.view()[0].tolist()}"

    def draw(self) -> str:
        game = self._turns.game
        drawn = type(game).__str__ is not object.__str__
        return self._ask("str()", lambda: str(game)) if drawn else str(self.view()[0])

    def player(self, number: int) -> str:
        return f"player {number}"

    def view(self) -> tuple[np.ndarray, np.ndarray]:
        seen = np.empty(self._turns.spec.observation, np.float32)
        self._ask("observation()", lambda: self._turns.observe(seen))
        allowed = np.full(self._turns.spec.actions.columns, self.over)
        allowed[self.legal()] = True
        return seen, allowed

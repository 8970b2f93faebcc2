"""The user's own games: a class in a module of theirs, in one of two forms."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import numpy as np

from muzero.config.schema import Range
from muzero.games.batched import BatchedGames, OneGame, UnknownGame, unknown
from muzero.games.faults import truth
from muzero.games.spaces import GymnasiumGame, count_actions, view
from muzero.interfaces import GameSpec

GYMNASIUM_FORM = ("observation_space", "action_space", "reset", "step")
TURN_FORM = ("actions", "observation_shape", "reset", "observation", "legal", "to_move", "step")


class TurnGame(Protocol):
    """The form of a game for two players, who need not move in turn.  Inherit from it or not, as you like.

    One player's sum of rewards is the other's with its sign turned.

    A game without chance may offer more, for players that look ahead (minimax), `--positions`, and people:
    `clone()`, an independent copy; `action_name(action)`, what an action is called; `__str__`, the board as a text.
    """

    actions: int
    observation_shape: tuple[int, ...]

    def reset(self, seed: int) -> None:
        """Begin a new game; take all randomness from the seed."""
        ...

    def observation(self) -> np.ndarray:
        """What the player to move sees, [*observation_shape]; asked at the end of the game too."""
        ...

    def legal(self) -> np.ndarray:
        """[actions] bool; not asked at the end of the game."""
        ...

    def to_move(self) -> int:
        """Whose turn it is, 0 or 1; not asked at the end of the game."""
        ...

    def step(self, action: int) -> tuple[float, bool]:
        """Apply an action; returns the reward to the player who moved, and whether the game is over."""
        ...


class PythonGames(BatchedGames):
    """B games of the user's class; name: "module:Class", the module in the current directory or installed.

    The class is called without arguments, once per game.  It has the form of a gymnasium environment (which may
    say in info["action_mask"] what is legal) or that of `TurnGame`.
    """

    def __init__(
        self,
        name: str,
        batch: int,
        training: bool,
        *,
        discount: Annotated[float, Range(0.001, 1)] = 0.997,
        max_steps: Annotated[int, Range(1)] | None = None,
    ) -> None:
        """Training and evaluation play the same game.

        Args:
            name: module and class.
            batch: B.
            training: has no effect.
            discount: of a step that does not end the game; 1 suits games in which only winning counts.
            max_steps: truncate games at this length; 5000 where neither this nor the environment's `spec` says one.

        Raises:
            UnknownGame: if there is no such class, or it has neither form.
        """
        game = f"python/{name}"
        make = _find(name)
        instances = [make() for _ in range(batch)]
        lacking = {form: [member for member in form if not hasattr(instances[0], member)] for form in FORMS}
        nearest_form = min(FORMS, key=lambda form: len(lacking[form]) / len(form))
        if lacking[nearest_form]:
            raise UnknownGame(f"{game} {FORMS[nearest_form]} but lacks {', '.join(lacking[nearest_form])}")
        build = _gymnasium_games if nearest_form is GYMNASIUM_FORM else _turn_games
        spec, games = build(game, instances, discount, max_steps or _own_limit(instances[0]))
        super().__init__(spec, games, spec.max_steps, lambda: build(game, [make()], discount, max_steps)[1][0])


FORMS = {
    GYMNASIUM_FORM: "looks like a gymnasium environment",
    TURN_FORM: "looks like a game for two players",
}


def names() -> list[str]:
    """Nothing: what there is only the user knows."""
    return []


def _find(name: str) -> Any:
    module_name, colon, member = name.partition(":")
    if not colon or not module_name or not member:
        raise UnknownGame(f"game 'python/{name}': expected python/<module>:<Class>")
    if "" not in sys.path:
        sys.path.insert(0, "")  # the current directory: commands, unlike `python -m`, do not look there
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the user's module exists, but imports something that does not
        raise UnknownGame(
            f"game 'python/{name}' is not known: no module '{error.name}' in the current directory or installed"
        ) from error
    if member not in vars(module):
        classes = [word for word, value in vars(module).items() if isinstance(value, type)]
        raise unknown("python", name, [f"{module_name}:{word}" for word in classes])
    return vars(module)[member]


def _own_limit(instance: Any) -> int | None:
    """The length at which an environment of gymnasium's registry is cut by its own wrapper."""
    own = getattr(getattr(instance, "spec", None), "max_episode_steps", None)
    return own if isinstance(own, int) and own > 0 else None


def _gymnasium_games(
    game: str, instances: Sequence[Any], discount: float, max_steps: int | None
) -> tuple[GameSpec, list[OneGame]]:
    actions = count_actions(instances[0].action_space, game)
    seen = view(instances[0].observation_space, game)
    spec = GameSpec(game, seen.shape, seen.dtype, actions, (0.0, discount), max_steps=max_steps)
    return spec, [GymnasiumGame(one, seen, discount, masked=True) for one in instances]


def _turn_games(
    game: str, instances: Sequence[TurnGame], discount: float, max_steps: int | None
) -> tuple[GameSpec, list[OneGame]]:
    shape, actions = tuple(instances[0].observation_shape), int(instances[0].actions)
    spec = GameSpec(game, shape, "float32", actions, (-discount, 0.0, discount), max_steps=max_steps)
    return spec, [_Turns(game, one, discount) for one in instances]


class _Turns(OneGame):
    def __init__(self, name: str, game: TurnGame, discount: float) -> None:
        self._name = name
        self._game = game
        self._discount = discount
        self._history: list[int] = []
        self._returns = [0.0, 0.0]
        self._over = False

    def reset(self, seed: int) -> None:
        self._game.reset(seed)
        self._history, self._returns, self._over = [], [0.0, 0.0], False

    def step(self, action: int) -> tuple[float, float, bool]:
        player = self._game.to_move()
        reward, over = self._game.step(action)
        self._over = truth(over, "over")
        self._history.append(action)
        self._returns[player] += float(reward)
        self._returns[1 - player] -= float(reward)
        if self._over:
            return float(reward), 0.0, False
        return float(reward), self._discount if self._game.to_move() == player else -self._discount, False

    def rules(self) -> TurnRules | None:
        return TurnRules(self.clone()) if hasattr(self._game, "clone") else None

    def clone(self) -> _Turns:
        """An independent copy of a game that offers `clone`."""
        copy = _Turns(self._name, self._game.clone(), self._discount)  # type: ignore[attr-defined]
        copy._history, copy._returns, copy._over = list(self._history), list(self._returns), self._over
        return copy

    def observe(self, out: np.ndarray) -> None:
        seen = np.asarray(self._game.observation())
        if seen.shape != out.shape:
            raise ValueError(f"observation of shape {seen.shape}, expected {out.shape}")
        out[...] = seen

    def legal(self) -> Sequence[int]:
        mask = np.asarray(self._game.legal())
        if mask.shape != (self._game.actions,):
            raise ValueError(f"legal of shape {mask.shape}, expected ({self._game.actions},)")
        return np.flatnonzero(mask).tolist()


class TurnRules:
    """`Rules` by a `TurnGame` that offers `clone`."""

    def __init__(self, turns: _Turns) -> None:
        """turns: the game, which must not be changed any more."""
        self._turns = turns
        self.game: str = turns._name
        self.parameters: dict[str, Any] = {}
        self.history: list[int] = turns._history
        self.returns: list[float] = turns._returns
        self.over: bool = turns._over

    @property
    def to_move(self) -> int:
        return int(self._turns._game.to_move())

    def legal(self) -> list[int]:
        return [] if self.over else list(self._turns.legal())

    def child(self, action: int) -> TurnRules:
        if action not in self.legal():
            raise ValueError(f"{self.game}: action {action} is not legal; legal are {self.legal()}")
        after = self._turns.clone()
        after.step(action)
        return TurnRules(after)

    def name(self, action: int) -> str:
        named = getattr(self._turns._game, "action_name", str)
        return str(named(action))

    def key(self) -> str:
        # The form of a game promises that the player to move sees all that matters.
        return f"{self.over or self.to_move} {self.returns} {self.view()[0].tolist()}"

    def draw(self) -> str:
        game = self._turns._game
        return str(game) if type(game).__str__ is not object.__str__ else str(self.view()[0])

    def view(self) -> tuple[np.ndarray, np.ndarray]:
        seen = np.empty(tuple(self._turns._game.observation_shape), np.float32)
        self._turns.observe(seen)
        allowed = np.full(self._turns._game.actions, self.over)
        allowed[self.legal()] = True
        return seen, allowed

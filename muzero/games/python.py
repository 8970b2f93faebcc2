"""The user's own games: a class in a module, in one of two forms."""

from __future__ import annotations

import importlib
import inspect
import operator
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np

from muzero.actions import Discrete
from muzero.config.schema import NO_ARGUMENTS, Arguments, Range, written
from muzero.games.action_views import action_view
from muzero.games.batched import BatchedGames
from muzero.games.checks import shown
from muzero.games.errors import UnknownGame, Unplayable, unknown
from muzero.games.gymnasium_game import RENDER_MODE, GymnasiumGame, draws
from muzero.games.one_game import OneGame
from muzero.games.spaces import Channels, view
from muzero.games.turns import TurnGame, Turns
from muzero.interfaces import GameSpec

GYMNASIUM_FORM = ("observation_space", "action_space", "reset", "step")
TURN_FORM = ("actions", "observation_shape", "reset", "observation", "legal", "to_move", "step")
FORMS = {
    GYMNASIUM_FORM: "looks like a gymnasium environment",
    TURN_FORM: "looks like a two-player game",
}


class PythonGames(BatchedGames):
    """B games of the user's class; name: "module:Class", the module in the current directory or installed.

    The class, or a function that is annotated to return it, is called once per game, with `kwargs`.  It has the form
    of a gymnasium environment (which may say in info["action_mask"] which actions are legal) or that of `TurnGame`.

    Rewards and returns should lie within `model.reward_limit` and `model.value_limit`: what is beyond them is learned
    as the limit.
    """

    def __init__(
        self,
        name: str,
        batch: int,
        training: bool,
        frames: bool = False,
        *,
        discount: Annotated[float, Range(0.001, 1)] = 0.997,
        max_steps: Annotated[int, Range(1)] | None = None,
        channels: Channels = "auto",
        bins: Annotated[int, Range(2, 512)] | None = None,
        kwargs: Arguments = NO_ARGUMENTS,
    ) -> None:
        """Training and evaluation play the same game.

        Args:
            name: module and class.
            batch: B.
            training: has no effect.
            frames: whether a class that can draw (`metadata["render_modes"]`, and an argument `render_mode`) is made so
                that `frame` returns its pictures.
            discount: the discount of a step that does not end the game; 1 suits games in which only winning counts.
            max_steps: truncate games at this length; 5000 where neither this nor the environment's `spec` says one.
            channels: where images have their channels, "first" or "last"; "auto" finds it out from their shape.
            bins: numbers to which each number of real-valued actions is reduced, evenly spaced from bound to bound, so
                that a tree can search them: each combination becomes one action, at most 512; "none" keeps them real.
            kwargs: arguments of the class: `game.kwargs.size=3`.

        Raises:
            UnknownGame: if there is no such class, it has neither form, or it takes other arguments.
        """
        game = f"python/{name}"
        found = _find(name)
        _check_arguments(found, kwargs, game)
        if frames and draws(found) and "render_mode" not in kwargs and _takes(found, "render_mode"):
            kwargs = {**kwargs, "render_mode": RENDER_MODE}
        make = partial(found, **kwargs)
        instances = [make() for _ in range(batch)]
        if _is_gymnasium(instances[0], game):
            form = _gymnasium_form(instances[0], game, discount, max_steps, channels, bins)
        elif bins is not None:
            raise Unplayable(f"{game} cannot be played with game.bins: its actions can be listed already")
        else:
            form = _turn_form(instances[0], game, discount, max_steps)
        games = [form.game_of(instance) for instance in instances]
        super().__init__(form.spec, games, form.spec.max_steps, lambda: form.game_of(make()), form.bounds)


class _Form(NamedTuple):
    """How the instances of a class are played."""

    spec: GameSpec
    game_of: Callable[[Any], OneGame]  # of an instance
    bounds: tuple[np.ndarray, np.ndarray] | None = None  # of observations


def _find(name: str) -> Callable[..., Any]:
    """The class of a name, or the function that makes an environment.

    Raises:
        UnknownGame: if there is no such class.
    """
    game = f"python/{name}"
    module_name, _, member = name.partition(":")
    if not all(module_name.split(".")) or not member:
        # Nothing is imported to list its classes: a name without a class is not consent to run the module.
        raise UnknownGame(f"game '{game}': expected python/<module>:<Class>")
    if "(" in name:
        raise UnknownGame(f"game '{game}': give the arguments of a class as --set game.kwargs.NAME=VALUE")
    if module_name.endswith(".py") or "/" in module_name:
        dotted = module_name.removesuffix(".py").strip("/").replace("/", ".")
        raise UnknownGame(f"game '{game}': expected a module, not a file; did you mean python/{dotted}:{member}?")
    if (here := os.getcwd()) not in sys.path:  # absolute: an environment may change the working directory
        sys.path.insert(0, here)  # commands, unlike `python -m`, do not look there
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the user's module exists, but not a module that it imports
        raise UnknownGame(
            f"game '{game}' is not known: no module '{error.name}' in the current directory or installed"
        ) from error
    if member not in vars(module):
        classes = [word for word, value in vars(module).items() if _makes_games(value)]
        raise unknown("python", name, [f"{module_name}:{word}" for word in classes])
    found = vars(module)[member]
    if not _makes_games(found):
        expected = "a class with the methods reset and step, nor a function that is annotated to return one"
        raise UnknownGame(f"{game} cannot be played: {shown(found)} is not {expected}")
    return found


def _makes_games(found: Any) -> bool:
    """Whether it can be called to get a game: what does not say so (os:abort) is never called."""
    if not isinstance(found, type):
        try:
            found = get_type_hints(found).get("return")
        except Exception:  # not a function, or its annotations name what does not exist
            return False
    return isinstance(found, type) and all(callable(getattr(found, name, None)) for name in ("reset", "step"))


def _check_arguments(made: Callable[..., Any], kwargs: Arguments, game: str) -> None:
    """Compare the arguments that are given with those that the class takes.

    Raises:
        UnknownGame: naming the argument that is missing or not known.
    """
    try:
        signature = inspect.signature(made)
    except (TypeError, ValueError):  # of a class written in C
        return
    try:
        given = signature.bind_partial(**kwargs).arguments
    except TypeError as error:
        takes = f"it takes {', '.join(signature.parameters) or 'none'}"
        raise UnknownGame(f"{game} cannot be made with game.kwargs = {written(kwargs)}: {error}; {takes}") from None
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    missing = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is parameter.empty and parameter.kind not in free and name not in given
    ]
    if missing:
        remedy = " ".join(f"--set game.kwargs.{name}=VALUE" for name in missing)
        raise UnknownGame(f"{game} needs the argument{'s' * (len(missing) > 1)} {' and '.join(missing)}; add {remedy}")


def _takes(made: Callable[..., Any], argument: str) -> bool:
    """Whether a class takes an argument of this name."""
    try:
        inspect.signature(made).bind_partial(**{argument: None})
    except (TypeError, ValueError):
        return False
    return True


def _is_gymnasium(instance: Any, game: str) -> bool:
    """Whether an instance has the form of a gymnasium environment; otherwise it has that of a `TurnGame`.

    Raises:
        UnknownGame: if it has neither.
    """
    lacking = {form: [member for member in form if not hasattr(instance, member)] for form in FORMS}
    form = min(FORMS, key=lambda form: len(lacking[form]) / len(form))
    if lacking[form]:
        raise Unplayable(f"{game} {FORMS[form]} but lacks {', '.join(lacking[form])}")
    return form is GYMNASIUM_FORM


def _own_limit(instance: Any) -> int | None:
    """The length at which an environment of gymnasium's registry is cut by its own wrapper."""
    own = getattr(getattr(instance, "spec", None), "max_episode_steps", None)
    return own if isinstance(own, int) and own > 0 else None


def _gymnasium_form(
    instance: Any, game: str, discount: float, max_steps: int | None, channels: Channels, bins: int | None
) -> _Form:
    actions = action_view(instance.action_space, game, bins)
    seen = view(instance.observation_space, game, channels)
    spec = GameSpec(
        name=game,
        observation=seen.shape,
        dtype=seen.dtype,
        actions=actions.space,
        discounts=(0.0, discount),
        max_steps=max_steps or _own_limit(instance),
    )
    return _Form(spec, lambda one: GymnasiumGame(one, seen, actions, discount, masked=True), seen.bounds)


def _turn_form(instance: TurnGame, game: str, discount: float, max_steps: int | None) -> _Form:
    try:
        shape = tuple(operator.index(length) for length in instance.observation_shape)
        actions = operator.index(instance.actions)
    except TypeError:
        given = f"actions = {shown(instance.actions)}, observation_shape = {shown(instance.observation_shape)}"
        raise Unplayable(f"{game} cannot be played: {given}; expected an integer and a tuple of integers") from None
    discounts = (-discount, 0.0, discount)
    spec = GameSpec(game, shape, "float32", Discrete(actions), discounts, max_steps=max_steps or _own_limit(instance))
    return _Form(spec, lambda one: Turns(one, spec, discount))

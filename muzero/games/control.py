"""Environments of gymnasium: CartPole, Pendulum, those of MuJoCo and dm_control, and others registered there."""

from __future__ import annotations

import importlib
import os
import re
import warnings
from collections.abc import Iterable
from contextlib import closing, suppress
from typing import Annotated, Any

from muzero.config.schema import NO_ARGUMENTS, Arguments, Range, written
from muzero.games.action_views import action_view
from muzero.games.batched import BatchedGames
from muzero.games.errors import UnknownGame, unknown
from muzero.games.faults import raise_interrupt
from muzero.games.gymnasium_game import RENDER_MODE, GymnasiumGame, draws
from muzero.games.spaces import Channels, view
from muzero.interfaces import GameSpec
from muzero.util.extras import MissingExtra, need

DM_CONTROL = "dm_control/"  # the ids that shimmy registers begin with it


class ControlGames(BatchedGames):
    """B environments of gymnasium; name: the environment's id, "CartPole-v1" or "package:Name-v0".

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
        action_mask: bool = False,
        channels: Channels = "auto",
        bins: Annotated[int, Range(2, 512)] | None = None,
        kwargs: Arguments = NO_ARGUMENTS,
    ) -> None:
        """Training and evaluation play the same game.

        Args:
            name: the id.
            batch: B.
            training: has no effect.
            frames: whether environments that can draw are made so that `frame` returns their pictures.
            discount: the discount of a step that does not end the game.
            max_steps: truncate games at this length, in place of the environment's own limit; 5000 where neither is
                given.
            action_mask: take the `action_mask` in the environment's info, where there is one, for the legal actions.
            channels: where images have their channels, "first" or "last"; "auto" finds it out from their shape.
            bins: numbers to which each number of real-valued actions is reduced, evenly spaced from bound to bound, so
                that a tree can search them: each combination becomes one action, at most 512; "none" keeps them real.
            kwargs: arguments of the environment itself, as gymnasium.make takes them: `game.kwargs.is_slippery=false`.

        Raises:
            UnknownGame: if there is no such id, or its spaces or arguments do not fit.
            MissingExtra: if a package is missing that it needs.
        """
        game = f"gym/{name}"
        first = _make(name, max_steps, kwargs)
        if frames and draws(first) and "render_mode" not in kwargs:
            first.close()
            kwargs = {**kwargs, "render_mode": RENDER_MODE}
            os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # pygame then draws where there is no screen
            os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
            first = _make(name, max_steps, kwargs)
        actions = action_view(first.action_space, game, bins)
        seen = view(first.observation_space, game, channels)
        spec = GameSpec(
            name=game,
            observation=seen.shape,
            dtype=seen.dtype,
            actions=actions.space,
            discounts=(0.0, discount),
            max_steps=first.spec.max_episode_steps,
        )

        def game_of(environment: Any) -> GymnasiumGame:
            return GymnasiumGame(environment, seen, actions, discount, action_mask)

        def make() -> GymnasiumGame:
            return game_of(_make(name, max_steps, kwargs))

        games = [game_of(first), *(make() for _ in range(batch - 1))][:batch]
        super().__init__(spec, games, make=make, bounds=seen.bounds)


def resolve(name: str) -> str:
    """The id of an environment that is given without a version: "CartPole" is its newest one, "CartPole-v1"."""
    from gymnasium.envs import registration

    module, colon, plain = name.rpartition(":")
    try:
        _register(name)
        if colon:
            importlib.import_module(module)  # registers its environments
        namespace, title, version = registration.parse_env_id(plain)
        newest = registration.find_highest_version(namespace, title)
    except BaseException as error:  # what is wrong with the name is said where the environment is made
        raise_interrupt(error)
        return name
    if version is not None or newest is None or plain in registration.registry:
        return name
    return f"{module}{colon}{registration.get_env_id(namespace, title, newest)}"


def names() -> list[str]:
    """The registered ids that can be played here."""
    return [name for name, reason in all_names().items() if not reason]


def all_names() -> dict[str, str]:
    """Every registered id, with the reason why it cannot be played here; the reason is empty where it can.

    Those of dm_control are left out: to make all of them takes long.
    """
    reasons = {}
    for name in _ids():
        if name.startswith(DM_CONTROL):
            continue
        try:
            ControlGames(name, 1, False).close()
            reasons[name] = ""
        except BaseException as error:  # an environment may fail to build in any way
            raise_interrupt(error)
            text = " ".join(str(error).split()).removeprefix(f"gym/{name}")
            reasons[name] = text.removeprefix(" cannot be played").removeprefix(": ").strip() or type(error).__name__
    return reasons


def continuous(names: Iterable[str]) -> list[str]:
    """Those of these ids, which can be played, whose actions cannot be listed."""
    found = []
    for name in names:
        with closing(ControlGames(name, 1, False)) as games:
            if not games.spec.actions.columns:
                found.append(name)
    return found


def _ids() -> list[str]:
    import gymnasium  # where it is used: it takes long to import

    return sorted(name for name in gymnasium.registry if not _is_atari(name))


def _register(name: str) -> None:
    """Have the packages that an environment needs do what it takes before it is made.

    Raises:
        MissingExtra: if they are not installed.
    """
    import gymnasium

    if name.startswith(DM_CONTROL):
        need("dm_control", f"gym/{name}", "dm_control", "dm-control")
        with warnings.catch_warnings():  # of a machine without a screen
            warnings.simplefilter("ignore")
            gymnasium.register_envs(need("shimmy", f"gym/{name}", "shimmy", "dm-control"))
    spec = gymnasium.registry.get(name)
    if name.startswith(DM_CONTROL) or (spec is not None and "mujoco" in str(spec.entry_point)):
        with suppress(ImportError):  # the environment says what it misses
            # MuJoCo would print its warnings, and write a file in the current directory.
            importlib.import_module("mujoco").set_mju_user_warning(warnings.warn)


def _is_atari(name: str) -> bool:
    import gymnasium

    spec = gymnasium.registry.get(name)  # ale-py registers a thousand ids, most of them without the prefix
    return name.startswith("ALE/") or (spec is not None and str(spec.entry_point).startswith("ale_py"))


def _missing(game: str, reason: str) -> MissingExtra:
    """The error for a package that gymnasium misses; it names the extra of this package, where there is one."""
    for package, extra in (("Box2D", "box2d"), ("MuJoCo", "mujoco")):
        if f"gymnasium[{extra}]" in reason:
            return MissingExtra(f'{game} needs {package}: pip install "muzero[{extra}]"')
    return MissingExtra(f"{game}: {reason}")


def _make(name: str, max_steps: int | None, kwargs: Arguments) -> Any:
    import gymnasium

    game = f"gym/{name}"
    if _is_atari(name):
        title = re.sub(r"^ALE/|(-ram)?(Deterministic|NoFrameskip)?(-v\d+)?$", "", name)
        rom = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", title).lower()
        raise UnknownGame(f"game '{game}': Atari games are played without gymnasium's wrappers, as atari/{rom}")
    if "(" in name:
        raise UnknownGame(f"game '{game}': give an environment's arguments as --set game.kwargs.NAME=VALUE")
    _register(name)
    try:
        with warnings.catch_warnings():  # "is out of date, you should consider": the id is the user's choice
            warnings.simplefilter("ignore")
            return gymnasium.make(name, max_episode_steps=max_steps, disable_env_checker=True, **kwargs)
    except gymnasium.error.UnregisteredEnv as error:
        raise unknown("gym", name, _ids()) from error
    except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as error:
        raise _missing(game, str(error)) from error
    except gymnasium.error.Error as error:
        raise UnknownGame(f"{game}: gymnasium says: {error}") from error
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise UnknownGame(f"{game} cannot be made with game.kwargs = {written(kwargs)}: {error}") from error

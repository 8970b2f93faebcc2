"""Environments of gymnasium: CartPole, FrozenLake, ... and whatever else is registered there, with discrete actions."""

from __future__ import annotations

import re
import warnings
from typing import Annotated, Any

from muzero.config.schema import Range
from muzero.games.batched import BatchedGames, UnknownGame, unknown
from muzero.games.faults import raise_interrupt
from muzero.games.spaces import GymnasiumGame, count_actions, view
from muzero.interfaces import GameSpec
from muzero.util.extras import MissingExtra


class ControlGames(BatchedGames):
    """B environments of gymnasium; name: the environment's id, "CartPole-v1" or "package:Name-v0"."""

    def __init__(
        self,
        name: str,
        batch: int,
        training: bool,
        *,
        discount: Annotated[float, Range(0.001, 1)] = 0.997,
        max_steps: Annotated[int, Range(1)] | None = None,
        action_mask: bool = False,
    ) -> None:
        """Training and evaluation play the same game.

        Args:
            name: the id.
            batch: B.
            training: has no effect.
            discount: of a step that does not end the game.
            max_steps: truncate games at this length, in place of the environment's own limit; 5000 where neither is
                given.
            action_mask: take the `action_mask` in the environment's info, where there is one, for the legal actions.

        Raises:
            UnknownGame: if there is no such id, or its spaces do not fit.
            MissingExtra: if a package is missing that it needs.
        """
        game = f"gym/{name}"
        environments = [_make(name, max_steps)]
        actions = count_actions(environments[0].action_space, game)
        seen = view(environments[0].observation_space, game)
        environments += [_make(name, max_steps) for _ in range(batch - 1)]
        spec = GameSpec(
            name=game,
            observation=seen.shape,
            dtype=seen.dtype,
            actions=actions,
            discounts=(0.0, discount),
            max_steps=environments[0].spec.max_episode_steps,
        )

        def game_of(environment: Any) -> GymnasiumGame:
            return GymnasiumGame(environment, seen, discount, action_mask)

        games = [game_of(environment) for environment in environments[:batch]]
        super().__init__(spec, games, make=lambda: game_of(_make(name, max_steps)))


def names() -> list[str]:
    """The registered ids that can be played here: discrete actions, all packages there."""
    found = []
    for name in _ids():
        try:
            ControlGames(name, 1, False).close()
        except BaseException as error:  # an environment may fail to build in any way
            raise_interrupt(error)
            continue
        found.append(name)
    return found


def _ids() -> list[str]:
    import gymnasium  # where it is used: it takes long to import

    return sorted(name for name in gymnasium.registry if not _is_atari(name))


def _is_atari(name: str) -> bool:
    import gymnasium

    spec = gymnasium.registry.get(name)  # ale-py registers a thousand ids, most of them without the prefix
    return name.startswith("ALE/") or (spec is not None and str(spec.entry_point).startswith("ale_py"))


def _make(name: str, max_steps: int | None) -> Any:
    import gymnasium

    game = f"gym/{name}"
    if _is_atari(name):
        title = re.sub(r"^ALE/|(-ram)?(Deterministic|NoFrameskip)?(-v\d+)?$", "", name)
        rom = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", title).lower()
        raise UnknownGame(f"game '{game}': Atari games are played without gymnasium's wrappers, as atari/{rom}")
    try:
        with warnings.catch_warnings():  # "is out of date, you should consider": the id is the user's choice
            warnings.simplefilter("ignore")
            return gymnasium.make(name, max_episode_steps=max_steps, disable_env_checker=True)
    except gymnasium.error.UnregisteredEnv as error:
        raise unknown("gym", name, _ids()) from error
    except gymnasium.error.DependencyNotInstalled as error:
        raise MissingExtra(f"{game}: {error}") from error
    except ModuleNotFoundError as error:
        raise MissingExtra(f"{game}: {error}") from error
    except gymnasium.error.Error as error:
        raise UnknownGame(f"{game}: gymnasium says: {error}") from error

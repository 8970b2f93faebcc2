"""MinAtar: five small games in the manner of Atari's, on 10 x 10 cells (Young & Tian 2019)."""

from __future__ import annotations

import logging
import sys
from colorsys import hsv_to_rgb
from typing import Annotated, Any

import numpy as np

from muzero.actions import Discrete
from muzero.config.schema import Range
from muzero.games.batched import BatchedGames
from muzero.games.errors import unknown
from muzero.games.one_game import OneGame
from muzero.interfaces import GameSpec
from muzero.util.extras import need

NAMES = ["asterix", "breakout", "freeway", "seaquest", "space_invaders"]
WORDS = {"n": "noop", "l": "left", "u": "up", "r": "right", "d": "down", "f": "fire"}
PLOTTING = ("matplotlib", "seaborn")


class MinatarGames(BatchedGames):
    """B games of MinAtar, with the actions that have an effect; the observation is zeros and ones, [C, 10, 10]."""

    def __init__(
        self,
        name: str,
        batch: int,
        training: bool,
        frames: bool = False,
        *,
        discount: Annotated[float, Range(0.001, 1)] = 0.997,
        sticky: Annotated[float, Range(0, 1)] = 0.1,
        ramping: bool = True,
        stack: Annotated[int, Range(1, 16)] = 1,
        max_steps: Annotated[int, Range(1)] | None = 5000,
    ) -> None:
        """Training and evaluation play the same game.

        Args:
            name: one of `names()`.
            batch: B.
            training: has no effect.
            frames: has no effect: `frame` shows channels in colours, which costs nothing.
            discount: the discount of a step that does not end the game.
            sticky: probability that the action before is repeated instead; the default is MinAtar's own.
            ramping: games become more difficult with time; the default is MinAtar's own.
            stack: frames in an observation, oldest first; frames before the first of a game are empty.  One frame does
                not show when things that move slowly will move next.
            max_steps: truncate games at this length.  MinAtar has no limit, so a good player would never stop.

        Raises:
            UnknownGame: if there is no such game.
            MissingExtra: if MinAtar is not installed.
        """
        if name not in NAMES:
            raise unknown("minatar", name, NAMES)
        minatar = _import(f"minatar/{name}")
        games = [_Minatar(minatar.Environment(name, sticky, ramping), discount, stack) for _ in range(batch)]
        example = minatar.Environment(name)
        height, width, channels = example.state_shape()
        spec = GameSpec(
            name=f"minatar/{name}",
            observation=(stack * channels, height, width),
            dtype="float32",
            actions=Discrete(len(example.minimal_action_set()), _names(example)),
            discounts=(0.0, discount),
            max_steps=max_steps,
        )
        super().__init__(spec, games, max_steps)


def names() -> list[str]:
    """The games that can be played."""
    _import("minatar/...")
    return list(NAMES)


def all_names() -> dict[str, str]:
    """Every game, with the reason why it cannot be played here; the reason is empty where it can."""
    return dict.fromkeys(names(), "")


def _names(environment: Any) -> tuple[str, ...]:
    """What the actions that have an effect are called."""
    return tuple(WORDS[environment.env.action_map[action]] for action in environment.minimal_action_set())


def _import(game: str) -> Any:
    """Import MinAtar without the plotting packages that only its window needs: they cost seconds and 130 MB."""
    hidden = [package for package in PLOTTING if package not in sys.modules]
    for package in hidden:
        sys.modules[package] = None  # pyright: ignore[reportArgumentType] - makes an import fail
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # MinAtar warns that it cannot plot
    try:
        return need("minatar", game, "minatar", "minatar")
    finally:
        logging.disable(before)
        for package in hidden:
            del sys.modules[package]


class _Minatar(OneGame):
    """One environment of MinAtar, with the actions that have an effect in its game."""

    def __init__(self, environment: Any, discount: float, stack: int) -> None:
        self._environment = environment
        self._discount = discount
        height, width, channels = environment.state_shape()
        self._frames = np.zeros((stack, channels, height, width), np.float32)
        self._actions = environment.minimal_action_set()

    def reset(self, seed: int) -> None:
        self._environment.seed(seed)
        self._environment.last_action = 0  # MinAtar's own reset would repeat the last action of the game before
        self._environment.reset()
        self._frames[:] = 0
        self._see()

    def step(self, action: int) -> tuple[float, float, bool]:
        reward, terminal = self._environment.act(self._actions[action])
        self._see()
        return float(reward), 0.0 if terminal else self._discount, False

    def _see(self) -> None:
        """Take in the present frame."""
        self._frames[:-1] = self._frames[1:]
        self._frames[-1] = self._environment.state().transpose(2, 0, 1)

    def frame(self) -> np.ndarray:
        """The present channels in colours, [10, 10, 3]; later channels lie above earlier ones."""
        planes = self._frames[-1] > 0
        frame = np.zeros((*planes.shape[1:], 3), np.uint8)
        for number, plane in enumerate(planes):
            frame[plane] = 255 * np.array(hsv_to_rgb(number / len(planes), 0.65, 1.0))
        return frame

    def observe(self, out: np.ndarray) -> None:
        out[...] = self._frames.reshape(out.shape)

    def legal(self) -> None:
        return None

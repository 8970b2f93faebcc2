"""Atari games by ale-py's vector environment: frames are made, scaled and stacked in C++, on several cores."""

from __future__ import annotations

import math
import warnings
from typing import Annotated, Any

import numpy as np

from muzero.actions import Discrete
from muzero.config.schema import Range
from muzero.games.checks import check_seeds
from muzero.games.errors import UnknownGame, unknown
from muzero.games.faults import Faults, describe
from muzero.interfaces import Games, GameSpec, Timestep
from muzero.util.extras import need
from muzero.util.seeds import derive_short

NOOP = 0  # the first action of every game
# Without a single-player mode.  ale-py ends the whole process when it is asked to load one of these.
TWO_PLAYER = ("combat", "joust", "maze_craze", "warlords")
# How the emulator that is looked at differs: it shows its screen as it is, and no frames before.
SCREEN = {"img_height": 210, "img_width": 160, "grayscale": False, "stack_num": 1}
NO_SINGLE_MODE = "it has no single-player mode"


class ArcadeGames(Games):
    """B Atari games; name: as ale-py writes it, "pong" or "ms_pacman".  Observations are [C, size, size] of uint8.

    They cannot be continued from a `state`: the vector environment does not expose the emulator's state.
    """

    def __init__(
        self,
        name: str,
        batch: int,
        training: bool,
        frames: bool = False,
        *,
        discount: Annotated[float, Range(0.001, 1)] = 0.988,
        size: Annotated[int, Range(8, 210)] = 96,
        stack: Annotated[int, Range(1, 16)] = 4,
        colour: bool = False,
        frame_skip: Annotated[int, Range(1, 60)] = 4,
        noops: Annotated[int, Range(0)] = 30,
        sticky: Annotated[float, Range(0, 1)] = 0.0,
        fire_reset: bool = False,
        all_actions: bool = False,
        max_frames: Annotated[int, Range(1)] = 108_000,
        clip_rewards: bool = True,
        life_loss_ends: bool = True,
        threads: Annotated[int, Range(0)] = 0,
    ) -> None:
        """Defaults are those of EfficientZero (Ye et al. 2021), with grey frames.

        Args:
            name: of the game.
            batch: B.
            training: whether to clip rewards and to end games where a life is lost.
            frames: whether to make the pictures that `frame` returns: a second emulator plays the same games, and
                shows its whole screen in colour.
            discount: the discount of a step; 0.997 ** 4, one 0.997 for each frame.
            size: height and width of a frame, in pixels.
            stack: frames in an observation, oldest first; frames before the first of a game are black.
            colour: each frame has three planes, red, green and blue, in place of a grey one.
            frame_skip: frames for which an action is held.
            noops: a game begins after 0 to this number of frames without an action, drawn by its seed.
            sticky: probability that a frame repeats the action before.
            fire_reset: begin with the fire button, which some games wait for.
            all_actions: offer all 18 actions, also those that have no effect in the game.
            max_frames: truncate games at this number of frames.
            clip_rewards: in training, rewards become their signs.
            life_loss_ends: in training, the discount is 0 where a life is lost.
            threads: threads of the emulator; 0: one per game, at most one per core.

        Raises:
            UnknownGame: if there is no such game.
            MissingExtra: if ale-py is not installed.
        """
        options = {
            "num_threads": threads,
            "img_height": size,
            "img_width": size,
            "stack_num": stack,
            "grayscale": not colour,
            "frameskip": frame_skip,
            "noop_max": noops,
            "repeat_action_probability": sticky,
            "use_fire_reset": fire_reset,
            "full_action_space": all_actions,
            "max_num_frames_per_episode": max_frames,
            "reward_clipping": training and clip_rewards,
            # Not episodic_life: that begins a new game at every lost life, so most of the game would never be seen.
            "life_loss_info": training and life_loss_ends,
        }
        self._environment = _emulator(name, batch, options)
        self._screens = _emulator(name, batch, options | SCREEN) if frames else None
        self._screen: np.ndarray | None = None  # [B, 1, height, width, 3]
        self.batch, self._faults = batch, Faults(1)  # of all games together: none can be dropped alone
        self.spec = _spec(name, self._environment, discount, math.ceil(max_frames / frame_skip))
        self._legal = np.ones((batch, self.spec.actions.columns), bool)
        self._last = self._unseen_end = self._unseen_cut = np.zeros(batch, bool)

    @property
    def faults(self) -> int:  # type: ignore[override]
        return self._faults.total

    @property
    def last_fault(self) -> str | None:  # type: ignore[override]
        return self._faults.last

    def reset(self, seeds: np.ndarray) -> Timestep:
        self._seeds = check_seeds(seeds, self.batch).tolist()
        return self._begin()

    def _begin(self) -> Timestep:
        derived = [derive_short(seed, "games after faults", self._faults.total) for seed in self._seeds]
        frames, _ = self._environment.reset(seed=np.array(derived))
        if self._screens is not None:
            self._screen, _ = self._screens.reset(seed=np.array(derived))
        nothing = np.zeros(self.batch, bool)
        self._last = self._unseen_end = self._unseen_cut = nothing
        return self._show(frames, np.zeros(self.batch), nothing, nothing, ~nothing)

    def step(self, actions: np.ndarray) -> Timestep:
        self.spec.actions.check(actions, self._legal, self.spec.name)  # ale-py never returns after a wrong action
        try:
            found = self._advance(actions)
        except Exception as error:
            self._faults.add(0, f"{self.spec.name}, all games: {describe(error)}")
            return self._begin()
        if found.last.any():
            self._faults.ended(0)
        return found

    def _advance(self, actions: np.ndarray) -> Timestep:
        # Where a game is over, the emulator takes this step to begin the next one.  Where only a life was lost it
        # continues, so a step without an action begins what counts as the next game.
        first = self._last
        taken = np.where(first, NOOP, actions).astype(np.int64)
        frames, reward, ended, cut, _ = self._environment.step(taken)
        if self._screens is not None:
            self._screen, *_ = self._screens.step(taken)
        # If a game ends in the step that begins it, that is shown a step later: a first position cannot be a last one.
        terminated = np.where(first, False, ended | self._unseen_end)
        truncated = np.where(first, False, (cut | self._unseen_cut) & ~terminated)
        self._unseen_end, self._unseen_cut = first & ended, first & cut
        self._last = terminated | truncated
        return self._show(frames, np.where(first, 0, reward), terminated, truncated, first)

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        return None

    def frame(self, slot: int) -> np.ndarray | None:
        return None if self._screen is None else self._screen[slot, -1]

    def close(self) -> None:
        self._environment.close()
        if self._screens is not None:
            self._screens.close()

    def _show(
        self, frames: np.ndarray, reward: np.ndarray, terminated: np.ndarray, truncated: np.ndarray, first: np.ndarray
    ) -> Timestep:
        if frames.ndim == 5:  # colours come last; next to the frames they are planes
            frames = np.moveaxis(frames, -1, 2).reshape(self.batch, *self.spec.observation)
        if frames.shape != (self.batch, *self.spec.observation):
            expected = (self.batch, *self.spec.observation)
            raise ValueError(f"frames of shape {frames.shape}, expected {expected}")
        return Timestep(
            observation=frames,
            legal=self._legal.copy(),
            reward=reward.astype(np.float32),
            discount=np.where(first, 1, np.where(terminated, 0, self.spec.discounts[1])).astype(np.float32),
            first=first.copy(),
            truncated=truncated,
        )


def _emulator(name: str, batch: int, options: dict[str, Any]) -> Any:
    """The vector environment of ale-py.

    Raises:
        UnknownGame: if there is no such game, or it has no single-player mode.
        MissingExtra: if ale-py is not installed.
    """
    game = f"atari/{name}"
    vector_env = need("ale_py.vector_env", game, "ale-py", "atari")
    if name in TWO_PLAYER:
        raise UnknownGame(f"{game} cannot be played: {NO_SINGLE_MODE}")
    if name not in names():
        raise unknown("atari", name, names())
    try:
        return vector_env.AtariVectorEnv(name, batch, **options)
    except RuntimeError as error:
        raise UnknownGame(f"{game}: ale-py says: {error}") from error


def _spec(name: str, environment: Any, discount: float, max_steps: int) -> GameSpec:
    """What is fixed about a game, of which colours are planes beside the frames."""
    stack, height, width, *colours = environment.single_observation_space.shape
    return GameSpec(
        name=f"atari/{name}",
        observation=(stack * math.prod(colours), height, width),
        dtype="uint8",
        actions=Discrete(int(environment.single_action_space.n), _names(environment)),
        discounts=(0.0, discount),
        max_steps=max_steps,
    )


def _names(environment: Any) -> tuple[str, ...]:
    """What the actions are called: "noop", "fire", "upright"."""
    return tuple(action.name.lower() for action in environment.ale.get_action_set())


def all_names() -> dict[str, str]:
    """Every game, with the reason why it cannot be played here; the reason is empty where it can."""
    return dict.fromkeys(names(), "") | dict.fromkeys(TWO_PLAYER, NO_SINGLE_MODE)


def names() -> list[str]:
    """The games that can be played."""
    roms: Any = need("ale_py.roms", "atari/...", "ale-py", "atari")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sorted(set(roms.get_all_rom_ids()) - set(TWO_PLAYER))

"""A trained agent, for use from Python."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from muzero import build
from muzero.config import Config, ConfigError, merge, read_layer
from muzero.games.checks import shown
from muzero.games.registry import as_rules, resolve
from muzero.games.spaces import as_bytes
from muzero.interfaces import Games, Positions, Rules, observe_first
from muzero.planners.tree import TreePlanner
from muzero.players.planning import PlanningPlayer
from muzero.runs import checkpoint, compatibility
from muzero.runs.checkpoint import Checkpoint
from muzero.runs.folder import RunFolder, require_run, run_of
from muzero.runs.trust import GAME, require_trust
from muzero.search import Result


class CheckpointWarning(UserWarning):
    """A newer checkpoint of the run is damaged, so an older one plays."""


class Agent:
    """Plays a checkpoint by greedy search: the same position always gives the same action."""

    def __init__(self, config: Config, games: Games, player: PlanningPlayer, step: int, folder: Path) -> None:
        """Use `Agent.load`.

        Args:
            config: of the run.
            games: of the run's game; they convert observations, and are not played.
            player: the model and the planner.
            step: environment steps after which the checkpoint was written.
            folder: of the run.
        """
        self.config, self.spec, self.player, self.step, self.folder = config, games.spec, player, step, folder
        self._games = games

    @classmethod
    def load(
        cls,
        run: str | Path,
        simulations: int | None = None,
        device: str = "cpu",
        step: int | str | None = None,
        trust: bool = False,
        game: str | None = None,
    ) -> Agent:
        """Load the newest good checkpoint of a run, or one checkpoint of it.

        Args:
            run: the run's folder, or RUN/checkpoints/step-... for that checkpoint.
            simulations: of each search; None: as trained, 0: none, the policy alone.
            device: "cpu", "cuda" or "auto".
            step: of the checkpoint, or "best" of those that were evaluated while the run learned.
            trust: whether the run may execute code: its game may be a class in a module of your own (python/...).
            game: the game of the run; to name it is to consent to the code of this one game.

        A damaged newest checkpoint is passed over with a `CheckpointWarning`.

        Raises:
            CheckpointError: if there is no such checkpoint, or it does not fit the run's game and model.
            ConfigError: if it is not a run, is one of another game, or would execute code without consent.
        """
        folder = run_of(Path(run))
        require_run(folder)
        config = merge([read_layer(RunFolder(folder).config)], build.SCHEMA)
        check_consent(config, folder, trust, game)
        found = _checkpoint(Path(run), folder, step)
        games = build.games(config, 1, training=False)
        games.close()
        model = build.model(config, games.spec)
        compatibility.load_weights(model, found, games.spec)
        player = PlanningPlayer(model.to(build.device(device)), build.planner(config, simulations))
        return cls(config, games, player, found.step, folder)

    def act(self, observation: Any, legal: Any = None) -> np.ndarray | np.int64:
        """Choose actions.

        Args:
            observation: one observation, as the environment returns it or as an array [*observation]; or a batch of
                arrays [B, *observation], see `observation`.
            legal: [A] or [B, A] booleans, true where an action is legal; column 0 is the first action.  Default: all.

        Returns:
            one action as the environment takes it, or an array [B, ...] of a batch.

        Raises:
            ValueError: if the observation is not one of this game, or the actions are not a mask for it.
        """
        positions, one = self._positions(observation, legal)
        moves, _ = self.player.act(positions, self.player.start(len(positions.slots)))
        chosen = np.stack([self._games.native(action) for action in moves.action])
        return chosen[0] if one else chosen

    def observation(self, given: Any) -> np.ndarray:
        """Convert one observation, as the environment returns it (a dict, a number, an image), to an array.

        Returns:
            [*spec.observation] of the type spec.dtype, as the network sees it; `numpy.stack` makes a batch of several.

        Raises:
            ValueError: if it is not an observation of this game.
        """
        return self._batch(given, single=True)[0][0]

    @torch.inference_mode()
    def search(self, observation: Any, legal: Any = None) -> Result:
        """Run the searches by which `act` chooses, to read what they visited and their trees.

        Args:
            observation: as of `act`; one observation is a batch of one.
            legal: as of `act`.  Actions in the result begin at 0.

        Raises:
            ConfigError: if the run's planner searches no tree.
            ValueError: as `act` does.
        """
        planner = self.player.planner
        if not isinstance(planner, TreePlanner):
            kind = self.config.kind("planner")
            if kind == "reactive":
                raise ConfigError([f"[planner] kind = {kind!r} has no tree: it acts without search"])
            raise ConfigError(["simulations = 0 acts without search, so there is no tree; expected at least 1"])
        positions, _ = self._positions(observation, legal)
        root = observe_first(self.player.model, torch.from_numpy(positions.observation).to(self.player.device))
        return planner.search(self.player.model, root, positions.legal, None)

    def _positions(self, observation: Any, legal: Any) -> tuple[Positions, bool]:
        """What the player sees, and whether that is one observation without a batch."""
        batch, one = self._batch(observation)
        return Positions.alone(self.spec.actions, batch, self._mask(legal, len(batch), one)), one

    def _mask(self, legal: Any, count: int, one: bool) -> np.ndarray:
        """[B, A] booleans of the legal actions that were given; of one position also [A]."""
        shape = (count, self.spec.actions.columns)
        if legal is None:
            return np.ones(shape, bool)
        given = np.asarray(legal)
        mask = given[None] if one and given.ndim == 1 else given
        if mask.shape != shape or mask.dtype.kind not in "biuf" or not ((mask == 0) | (mask == 1)).all():
            expected = f"booleans of shape {shape[1:] if one else shape}, true where an action is legal"
            raise ValueError(f"legal: got {shown(legal)} of shape {given.shape}; expected {expected}")
        allows = self.spec.actions.allows(mask)
        if not allows.all():
            raise ValueError(f"legal: row {int(allows.argmin())} allows no action; expected at least 1")
        return mask.astype(bool)

    def _batch(self, given: Any, single: bool = False) -> tuple[np.ndarray, bool]:
        """Observations as [B, *observation], and whether one without a batch was given."""
        expected = tuple(self.spec.observation)
        array = _array(given)
        if array is not None and array.ndim == 1 + len(expected) and array.shape[1:] == expected and not single:
            if not len(array):
                raise ValueError("observation: a batch of 0; expected at least 1")
            return self._checked(array), False
        if array is None or array.shape != expected:
            array = self._converted(given)
        return self._checked(array[None]), True

    def _converted(self, given: Any) -> np.ndarray:
        """One observation that the environment returned, as an array [*observation]."""
        try:
            array = _array(self._games.convert(given))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{error}{self._remedy(given)}") from None
        if array is None or array.shape != tuple(self.spec.observation):
            found = type(given).__name__ if array is None else f"an array of shape {array.shape}"
            raise ValueError(f"observation: got {found}{self._remedy(given)}")
        return array

    def _remedy(self, given: Any) -> str:
        """What to give instead, for a message."""
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], dict):
            return "; reset() returns the pair observation, info: pass the observation alone"
        shape = ", ".join(map(str, self.spec.observation))
        return f"; expected one observation of {self.spec.name}, or arrays of shape (B, {shape})"

    def _checked(self, batch: np.ndarray) -> np.ndarray:
        """The batch in the type of the game."""
        if self.spec.dtype == "uint8":
            return np.ascontiguousarray(as_bytes(batch))
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
            array = np.ascontiguousarray(batch, self.spec.dtype)
        if not np.isfinite(array).all():
            raise ValueError(f"observation holds {array[~np.isfinite(array)][0]}; expected finite numbers")
        return array

    def choose(self, position: Rules | Any) -> int:
        """Choose an action in a position of the game that the agent learned.

        Args:
            position: whose rules can be consulted, or a pyspiel.State.

        Raises:
            ValueError: if the game is over there, or it is another game.
        """
        rules = as_rules(position)
        if rules.over:
            raise ValueError(f"the game is over after {len(rules.history)} moves: there is nothing to choose")
        observation, legal = rules.view()
        return int(self.act(observation, legal))


def _array(given: Any) -> np.ndarray | None:
    """Numbers as an array; None if it is something else."""
    try:
        array = np.asarray(given)
    except ValueError:  # lists of different lengths
        return None
    return array if array.dtype.kind in "biuf" else None


def check_consent(config: Config, folder: Path, trust: bool, game: str | None) -> None:
    """Refuse to load a run whose game is code of its author, unless the user has consented to run it.

    Raises:
        ConfigError: naming what would be executed, or the game that the run is of.
    """
    own = config.table("run")["game"]
    if game is not None and resolve(game) != own != game:
        raise ConfigError([f"{folder} is a run of {own}, not of {game}"])
    if game is None and not trust:
        require_trust(config, folder, f"load it with --trust or --game {own} (in Python: trust=True or game=...)", GAME)


def _checkpoint(run: Path, folder: Path, step: int | str | None) -> Checkpoint:
    """The checkpoint that is asked for, verified."""
    if step not in (None, "latest"):
        return checkpoint.verify(checkpoint.named(folder, str(step)))
    if run != folder:
        return checkpoint.verify(run)
    found, problems = checkpoint.latest(RunFolder(folder).checkpoints)
    for problem in problems:
        warnings.warn(f"{problem}; step {found.step:,} plays instead", CheckpointWarning, stacklevel=3)
    return found

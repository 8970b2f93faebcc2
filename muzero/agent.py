"""A trained agent for use from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from muzero import build
from muzero.config import Config, ConfigError, merge, read_layer
from muzero.games.registry import as_rules, resolve
from muzero.interfaces import GameSpec, Positions, Rules, observe_first
from muzero.planners.tree import TreePlanner
from muzero.players.planning import PlanningPlayer
from muzero.runs import checkpoint
from muzero.runs.checkpoint import Checkpoint, CheckpointError
from muzero.runs.folder import RunFolder, run_of
from muzero.runs.trust import GAME, require_trust
from muzero.search import Result


class Agent:
    """Plays a checkpoint by greedy search: the same position always gives the same action."""

    def __init__(self, config: Config, spec: GameSpec, player: PlanningPlayer, step: int, folder: Path) -> None:
        self.config, self.spec, self.player, self.step, self.folder = config, spec, player, step, folder

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

        Raises:
            CheckpointError: if there is no such checkpoint, or it does not fit the run's game and model.
            ConfigError: if the run would execute code without consent, or is a run of another game.
        """
        folder = run_of(Path(run))
        if not RunFolder(folder).exists:
            raise CheckpointError(f"{folder} is not a run: it has no config.toml")
        config = merge([read_layer(RunFolder(folder).config)], build.SCHEMA)
        check_consent(config, folder, trust, game)
        found = _checkpoint(Path(run), folder, step)
        games = build.games(config, 1, training=False)
        games.close()
        model = build.model(config, games.spec)
        checkpoint.load_weights(model, found, games.spec)
        player = PlanningPlayer(model.to(build.device(device)), build.planner(config, simulations))
        return cls(config, games.spec, player, found.step, folder)

    def act(self, observation: np.ndarray, legal: np.ndarray | None = None) -> np.ndarray:
        """Choose actions.

        Args:
            observation: [B, *observation], of the game's dtype.
            legal: [B, A] bool, of which column 0 is the first action; default all.

        Returns:
            [B] int64, in the environment's own numbering: from `spec.first_action` on, which is 0 in most games.
        """
        return self.player.act(self._positions(observation, legal)).action + self.spec.first_action

    @torch.inference_mode()
    def search(self, observation: np.ndarray, legal: np.ndarray | None = None) -> Result:
        """The searches by which `act` chooses, to be read: what is visited, the trees.  Arguments as of `act`.

        Raises:
            ConfigError: if the run's planner searches no tree.
        """
        planner = self.player.planner
        if not isinstance(planner, TreePlanner):
            kind = self.config.kind("planner")
            raise ConfigError([f"[planner] kind = {kind!r} has no tree: it acts without search"])
        positions = self._positions(observation, legal)
        root = observe_first(self.player.model, torch.from_numpy(positions.observation).to(self.player.device))
        return planner.search(self.player.model, root, positions.legal, None)

    def _positions(self, observation: np.ndarray, legal: np.ndarray | None) -> Positions:
        expected = (*self.spec.observation,)
        if observation.ndim != 1 + len(expected) or observation.shape[1:] != expected:
            raise ValueError(
                f"observation: expected shape (B, {', '.join(map(str, expected))}), got {observation.shape}"
            )
        if legal is None:
            legal = np.ones((len(observation), self.spec.actions), bool)
        unseeded = np.zeros(len(observation), np.int64)
        return Positions(np.ascontiguousarray(observation, self.spec.dtype), legal, unseeded, None)

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
        return int(self.act(observation[None], legal[None])[0])


def check_consent(config: Config, folder: Path, trust: bool, game: str | None) -> None:
    """Refuse to load a run whose game is somebody's code, unless the user has consented to it.

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
    if step is not None:
        return checkpoint.verify(checkpoint.named(folder, str(step)))
    if run != folder:
        return checkpoint.verify(run)
    return checkpoint.latest(RunFolder(folder).checkpoints)[0]

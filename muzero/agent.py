"""A trained agent, for use from Python."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from muzero import build
from muzero.config import Config, ConfigError, merge, read_layer
from muzero.games.registry import as_rules, resolve
from muzero.inference import to_numpy
from muzero.interfaces import Decision, Games, Rules, observe_first
from muzero.planners.searching import TreePlanner
from muzero.play.reader import Reader
from muzero.play.session import Session
from muzero.players.planning import PlanningPlayer
from muzero.runs import checkpoint, compatibility, zoo
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
        self._reader = Reader(games)

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
            run: the run's folder, or RUN/checkpoints/step-... for that checkpoint; or zoo/NAME, a trained agent.
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
        path = zoo.located(Path(run))
        folder = run_of(path)
        require_run(folder, zoo.hint(str(run)))
        config = merge([read_layer(RunFolder(folder).config)], build.SCHEMA)
        check_consent(config, folder, trust, game)
        found = _checkpoint(path, folder, step)
        games = build.games(config, 1, training=False)
        games.close()
        model = build.model(config, games.spec)
        compatibility.load_weights(model, found, games.spec)
        player = build.player(config, model.to(build.device(device)), simulations)
        return cls(config, games, player, found.step, folder)

    def act(self, observation: Any, legal: Any = None) -> np.ndarray | np.int64:
        """Choose actions, each by its observation alone.

        Args:
            observation: one observation, as the environment returns it or as an array [*observation]; or a batch of
                arrays [B, *observation], see `observation`.
            legal: [A] or [B, A] booleans, true where an action is legal; column 0 is the first action.  Default: all.

        Returns:
            one action as the environment takes it, or an array [B, ...] of a batch.

        Raises:
            ValueError: if the observation is not one of this game, the actions are not a mask for it, or the model
                remembers earlier observations, see `session`.
            NonFiniteError: if the model makes NaN or infinity of the observation.
        """
        actions, one = self._decide(observation, legal)
        chosen = self._reader.native(actions)
        return chosen[0] if one else chosen

    def decide(self, observation: Any, legal: Any = None) -> np.ndarray:
        """Choose as `act` does; returns actions [B, *shape of an action] by the package's numbering.

        Raises:
            ValueError, NonFiniteError: as `act`.
        """
        return self._decide(observation, legal)[0]

    def session(self, batch: int = 1) -> Session:
        """Begin to play games side by side, with what the model and the planner keep from move to move.

        Args:
            batch: number of games.

        Raises:
            ValueError: if that is not a whole number of at least 1.
        """
        return Session(self.player, self._reader, batch)

    def observation(self, given: Any) -> np.ndarray:
        """Convert one observation, as the environment returns it (a dict, a number, an image), to an array.

        Returns:
            [*spec.observation] of the type spec.dtype, as the network sees it; `numpy.stack` makes a batch of several.

        Raises:
            ValueError: if it is not an observation of this game.
        """
        return self._reader.batch(given, single=True)[0][0]

    def plan(self, observation: Any, legal: Any = None) -> Decision:
        """What the planner makes of observations that stand alone: what `decide` returns, and how good others are.

        Args:
            observation: as of `act`; one observation is a batch of one.
            legal: as of `act`.

        Returns:
            a decision with a row for each observation, and perhaps copies of the last one after them.

        Raises:
            ValueError, NonFiniteError: as `act`.
        """
        positions, _ = self._reader.positions(observation, legal)
        self._require_one_is_enough("plan")
        return self.player.decide(positions, self.player.start(len(positions.slots)))[0]

    @torch.inference_mode()
    def predict(self, observation: Any, legal: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """What the network says without search.

        Args:
            observation: as of `act`; one observation is a batch of one.
            legal: as of `act`.

        Returns:
            [B, A] probabilities of the legal actions (A = 0 where actions cannot be listed), and [B] the values for the
            player to move.

        Raises:
            ValueError: as `act` does.
        """
        positions, _ = self._reader.positions(observation, legal)
        self._require_one_is_enough("predict")
        model = self.player.model
        said = model.predict(observe_first(model, torch.from_numpy(positions.observation).to(self.player.device)))
        value = to_numpy(said.value.mean)
        if not self.spec.actions.columns:
            return np.empty((len(value), 0), np.float32), value
        allowed = said.policy.masked(torch.from_numpy(positions.legal).to(self.player.device))
        return to_numpy(allowed.weights()), value

    def limited(self, simulations: int | None) -> Agent:
        """The same agent with another number of simulations; None: as trained, 0: the policy alone."""
        player = PlanningPlayer(self.player.model, build.planner(self.config, simulations))
        return Agent(self.config, self._reader.games, player, self.step, self.folder)

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
        planner = self.tree_planner()
        positions, _ = self._reader.positions(observation, legal)
        self._require_one_is_enough("search")
        root = observe_first(self.player.model, torch.from_numpy(positions.observation).to(self.player.device))
        return planner.search(self.player.model, root, positions.legal, None)

    def tree_planner(self) -> TreePlanner:
        """The planner, where it searches a tree.

        Raises:
            ConfigError: if it searches none; says why.
        """
        planner, space = self.player.planner, self.spec.actions
        if isinstance(planner, TreePlanner):
            return planner
        kind = self.config.kind("planner")
        if kind in build.PLANNERS and issubclass(build.PLANNERS[kind], TreePlanner):
            raise ConfigError(["simulations = 0 acts without search, which makes no tree; expected at least 1"])
        why = f"[planner] kind = {kind!r} has no tree: it acts without search"
        if not space.columns:
            why += f"; {self.spec.name} has {space.describe()}, whose trees planner.kind=sampled searches"
        raise ConfigError([why])

    def _decide(self, observation: Any, legal: Any) -> tuple[np.ndarray, bool]:
        """Actions by the package's numbering, and whether one observation without a batch was given."""
        positions, one = self._reader.positions(observation, legal)
        self._require_one_is_enough("act")
        moves, _ = self.player.act(positions, self.player.start(len(positions.slots)))
        return moves.action, one

    def _require_one_is_enough(self, what: str) -> None:
        """Refuse to look at one observation with a model that needs those before it."""
        if self.player.remembers:
            raise ValueError(
                f"{what}: the model of this run remembers earlier observations of a game, and {what} sees one alone; "
                "use session = agent.session() and then session.act(observation) at every step"
            )

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

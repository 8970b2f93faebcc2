"""The composition root: the only list of kinds, and the only place that turns a configuration into objects."""

from __future__ import annotations

from contextlib import chdir, closing
from typing import Any

import torch

from muzero.config import Config, ConfigError, Layer, Schema, merge, read_layer
from muzero.config.bounds import bounds
from muzero.config.run import ActorSettings, RunSettings
from muzero.config.schema import Constructor, parameters
from muzero.config.shipped import CONFIGS, CONTINUOUS, RECORDED, shipped
from muzero.data import augmentation
from muzero.data.replay import Replay
from muzero.data.schema import row_bytes
from muzero.games.errors import UnknownGame
from muzero.games.faults import attempt
from muzero.games.registry import FAMILIES, GAMES, PROBED, resolve, split
from muzero.games.registry import symmetries as symmetries_of
from muzero.interfaces import EnvironmentFault, Games, GameSpec, Objective, Planner, Symmetries, WorldModel
from muzero.learning.learner import Learner
from muzero.learning.parallel import ALONE, Learners
from muzero.models.ensemble import EnsembleModel
from muzero.models.spatial import SpatialModel
from muzero.models.symmetric import symmetric
from muzero.models.vector import VectorModel
from muzero.objectives.value_equivalence import ValueEquivalence
from muzero.planners.mpc import CemPlanner, IcemPlanner, MppiPlanner
from muzero.planners.reactive import ReactivePlanner
from muzero.planners.sampled import SampledPlanner
from muzero.planners.tree import GumbelPlanner, PuctPlanner
from muzero.play.selfplay import SelfPlay
from muzero.players.planning import PlanningPlayer
from muzero.trials import refusals
from muzero.trials.first_steps import try_out
from muzero.trials.following import following
from muzero.util.extras import MissingExtra
from muzero.util.seeds import derive
from muzero.util.text import nearest, printable

MODELS: dict[str, type[WorldModel]] = {"vector": VectorModel, "spatial": SpatialModel, "ensemble": EnsembleModel}
PLANNERS: dict[str, type[Planner]] = {
    "gumbel": GumbelPlanner,
    "puct": PuctPlanner,
    "mppi": MppiPlanner,
    "cem": CemPlanner,
    "icem": IcemPlanner,
    "sampled": SampledPlanner,
    "reactive": ReactivePlanner,
}
OBJECTIVES: dict[str, type[Objective]] = {"value_equivalence": ValueEquivalence}
SCHEMA: Schema = {
    "run": RunSettings,
    "actors": ActorSettings,
    "game": GAMES,
    "model": MODELS,
    "planner": PLANNERS,
    "objective": OBJECTIVES,
    "selfplay": SelfPlay,
    "replay": Replay,
    "learner": Learner,
}
OWN: dict[str, dict[str, Any]] = {"model": MODELS, "planner": PLANNERS, "objective": OBJECTIVES}
DEVICES = ("auto", "cpu", "cuda")
SHAPE = "the observation's shape"  # the source of the kind of the model
UNPLAYABLE = "the game, which cannot be played"  # the source of an evaluation that is left out


def register(table: str, kind: str, made: Constructor) -> None:
    """Add a kind of your own, so that settings can name it: `--set model.kind=NAME`.

    Call it in every process that makes or loads such a run, before `muzero.cli` or `muzero.Agent` reads settings.

    Args:
        table: "model", "planner" or "objective".
        kind: its name.
        made: the class; its keyword-only parameters become the keys of the table.

    Raises:
        ConfigError: if there is no such table, or the kind is taken by another class.
        TypeError: if a keyword-only parameter has no default, or a type that TOML cannot hold.
    """
    if table not in OWN:
        raise ConfigError([f"[{printable(table)}] takes no kinds of your own; expected {', '.join(OWN)}"])
    parameters(made)
    taken = OWN[table].setdefault(kind, made)
    if taken is not made:
        raise ConfigError([f"[{table}] kind {printable(kind)!r} is {taken.__module__}.{taken.__qualname__} already"])


def configure(game: str, layers: list[Layer], checked: bool = True, probed: bool = False) -> Config:
    """All settings for a game: defaults in code < family < real-valued actions < task < the layers given.

    The first steps of the game are played, so that an environment that can never work is found here.  A run that
    learns from recorded experience needs its spaces only: where it cannot be played it is not evaluated either.

    Args:
        game: the game, as --game takes it.
        layers: later ones override earlier ones.
        checked: refuse also what cannot be used together, see `check`.
        probed: play the game at random, and choose by that what no layer sets for this game, see `trials.following`.

    Raises:
        ConfigError: with every problem of every layer, or because the game is not known.
        EnvironmentFault: if the environment cannot begin a game, or has a form that cannot be played.
    """
    game, unknown = resolve(game), []
    spec: GameSpec | None = None
    try:
        table = game_table(game, layers)
        spec, fault = _tried(table, game, needed=not _recorded(layers))
        if fault:
            probed, note = False, {("run", "evaluate_every"): printable(fault, 200)}
            layers = [*layers, Layer(UNPLAYABLE, {"run": {"evaluate_every": 0}}, notes=note)]
    except UnknownGame as error:
        unknown = [str(error)]
    except ConfigError:
        pass  # the whole configuration will say what is wrong with [game], and with the rest
    try:
        config = settings_for(game, layers, spec)
        if probed and spec is not None and follows(game):
            general = [_before(game)[1].source, str(CONTINUOUS), SHAPE]
            found = following(config, spec, general, lambda config, batch: games(config, batch, training=True))
            config = config if found is None else settings_for(game, [*layers, found], spec)
    except ConfigError as error:
        raise ConfigError(unknown + error.problems) from None
    if unknown:
        raise ConfigError(unknown)
    if spec is not None and checked:
        check(config, spec)
    return config


def _before(game: str) -> list[Layer]:
    """The layers below that of the observation's shape: the game's name, and its family's settings."""
    kind = split(game)[0]
    family = read_layer(CONFIGS / f"{FAMILIES[kind]}.toml")
    return [Layer("--game", {"game": {"kind": kind}, "run": {"game": game}}), family]


def _after(game: str, layers: list[Layer]) -> list[Layer]:
    """The layers above that of the observation's shape: the game's own settings, and those given."""
    task = shipped(game, ".toml")
    return [*([read_layer(task)] if task else []), *([read_layer(RECORDED)] if _recorded(layers) else []), *layers]


def _recorded(layers: list[Layer]) -> bool:
    """Whether layers ask for recorded experience; what is wrong with them is said elsewhere."""
    tables = [layer.tables.get("run", {}) for layer in layers]
    return next((bool(table["data"]) for table in reversed(tables) if "data" in table), False)


def follows(game: str) -> bool:
    """Whether settings of a game follow a probe: its kind does, and no settings are shipped for it alone."""
    return split(game)[0] in PROBED and shipped(game, ".toml") is None


def game_table(game: str, layers: list[Layer]) -> Config:
    """The table [game] alone, of a game whose name is resolved.

    Raises:
        ConfigError: with every problem of this table.
    """
    every = [*_before(game), *_after(game, layers)]
    only = [Layer(layer.source, {"game": layer.tables.get("game", {})}, layer.lines) for layer in every]
    return merge(only, {"game": GAMES})


def settings_for(game: str, layers: list[Layer], spec: GameSpec | None) -> Config:
    """All settings, without playing the game.

    spec: of the game; None where that is not known.

    Raises:
        ConfigError: with every problem of every layer.
    """
    # Of a game that is not known, nothing is too long.
    follow, longest = [], 0
    if spec is not None:
        # After the family's layer: its keys of a model of planes are dropped where observations are vectors.
        follow = [Layer(SHAPE, {"model": {"kind": "spatial" if len(spec.observation) == 3 else "vector"}})]
        follow += [] if spec.actions.columns or spec.two_player else [read_layer(CONTINUOUS)]
        longest = spec.max_steps
    return merge([*_before(game), *follow, *_after(game, layers)], SCHEMA, bounds(longest))


def check(config: Config, spec: GameSpec) -> None:
    """Refuse settings that are each valid, but not together, not for this game, or not on this machine.

    Raises:
        ConfigError: with the reason, and the remedy.
    """
    of_run = planner(config)
    refusals.check_memory(config, row_bytes(spec, of_run.candidates(spec.actions)))
    network = model(config, spec)
    refusals.check_planner(config, spec, of_run, network, PLANNERS)
    refusals.check_recorded(config, settings(config))
    refusals.check_learning(config, objective(config, spec, network))
    refusals.check_augmentation(config, spec, augmentation.refusal(spec, board=config.kind("game") == "board"))


def _tried(config: Config, game: str, needed: bool = True) -> tuple[GameSpec, str | None]:
    """What is fixed about a game; and why its first steps do not work, if they are not needed."""
    with chdir("."):  # which an environment may change, and later paths do not expect
        games = games_of(config, game, 1, True)
        try:
            try_out(games)
            return games.spec, None
        except EnvironmentFault as fault:
            if needed:
                raise
            return games.spec, str(fault)
        finally:
            games.close()


def games(config: Config, batch: int, training: bool, frames: bool = False) -> Games:
    """B games side by side; with training, as the learner sees them (clipped rewards, random openings).

    frames: whether `Games.frame` will be asked for pictures.
    """
    return games_of(config, config.table("run")["game"], batch, training, frames)


def games_of(config: Config, game: str, batch: int, training: bool, frames: bool = False) -> Games:
    """As `games`, of a configuration that may consist of the table [game] alone."""
    kind, name = split(game)
    if config.kind("game") != kind:
        given = f'[game] kind = "{config.kind("game")}" (from {config.source("game", "kind")})'
        raise ConfigError([f'{given}; expected "{kind}", as the game is {printable(game)}'])
    known = (ConfigError, UnknownGame, MissingExtra)
    return attempt(
        f"{kind}/{name} cannot be made", lambda: config.construct("game", name, batch, training, frames), *known
    )


def spec(config: Config) -> GameSpec:
    """The specification of the run's game, read from one environment that is closed again."""
    with chdir("."), closing(games(config, 1, training=True)) as one:
        return one.spec


def settings(config: Config) -> RunSettings:
    """The settings of the run."""
    return config.construct("run")


def actor_settings(config: Config) -> ActorSettings:
    """The settings of the actors."""
    return config.construct("actors")


def selfplay(
    config: Config, games: Games, model: WorldModel, planner: Planner, seed: int, actor: int, incarnation: int
) -> SelfPlay:
    """Self-play of one actor, see `SelfPlay`."""
    return config.construct("selfplay", games, model, planner, seed, actor, incarnation)


def symmetries(config: Config) -> Symmetries | None:
    """The symmetries of the run's game; None if it has none."""
    return symmetries_of(config.table("run")["game"])


def candidates(config: Config, spec: GameSpec) -> int:
    """Actions that the planner weighs in a position, as stored steps need to know it; see `Planner.candidates`."""
    return planner(config).candidates(spec.actions)


def replay(config: Config, spec: GameSpec, seed: int, device: torch.device | None = None) -> Replay:
    """A replay without experience for a learner on a device; the seed decides what it samples."""
    return config.construct("replay", spec, seed, candidates(config, spec), lambda: symmetries(config), device)


def model(config: Config, spec: GameSpec, seed: int = 0) -> WorldModel:
    """A model with the weights that the seed gives."""
    torch.manual_seed(derive(seed, "weights"))
    return config.construct("model", spec)


def planner(config: Config, simulations: int | None = None) -> Planner:
    """The planner, optionally with another number of simulations; 0 gives the policy alone."""
    if simulations is None:
        return config.construct("planner")
    if simulations == 0:
        return ReactivePlanner()
    table = {"kind": config.kind("planner"), **config.table("planner"), "simulations": simulations}
    return merge([Layer("command line", {"planner": table})], {"planner": SCHEMA["planner"]}).construct("planner")


def player(config: Config, model: WorldModel, simulations: int | None = None) -> PlanningPlayer:
    """The trained agent as a player, see `planner`; it averages over as many images of a board as the run says."""
    count = settings(config).symmetries
    seen = symmetric(model, symmetries(config), count) if count > 1 else model
    return PlanningPlayer(seen, planner(config, simulations))


def objective(config: Config, spec: GameSpec, for_model: WorldModel) -> Objective:
    """The objective that the model is trained on."""
    return config.construct("objective", spec, for_model)


def learner(
    config: Config,
    model: WorldModel,
    objective: Objective,
    device: torch.device,
    seed: int = 0,
    learners: Learners = ALONE,
) -> Learner:
    """The learner of a model, one of several that learn together, or alone."""
    return config.construct("learner", model, objective, device, seed, learners)


def device(name: str) -> torch.device:
    """The device of a name: "auto", "cpu" or "cuda".

    Raises:
        ConfigError: if there is no such device, or torch sees no CUDA device.
    """
    if name not in DEVICES:
        close = nearest(name, DEVICES)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError([f"device {printable(name)!r}; expected {', '.join(DEVICES)}{hint}"])
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError(["--device cuda: torch sees no CUDA device here; use --device cpu or auto"])
    return torch.device(name)

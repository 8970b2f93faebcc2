"""The composition root: the only list of kinds, and the only place that turns a configuration into objects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from muzero.config import AtMost, Config, ConfigError, Layer, Schema, merge, read_layer
from muzero.config.run import ActorSettings, RunSettings
from muzero.data.replay import Replay
from muzero.games import arcade, board, control, minatar
from muzero.games.arcade import ArcadeGames
from muzero.games.batched import MissingExtra, UnknownGame
from muzero.games.board import BoardGames
from muzero.games.control import ControlGames
from muzero.games.minatar import MinatarGames
from muzero.games.python import PythonGames
from muzero.interfaces import Games, GameSpec, Objective, Planner, Player, WorldModel
from muzero.learning.learner import Learner
from muzero.models.latent import SpatialModel, VectorModel
from muzero.objectives.value_equivalence import ValueEquivalence
from muzero.planners.reactive import ReactivePlanner
from muzero.planners.tree import GumbelPlanner, PuctPlanner
from muzero.play.selfplay import SelfPlay
from muzero.players.gtp import GtpPlayer
from muzero.players.human import HumanPlayer
from muzero.players.minimax import MinimaxPlayer
from muzero.players.perfect import PerfectPlayer
from muzero.players.rollouts import RolloutsPlayer
from muzero.players.solver import GAME as SOLVED
from muzero.players.solver import SolverPlayer
from muzero.players.uci import UciPlayer
from muzero.players.uniform import RandomPlayer
from muzero.util.text import nearest, printable

GAMES = {
    "board": BoardGames,
    "atari": ArcadeGames,
    "gym": ControlGames,
    "minatar": MinatarGames,
    "python": PythonGames,
}
FAMILIES = {"board": "board", "atari": "atari", "gym": "control", "minatar": "minatar", "python": "control"}
SCHEMA: Schema = {
    "run": RunSettings,
    "actors": ActorSettings,
    "game": GAMES,
    "model": {"vector": VectorModel, "spatial": SpatialModel},
    "planner": {"gumbel": GumbelPlanner, "puct": PuctPlanner, "reactive": ReactivePlanner},
    "objective": {"value_equivalence": ValueEquivalence},
    "selfplay": SelfPlay,
    "replay": Replay,
    "learner": Learner,
}
LISTING = "muzero-games lists what can be played"
PLAYERS = {"random": RandomPlayer, "minimax": MinimaxPlayer, "solver": SolverPlayer, "human": HumanPlayer}
PLAYERS_OF = {"mcts": RolloutsPlayer, "gtp": GtpPlayer, "uci": UciPlayer}  # written mcts:100, gtp:COMMAND
STICKY = 0.25  # Machado et al. 2018
# Inside the package in a wheel, beside it in a checkout.
CONFIGS = next(
    path for path in (Path(__file__).parent / "configs", Path(__file__).parent.parent / "configs") if path.exists()
)


def configure(game: str, layers: list[Layer]) -> Config:
    """All settings for a game: defaults in code < family < task < the layers given.

    Raises:
        ConfigError: with every problem of every layer, or because the game is not known.
    """
    kind, name = split(game)
    shipped = {path.stem: path for path in (CONFIGS / kind).glob("*.toml")}  # by name: a game's name is no path
    before = [
        Layer("--game", {"game": {"kind": kind}, "run": {"game": game}}),
        read_layer(CONFIGS / f"{FAMILIES[kind]}.toml"),
    ]
    after = [*([read_layer(shipped[name])] if name in shipped else []), *layers]
    only_game = [Layer(layer.source, {"game": layer.tables.get("game", {})}) for layer in before + after]
    unknown = []
    shape = Layer("the observation's shape", {})
    longest: int | None = 0  # steps of the longest game; of a game that is not known, nothing is too long
    try:
        spec = _games(merge(only_game, {"game": GAMES}), game, 1, True).spec
        shape = Layer(shape.source, {"model": {"kind": "spatial" if len(spec.observation) == 3 else "vector"}})
        longest = spec.max_steps
    except UnknownGame as error:
        unknown = [f"{error}; {LISTING}"]
    except ConfigError:
        pass  # the whole configuration will say what is wrong with [game], and with the rest
    try:
        # After the family's layer: what it says of planes is dropped where there are none.
        config = merge([*before, shape, *after], SCHEMA, bounds(longest))
    except ConfigError as error:
        raise ConfigError(unknown + error.problems) from None
    if unknown:
        raise ConfigError(unknown)
    return config


def bounds(longest: int | None) -> list[AtMost]:
    """What contradicts itself across tables.  longest: steps of the longest game, None if that is not known."""
    # A game that was cut short has a row more than steps.
    rows = None if longest is None else longest + 1
    return [
        AtMost("run.start", "run.steps", "the run would end before it has learned anything"),
        AtMost("learner.batch", "replay.capacity", "a batch is drawn from the replay"),
        AtMost("selfplay.segment_steps", "replay.capacity", "the replay takes in whole segments", cap=rows),
    ]


def split(game: str) -> tuple[str, str]:
    """Kind and name of a game: "board/go(board_size=9)" -> "board", "go(board_size=9)"."""
    kind, slash, name = game.partition("/")
    if not slash or kind not in GAMES or not name:
        close = [f"{word}/{printable(name)}" for word in nearest(kind, GAMES)] if slash and name else []
        hint = f"; nearest: {', '.join(close)}" if close else ""
        begin = f"games begin with {', '.join(f'{known}/' for known in GAMES)}"
        raise ConfigError([f"game '{printable(game)}' is not known{hint}; {begin}; {LISTING}"])
    return kind, name


def games(config: Config, batch: int, training: bool) -> Games:
    """B games side by side; with training, as the learner sees them (clipped rewards, random openings)."""
    return _games(config, config.table("run")["game"], batch, training)


def _games(config: Config, game: str, batch: int, training: bool) -> Games:
    return config.construct("game", split(game)[1], batch, training)


def spec(config: Config) -> GameSpec:
    """What is fixed about the game."""
    one = games(config, 1, training=True)
    try:
        return one.spec
    finally:
        one.close()


def model(config: Config, spec: GameSpec, seed: int = 0) -> WorldModel:
    """A model with the weights that the seed gives."""
    torch.manual_seed(seed)
    return config.construct("model", spec)


def planner(config: Config, simulations: int | None = None) -> Planner:
    """The planner, with another number of simulations perhaps; with 0, the policy alone."""
    if simulations is None:
        return config.construct("planner")
    if simulations == 0:
        return ReactivePlanner()
    table = {"kind": config.kind("planner"), **config.table("planner"), "simulations": simulations}
    return merge([Layer("command line", {"planner": table})], {"planner": SCHEMA["planner"]}).construct("planner")


def protocols(config: Config) -> dict[str, Config]:
    """Under which rules a game for one is to be evaluated: Atari games without and with sticky actions."""
    if config.kind("game") != "atari":
        return {"": config}
    rows = {"": {"sticky": 0.0}, f", sticky {STICKY}": {"sticky": STICKY}}
    return {name: _with_game(config, changes) for name, changes in rows.items()}


def _with_game(config: Config, changes: Mapping[str, object]) -> Config:
    table = {"kind": config.kind("game"), **config.table("game"), **changes}
    changed = merge([Layer("the protocol", {"game": table})], {"game": GAMES})
    return Config({**config.tables, **changed.tables})


def objective(config: Config, spec: GameSpec, for_model: WorldModel) -> Objective:
    """What is learned."""
    return config.construct("objective", spec, for_model)


def device(name: str) -> torch.device:
    """The device that a run asked for.

    Raises:
        ConfigError: if CUDA is asked for and not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError(["--device cuda: torch sees no CUDA device here; use --device cpu or auto"])
    return torch.device(name)


def player(name: str) -> Player:
    """A player by name: "random", "mcts:100", "gtp:gnugo --mode gtp".

    Raises:
        ConfigError: naming the nearest known one.
        PlayerError: if it cannot be had here.
    """
    kind, colon, argument = name.partition(":")
    if kind in PLAYERS_OF and argument.strip():
        return PLAYERS_OF[kind](argument.strip())
    if kind in PLAYERS and not colon:
        return PLAYERS[kind]()
    raise ConfigError([f"{printable(name)}: no such player{hint_of(name)}"])


def oracle(game: str) -> PerfectPlayer:
    """Who knows the score of every move in a board game.

    Raises:
        PlayerError: if the solver of the game is not installed.
    """
    return SolverPlayer() if game == f"board/{SOLVED}" else MinimaxPlayer()


def is_player(name: str) -> bool:
    """Whether a name is meant to be that of a player rather than of a folder."""
    kind, colon, _ = name.partition(":")
    return (kind in PLAYERS_OF and bool(colon)) or name in PLAYERS


def hint_of(name: str) -> str:
    """What was probably meant, and what there is."""
    kind = name.partition(":")[0]
    close = nearest(kind, [*PLAYERS, *PLAYERS_OF])
    known = [*PLAYERS, "mcts:ROLLOUTS", "gtp:COMMAND", "uci:COMMAND"]
    meant = {known.partition(":")[0]: known for known in known}
    return f"; did you mean {meant[close[0]]}?" if close else f"; players: {', '.join(known)}, or the folder of a run"


def playable() -> dict[str, list[str] | str]:
    """Names of what can be played, by kind; a text where they cannot be listed."""
    listed: dict[str, list[str] | str] = {}
    for kind, module in {"board": board, "atari": arcade, "gym": control, "minatar": minatar}.items():
        try:
            listed[kind] = module.names()
        except MissingExtra as error:
            listed[kind] = str(error)
    return listed | {"python": "<module>:<Class>, an environment of your own"}

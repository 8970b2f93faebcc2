"""The kinds of games, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from muzero.config import Config, ConfigError, Layer, merge
from muzero.games import arcade, board, control, minatar
from muzero.games.arcade import ArcadeGames
from muzero.games.board import BoardGames
from muzero.games.board_rules import BoardRules
from muzero.games.control import ControlGames
from muzero.games.errors import LISTING
from muzero.games.minatar import MinatarGames
from muzero.games.python import PythonGames
from muzero.interfaces import Rules, Symmetries
from muzero.util.extras import MissingExtra
from muzero.util.text import nearest, printable

GAMES = {
    "board": BoardGames,
    "atari": ArcadeGames,
    "gym": ControlGames,
    "minatar": MinatarGames,
    "python": PythonGames,
}
FAMILIES = {"board": "board", "atari": "atari", "gym": "control", "minatar": "minatar", "python": "control"}
# Kinds whose games differ so much that their family's settings cannot fit all of them: what no file says of one of them
# follows from a probe.
PROBED = ("gym", "python")
ABOUT = {
    "board": "two-player board games and puzzles of OpenSpiel; most take parameters: board/go(board_size=9)",
    "atari": "Atari games of ale-py",
    "gym": "environments of gymnasium, and of dm_control: gym/dm_control/DOMAIN-TASK-v0; their arguments: "
    "--set game.kwargs.NAME=VALUE",
    "minatar": "five small games in the manner of Atari's",
    "python": "an environment or two-player game of your own: python/<module>:<Class>",
}
STICKY = 0.25  # Machado et al. 2018


def split(game: str) -> tuple[str, str]:
    """Kind and name of a game: "board/go(board_size=9)" -> "board", "go(board_size=9)"."""
    kind, slash, name = game.partition("/")
    if not slash or kind not in GAMES or not name:
        close = [f"{word}/{printable(name)}" for word in nearest(kind, GAMES)] if slash and name else named_like(game)
        close = [f"python/{printable(game)}", *close] if ":" in game and not slash else close
        hint = f"; nearest: {', '.join(close)}" if close else ""
        begin = f"games begin with {', '.join(f'{known}/' for known in GAMES)}"
        raise ConfigError([f"game '{printable(game)}' is not known{hint}; {begin}; {LISTING}"])
    return kind, name


def named_like(word: str) -> list[str]:
    """The games whose names without their kinds are nearest to a word: "pong" -> "atari/pong"."""
    names = {name.partition("/")[2]: name for group in listing().values() for name in group.names}
    return [names[name] for name in nearest(word, names, 3)]


def resolve(game: str) -> str:
    """The full name of a game: "gym/CartPole" without a version is the newest one, "gym/CartPole-v1"."""
    kind, name = split(game)
    return f"{kind}/{control.resolve(name)}" if kind == "gym" else game


def protocols(config: Config) -> dict[str, Config]:
    """The configurations under which a single-agent game is evaluated: Atari without and with sticky actions."""
    if config.kind("game") != "atari":
        return {"": config}
    rows = {"": {"sticky": 0.0}, f", sticky {STICKY}": {"sticky": STICKY}}
    return {name: _with_game(config, changes) for name, changes in rows.items()}


def _with_game(config: Config, changes: Mapping[str, object]) -> Config:
    table = {"kind": config.kind("game"), **config.table("game"), **changes}
    changed = merge([Layer("the protocol", {"game": table})], {"game": GAMES})
    return Config({**config.tables, **changed.tables})


def symmetries(game: str) -> Symmetries | None:
    """The symmetries of a game; None if it has none, or its rules cannot be consulted."""
    kind, name = split(game)
    return board.symmetries(name) if kind == "board" else None


def as_rules(position: Any) -> Rules:
    """A position whose rules can be consulted, from one or from a pyspiel state.

    Raises:
        TypeError: if it is something else.
    """
    if isinstance(position, Rules):
        return position
    if all(hasattr(position, name) for name in ("get_game", "clone", "is_terminal")):
        return BoardRules(position.clone())
    raise TypeError(f"expected a position (muzero.interfaces.Rules) or a pyspiel.State, got {type(position).__name__}")


class Group(NamedTuple):
    """The games of one kind."""

    about: str  # what they are, in a line
    names: list[str]  # those that can be played here: "board/chess"
    missing: dict[str, str]  # those that cannot, or "atari/..." for all of a kind, with the reason
    continuous: Sequence[str] = ()  # those of `names` whose actions are real numbers


def listing() -> dict[str, Group]:
    """What can be played here and what cannot, by kind."""
    groups = {}
    for kind, module in {"board": board, "atari": arcade, "gym": control, "minatar": minatar}.items():
        try:
            reasons = {f"{kind}/{name}": reason for name, reason in module.all_names().items()}
        except MissingExtra as error:
            reasons = {f"{kind}/...": str(error)}
        names = [name for name, reason in reasons.items() if not reason]
        groups[kind] = Group(ABOUT[kind], names, {name: reason for name, reason in reasons.items() if reason})
    real = control.continuous(name.removeprefix("gym/") for name in groups["gym"].names)
    groups["gym"] = groups["gym"]._replace(continuous=[f"gym/{name}" for name in real])
    return groups | {"python": Group(ABOUT["python"], [], {})}

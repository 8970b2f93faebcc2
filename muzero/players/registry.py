"""The kinds of players, by the names that users give them."""

from __future__ import annotations

from muzero.config import ConfigError
from muzero.interfaces import Player
from muzero.players.gtp import GtpPlayer
from muzero.players.human import HumanPlayer
from muzero.players.minimax import MinimaxPlayer
from muzero.players.optimal import OptimalPlayer
from muzero.players.perfect import PerfectPlayer
from muzero.players.rollouts import RolloutsPlayer
from muzero.players.solver import GAME as SOLVED
from muzero.players.solver import SolverPlayer
from muzero.players.uci import UciPlayer
from muzero.players.uniform import RandomPlayer
from muzero.util.text import nearest, printable

PLAYERS = {
    "random": RandomPlayer,
    "minimax": MinimaxPlayer,
    "solver": SolverPlayer,
    "optimal": OptimalPlayer,
    "human": HumanPlayer,
}
PLAYERS_OF = {"mcts": RolloutsPlayer, "gtp": GtpPlayer, "uci": UciPlayer}  # written mcts:100, gtp:COMMAND


def player(name: str) -> Player:
    """Construct a player by name: "random", "mcts:100", "gtp:gnugo --mode gtp".

    Raises:
        ConfigError: if there is no such player; names the nearest one.
        PlayerError: if it is not installed or cannot be started.
    """
    kind, colon, argument = name.partition(":")
    if kind in PLAYERS_OF and argument.strip():
        return PLAYERS_OF[kind](argument.strip())
    if kind in PLAYERS and not colon:
        return PLAYERS[kind]()
    raise ConfigError([f"{printable(name)}: no such player{hint_of(name)}"])


def oracle(game: str) -> PerfectPlayer:
    """The player that knows the score of every move in a board game.

    Raises:
        PlayerError: if the solver of the game is not installed.
    """
    return SolverPlayer() if game == f"board/{SOLVED}" else MinimaxPlayer()


def is_player(name: str) -> bool:
    """Whether a name means a kind of player here, and not the folder of a run."""
    kind, colon, _ = name.partition(":")
    return (kind in PLAYERS_OF and bool(colon)) or name in PLAYERS


def hint_of(name: str) -> str:
    """A hint for a name that is not known: the nearest player, or all of them."""
    kind = name.partition(":")[0]
    close = nearest(kind, [*PLAYERS, *PLAYERS_OF])
    known = [*PLAYERS, "mcts:ROLLOUTS", "gtp:COMMAND", "uci:COMMAND"]
    meant = {known.partition(":")[0]: known for known in known}
    return f"; did you mean {meant[close[0]]}?" if close else f"; players: {', '.join(known)}, or the folder of a run"

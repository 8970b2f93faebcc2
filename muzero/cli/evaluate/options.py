"""Options that the ways of evaluating share, and how their texts are read."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from muzero.cli.parser import Parser
from muzero.util.text import escaped

SEATS = ("first", "second", "both")
PLAYERS = """
players:
  RUN              the newest checkpoint of a run's folder
  RUN:STEP         another checkpoint of it; RUN:best is the best evaluated
  RUN@16           a run with 16 simulations per move; RUN@0 plays the policy
  zoo/NAME         a trained agent that comes with the package; muzero-games zoo lists them
  random           random legal moves
  mcts:ROLLOUTS    Monte Carlo tree search of OpenSpiel, such as mcts:100
  minimax          perfect play in small board games
  solver           perfect play in Connect Four
  optimal          optimal play in gym/Pendulum-v1
  gtp:COMMAND      a Go engine, such as "gtp:gnugo --mode gtp"
  uci:COMMAND      a chess engine, such as "uci:stockfish; go nodes 100"
"""


def add_match_options(parser: Parser) -> None:
    """Add the options that matches and ladders share."""
    parser.add_argument("--game", help="the game, such as board/connect_four; a run knows its own")
    parser.add_argument("--trust", action="store_true", help="let runs execute code: games that are your own classes")
    parser.add_argument(
        "--simulations",
        type=count,
        metavar="N",
        help="simulations per move (default: as trained); RUN@N sets them for one run",
    )
    parser.add_argument(
        "--openings",
        type=plies,
        metavar="2-4",
        help="begin with 2 to 4 random moves, the same for both games of a pair",
    )
    parser.add_argument("--batch", type=whole, default=100, metavar="N", help="games played side by side (default 100)")
    parser.add_argument("--actors", type=count, default=0, metavar="N", help="play in N processes of Ray")
    parser.add_argument("--ray-address", metavar="HOST:PORT", help="use a Ray cluster that is already running")
    parser.add_argument("--insecure", action="store_true", help="accept a cluster that asks for no token")
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="cpu", help="for the networks (default cpu)"
    )
    parser.add_argument("--seed", type=count, default=0, metavar="N", help="seed of the games (default 0)")
    parser.add_argument(
        "--save-games", type=Path, metavar="DIR", help="save the games: moves as text, Go as SGF, chess as PGN"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to a file")


def check_files(parser: Parser, options: argparse.Namespace) -> None:
    """Refuse files that could not be written, before any game is played for them."""
    for name, folder in (("json", False), ("save", False), ("save_positions", False), ("save_games", True)):
        path: Path | None = getattr(options, name, None)
        if path is None:
            continue
        option = f"--{name.replace('_', '-')} {escaped(str(path))}"
        if path.is_dir() != folder and path.exists():
            parser.error(f"{option}: that is {'a folder' if path.is_dir() else 'a file'}; give another name")
        # The nearest folder above that exists: those between are made when the file is written.
        above = next(each for each in [path, *path.absolute().parents] if each.exists())
        if not os.access(above, os.W_OK):
            parser.error(f"{option}: {escaped(str(above))} cannot be written to")


# --- texts of options ----------------------------------------------------------------------------------------------


def whole(text: str) -> int:
    """Parse a whole number of at least 1."""
    if text.isdecimal() and 1 <= int(text) <= 10**7:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number of at least 1")


def count(text: str) -> int:
    """Parse a whole number of at least 0."""
    if text.isdecimal() and int(text) < 2**31:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number of at least 0")


def plies(text: str) -> tuple[int, int]:
    """Parse a number of moves or a range, "3" or "2-4"."""
    found = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", text)
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if low > high:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number of moves, such as 4, or from 2 to 4: 2-4")
    return low, high


def elo(text: str) -> float:
    """Parse half the width of an interval of Elo, "30elo" or "30"."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(?:elo)?", text.lower())
    if not found or float(found[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}; expected half the width of the interval, such as 30elo")
    return float(found[1])


def span(text: str) -> tuple[float, float]:
    """Parse two differences in Elo, "0,30"."""
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)", text)
    if not found or float(found[1]) >= float(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r}; expected two differences in Elo, the lower first, such as 0,30")
    return float(found[1]), float(found[2])


def sweep(text: str) -> list[int]:
    """Parse the numbers of a sweep, "simulations=0,1,2"."""
    name, _, numbers = text.partition("=")
    words = numbers.split(",")
    if name != "simulations" or not all(word.isdecimal() and int(word) <= 10_000 for word in words):
        raise argparse.ArgumentTypeError(f"{text!r}; expected simulations=0,1,2,4,8,16 with numbers up to 10000")
    return list(dict.fromkeys(int(word) for word in words))

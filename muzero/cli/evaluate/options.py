"""Options that the ways of evaluating share, and how their texts are read."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from muzero.cli.parser import Parser
from muzero.util.text import escaped

SEATS = ("first", "second", "both")
EPILOG = """
players: a run's folder, RUN:STEP or RUN:best for one of its checkpoints, RUN@16 for 16 simulations a move (RUN@0 plays
the policy alone); random; mcts:ROLLOUTS (OpenSpiel's); minimax (small board games); solver (Connect Four); gtp:COMMAND
(Go engines: "gtp:gnugo --mode gtp"); uci:COMMAND (chess engines: "uci:stockfish; go nodes 100"); human.
muzero-eval ladder PLAYER... rates a whole pool; muzero-eval ladder --help says more.
"""


def add_match_options(parser: Parser) -> None:
    """Add the options that matches and ladders share."""
    parser.add_argument("--game", help="board/connect_four, ...: needed where no player is a run")
    parser.add_argument("--trust", action="store_true", help="let runs execute code: games that are your own classes")
    parser.add_argument(
        "--simulations", type=count, metavar="N", help="of each search of runs that name none (default: as trained)"
    )
    parser.add_argument(
        "--openings", type=plies, metavar="2-4", help="random moves at the start; the two games of a pair share them"
    )
    parser.add_argument("--batch", type=whole, default=100, metavar="N", help="games side by side (default 100)")
    parser.add_argument("--actors", type=count, default=0, metavar="N", help="play in N processes, by Ray")
    parser.add_argument("--ray-address", metavar="HOST:PORT", help="use a Ray cluster that runs already")
    parser.add_argument("--insecure", action="store_true", help="use a cluster that asks for no token")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="cpu")
    parser.add_argument("--seed", type=count, default=0)
    parser.add_argument("--save-games", type=Path, metavar="DIR", help="histories, SGF of Go, PGN of chess")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")


def check_files(parser: Parser, options: argparse.Namespace) -> None:
    """Refuse files that could not be written, before any game is played for them."""
    for name, folder in (("json", False), ("save_positions", False), ("save_games", True)):
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

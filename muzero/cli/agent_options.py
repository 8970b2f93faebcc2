"""The options by which commands take a trained agent and its strength, and a list of the agents that there are."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from muzero.cli.evaluate.options import count
from muzero.cli.parser import Parser, add_consent
from muzero.util.text import printable, shell_word

if TYPE_CHECKING:
    from muzero.interactive.strength import Set

STRENGTHS = ("beginner", "casual", "club", "full", "strong")  # of `muzero.interactive.strength`, which imports torch
MOST_RUNS = 20  # that are listed
EPILOG = """
strengths:
  beginner   draws each move from the network's policy, without search: makes mistakes
  casual     plays the network's first idea, without search
  club       searches a quarter of what it was trained with
  full       searches as it was trained
  strong     searches four times as much as it was trained with
"""


def add_agent_options(parser: Parser, required: bool) -> None:
    """Add the run, and how strongly it plays."""
    parser.add_argument(
        "run",
        nargs=None if required else "?",
        metavar="RUN",
        help="a run's folder, or zoo/NAME; RUN:STEP for another checkpoint, RUN:best for the best evaluated",
    )
    parser.add_argument("--strength", choices=STRENGTHS, help="how strongly the agent plays, see below (default full)")
    parser.add_argument(
        "--simulations", type=count, metavar="N", help="simulations of each search instead; 0 plays without search"
    )
    parser.add_argument(
        "--temperature",
        type=temperature,
        metavar="T",
        help="0 plays the best move (default); 1 draws each move as often as the agent believes in it",
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="cpu", help="of the network (default cpu)")
    add_consent(parser)


def load(options: argparse.Namespace) -> Set:
    """Load the agent that the options name, at their strength.

    options: of `add_agent_options`; also `prog`, the command, and `kinds` of games, see `listing`.

    Raises:
        ConfigError, CheckpointError: as `Agent.load` does.
    """
    refuse_absent(options.run, lambda: listing(options.prog, options.kinds))
    import torch

    from muzero.agent import Agent
    from muzero.config import ConfigError
    from muzero.evaluation.entrants import parse, refuse_suffix
    from muzero.interactive.strength import at_strength
    from muzero.runs.zoo import hint, located

    torch.set_num_threads(1)  # a search of one position is too small for more
    name = parse(options.run)
    if not located(name.folder).exists():
        refuse_suffix(options.run)
        problem = f"{printable(options.run)}: no such run{hint(str(name.folder))}"
        raise ConfigError([problem, *listing(options.prog, options.kinds)])
    simulations = name.simulations if options.simulations is None else options.simulations
    agent = Agent.load(name.folder, None, options.device, name.step, options.trust, options.game)
    return at_strength(agent, options.strength, simulations, options.temperature)


def refuse_absent(run: str, more: Callable[[], Sequence[str]] = list) -> None:
    """Refuse a trained agent that is not there, before anything slow is imported.

    Args:
        run: its name, perhaps with a checkpoint or simulations behind it.
        more: makes the lines that the message ends with.

    Raises:
        ConfigError: naming the nearest.
    """
    from muzero.config import ConfigError
    from muzero.runs.zoo import hint, located

    name = re.split("[:@]", run)[0]
    if name.startswith("zoo/") and not located(Path(name)).exists():
        raise ConfigError([f"{printable(run)}: no such run{hint(name)}", *more()])


def listing(command: str, kinds: Sequence[str]) -> list[str]:
    """The agents that there are, as lines: each name and its game.

    Args:
        command: that takes one of them, for an example.
        kinds: of games, "board"; agents of others are left out.
    """
    from muzero.config import ConfigError, read_layer
    from muzero.runs.folder import RunFolder
    from muzero.runs.zoo import located, names

    runs = sorted(Path("runs").glob("**/config.toml"), key=lambda path: -path.stat().st_mtime)
    found = [*names(), *(str(path.parent) for path in runs[:MOST_RUNS])]
    games = {}
    for name in found:
        try:
            game = str(read_layer(RunFolder(located(Path(name))).config).tables["run"]["game"])
            if game.partition("/")[0] in kinds:
                games[name] = game
        except (ConfigError, KeyError, TypeError):
            continue  # a file that is not the settings of a run
    width = max(map(len, games), default=0)
    lines = [f"  {printable(name):<{width}}  {printable(game)}" for name, game in games.items()]
    if not lines:
        return ["no agent was found: train one with muzero-train --game board/tic_tac_toe"]
    return ["agents that are here:", *lines, f"for example: {command} {shell_word(next(iter(games)))}"]


def temperature(text: str) -> float:
    """Parse a temperature."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if 0 <= number <= 100:
        return number
    raise argparse.ArgumentTypeError(f"{text!r}; expected a number from 0 to 100")

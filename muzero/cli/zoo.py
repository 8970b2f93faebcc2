"""muzero-zoo: lists trained agents, or makes one of a run, `zoo/NAME`, with the figures that are published of it."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muzero.cli.exits import guarded
from muzero.cli.parser import Parser
from muzero.config import ConfigError, merge, read_layer

if TYPE_CHECKING:
    from muzero.cli.zoo_agent import Weights
    from muzero.interfaces import GameSpec

MOST_BYTES = 2_000_000  # of an agent's weights
SMALL = 9  # moves of a game of which all positions are asked about
# What is published of a row that muzero-eval writes, by what distinguishes its kind.
FIGURES = {
    "optimal": ("positions", "optimal", "optimal_interval_95", "outcome_preserving", "outcome_preserving_interval_95"),
    "lines": ("lines", "wins", "draws", "losses"),
    "share": ("games", "wins", "draws", "losses", "share", "share_interval_95"),
    "mean": ("games", "mean", "interval_95", "min", "max"),
}
MAKING = ("checkpoint", "half", "name", "evaluate")  # options that say how an agent is made
EPILOG = 'Each --evaluate is what follows "muzero-eval zoo/NAME": --evaluate "--against mcts:100 --games 400".'


def zoo_command(arguments: Sequence[str] | None = None) -> int:
    """List trained agents, or make one of a run; returns the exit code."""
    options = parsed(arguments)
    if options.run is None:
        from muzero.cli.zoo_list import listing

        print(listing())
        return 0
    from muzero.agent import Agent
    from muzero.cli.evaluate import command
    from muzero.cli.zoo_agent import copy, rounded, write_entry
    from muzero.report.agent_page import page
    from muzero.report.collect import collect
    from muzero.runs import checkpoint
    from muzero.runs.folder import RunFolder, require_run
    from muzero.runs.zoo import hint

    require_run(options.run, hint(str(options.run)))
    require_harmless(options.run)
    found = checkpoint.verify(checkpoint.named(options.run, options.checkpoint or "latest"))
    weights = rounded(found) if options.half else found.arrays("model")
    require_small(weights)
    spec = Agent.load(found.path).spec  # refuses weights of another game or network
    folder = target(options.name or spec.name.rpartition("/")[2])
    commands = [[str(folder), *shlex.split(words)] for words in options.evaluate or usual(spec)]
    for words in commands:
        command.parsed(words)  # before any is carried out
    try:
        copy(collect([options.run])[0], found, weights, RunFolder(folder))
        results = [evaluated(words) for words in commands]
        write_entry(RunFolder(folder), found, results)
        (folder / "README.md").write_text(page(folder, str(folder)), "utf-8")
    except BaseException:  # nothing that looks like an agent is left behind
        shutil.rmtree(folder, ignore_errors=True)
        raise
    print(f"wrote {folder}; read {folder / 'README.md'}")
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options of muzero-zoo."""
    parser = Parser(
        prog="muzero-zoo",
        description="List the trained agents that there are with their published figures; or, of a run, make one: "
        "zoo/NAME, below the working directory.",
        epilog=EPILOG,
    )
    parser.add_argument("run", type=Path, nargs="?", metavar="RUN", help="a run's folder; without it, list the agents")
    parser.add_argument("--checkpoint", metavar="STEP|best", help="which checkpoint (default: the newest)")
    parser.add_argument("--half", action="store_true", help="store the weights in 16 bits")
    parser.add_argument("--name", metavar="NAME", help="name of the agent (default: that of its game)")
    parser.add_argument(
        "--evaluate", action="append", metavar="OPTIONS", help="an evaluation to publish; can be given several times"
    )
    options = parser.parse_args(arguments)
    if options.run is None and (given := [name for name in MAKING if getattr(options, name)]):
        parser.error(f"--{given[0]} is for making an agent; name its RUN")
    return options


# --- checks --------------------------------------------------------------------------------------------------------


def require_harmless(run: Path) -> None:
    """Refuse a run whose settings execute code: its agent could not be loaded without consent.

    Raises:
        ConfigError: naming these settings.
    """
    from muzero import build
    from muzero.runs.folder import RunFolder
    from muzero.runs.trust import dangers

    if found := dangers(merge([read_layer(RunFolder(run).config)], build.SCHEMA)):
        raise ConfigError([f"the settings of {run} would execute code where its agent is used", *found])


def require_small(weights: Weights) -> None:
    """Refuse weights that are too large to be published.

    Raises:
        ConfigError: naming their size.
    """
    size = sum(array.nbytes for array in weights.values())
    if size > MOST_BYTES:
        raise ConfigError([f"the weights have {size:,} bytes; expected at most {MOST_BYTES:,}; --half halves them"])


def target(name: str) -> Path:
    """The folder of a new agent.

    Raises:
        ConfigError: if the name is not that of a folder, or an agent has it.
    """
    from muzero.runs.folder import plain_name
    from muzero.runs.zoo import ZOO

    if name != plain_name(name):
        raise ConfigError([f"--name {name!r} is not the name of a folder; did you mean {plain_name(name)}?"])
    folder = Path(ZOO, name)
    if folder.exists():
        raise ConfigError([f"{folder} exists already; remove it first, or give another --name"])
    return folder


# --- what it scores -----------------------------------------------------------------------------------------------


def usual(spec: GameSpec) -> list[str]:
    """The evaluations that are published where none are named."""
    if not spec.two_player:
        return ["--games 100", "--games 5"]
    small = spec.max_steps is not None and spec.max_steps <= SMALL
    return ["--positions all", "--against all"] if small else ["--against mcts:100 --games 100"]


def evaluated(words: list[str]) -> dict[str, Any]:
    """Evaluate the agent: the command, the CPU seconds that it took, and its figures.

    words: of the command, without muzero-eval.

    Raises:
        ConfigError: if the command fails.
    """
    from muzero.cli.evaluate.command import evaluate_command

    command, began = shlex.join(["muzero-eval", *words]), time.process_time()
    print(f"$ {command}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "figures.json")
        if evaluate_command([*words, "--json", str(file)]):
            raise ConfigError([f"{command}: failed"])
        row = json.loads(file.read_text("utf-8"))["rows"][0]
    kind = next(kind for kind in FIGURES if kind in row)
    figures = {key: row[key] for key in FIGURES[kind]}
    return {"command": command, "cpu_seconds": round(time.process_time() - began, 1), "figures": figures}


main = guarded(zoo_command)

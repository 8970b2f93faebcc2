"""muzero-serve."""

from __future__ import annotations

import argparse
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from muzero.cli.exits import guarded
from muzero.cli.parser import Parser, number

PORTS = 65_535


def serve_command(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C."""
    options = parsed(arguments)
    from muzero.util.extras import need

    for package in ("starlette", "uvicorn"):
        need(package, "muzero-serve", package, "serve")
    from muzero.agent import Agent
    from muzero.config import ConfigError
    from muzero.web.server import serve
    from muzero.web.tables import Tables

    agent = Agent.load(options.run, options.simulations, "cpu", options.checkpoint, options.trust, options.game)
    if agent.player.remembers:
        raise ConfigError(["the model of this run remembers earlier observations of a game; the page cannot show it"])

    def say(address: str) -> None:
        print(f"{agent.spec.name} at step {agent.step:,}; open this address in a browser on this machine:", flush=True)
        print(f"\n  {address}\n\nCtrl-C stops it.", flush=True)
        if options.open:
            webbrowser.open(address)

    serve(Tables(agent), str(options.run), options.port, say)
    print("stopped")
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options of muzero-serve."""
    parser = Parser(
        prog="muzero-serve",
        description="A page on this machine to play against a trained run, watch it, and unfold its search tree.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder, one of its checkpoints, or zoo/NAME")
    parser.add_argument("--port", type=number, default=0, metavar="N", help="of 127.0.0.1 (default: any that is free)")
    parser.add_argument("--open", action="store_true", help="also open the page in the browser")
    parser.add_argument(
        "--simulations",
        type=number,
        metavar="N",
        help="simulations of each search (default: as trained)",
    )
    parser.add_argument("--checkpoint", metavar="STEP|best", help="which checkpoint: 3000, best (default: the newest)")
    parser.add_argument(
        "--game", help="needed if the game is code of your own: the name of the game, as consent to import it"
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="let the settings of the run execute code: only for runs of authors you trust",
    )
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= PORTS:
        parser.error(f"--port {options.port}; expected 0 to {PORTS}")
    if options.simulations is not None and options.simulations < 0:
        parser.error(f"--simulations {options.simulations}; expected at least 0")
    return options


main = guarded(serve_command)

"""muzero-serve: a page on this machine to play against an agent, watch it, and unfold its search tree."""

from __future__ import annotations

import argparse
import webbrowser
from collections.abc import Sequence

from muzero.cli.agent_options import EPILOG, add_agent_options, listing, load
from muzero.cli.exits import BAD_USAGE, guarded
from muzero.cli.parser import Parser, number

PORTS = 65_535
KINDS = ("board", "atari", "gym", "minatar", "python")  # of games: all


def serve_command(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C."""
    options = parsed(arguments)
    if options.run is None:
        print("\n".join(listing(options.prog, options.kinds)))
        return BAD_USAGE
    from muzero.config import ConfigError
    from muzero.util.extras import need

    for package in ("starlette", "uvicorn"):
        need(package, options.prog, package, "serve")
    from muzero.web.server import serve
    from muzero.web.tables import Tables

    player = load(options)
    if player.agent.player.remembers:
        raise ConfigError(["the model of this run remembers earlier observations of a game; the page cannot show it"])

    def say(address: str) -> None:
        agent = player.agent
        print(f"{agent.spec.name} at step {agent.step:,}; open this address in a browser on this machine:")
        print(f"\n  {address}\n\nCtrl-C stops it.", flush=True)
        if options.open:
            webbrowser.open(address)

    serve(Tables(player), str(options.run), options.port, say)
    print("stopped")
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options of muzero-serve."""
    parser = Parser(
        prog="muzero-serve",
        description="A page on this machine to play against a trained agent, watch it, and unfold its search tree.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_agent_options(parser, required=False)
    parser.add_argument("--port", type=number, default=0, metavar="N", help="of 127.0.0.1 (default: any that is free)")
    parser.add_argument("--open", action="store_true", help="also open the page in the browser")
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= PORTS:
        parser.error(f"--port {options.port}; expected 0 to {PORTS}")
    options.prog, options.kinds = parser.prog, KINDS
    return options


main = guarded(serve_command)

"""muzero-play: a person plays against a trained agent at the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from muzero.cli.agent_options import EPILOG, add_agent_options, listing, load, refuse_absent
from muzero.cli.evaluate.options import SEATS, check_files, count
from muzero.cli.exits import BAD_USAGE, INTERRUPTED, guarded
from muzero.cli.parser import Parser
from muzero.util.text import shell_word

if TYPE_CHECKING:
    from muzero.agent import Agent
    from muzero.interactive.duel import Duel

KINDS = ("board", "python")  # of games that can have two players
ABOUT = """
During the game type a move, by its name or its number, or a command: undo, hint, think, board, moves, help, resign,
quit.  Without RUN the agents that there are are listed.
"""


def play_command(arguments: Sequence[str] | None = None) -> int:
    """Play games until the person has enough."""
    options = parsed(arguments)
    if options.run is None:
        print("\n".join(listing(options.prog, options.kinds)))
        return BAD_USAGE
    refuse_absent(options.run, lambda: listing(options.prog, options.kinds))  # before PyTorch is imported
    import secrets

    from muzero.cli.play_table import Table
    from muzero.cli.tables import terminal
    from muzero.interactive.duel import Duel

    player = load(options)
    require_two_players(player.agent, options.run)
    duel = Duel(player, secrets.randbits(31) if options.seed is None else options.seed)
    try:
        require_format(duel, options.save)
        table = Table(terminal(), duel, options.run, options.save)
        try:
            table.games(options.seat or "first")
        except KeyboardInterrupt:
            table.interrupted()
            return INTERRUPTED
    finally:
        duel.close()
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options of muzero-play."""
    parser = Parser(
        prog="muzero-play",
        description="Play against a trained agent at the terminal.",
        epilog=ABOUT + EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_agent_options(parser, required=False)
    parser.add_argument("--seat", choices=SEATS, help="first: you move first (default); both: in turn")
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="add the games to a file: Go as SGF, chess as PGN, any as JSON lines"
    )
    parser.add_argument(
        "--seed", type=count, metavar="N", help="seed of what the agent draws (default: another one each time)"
    )
    options = parser.parse_args(arguments)
    check_files(parser, options)
    options.prog, options.kinds = parser.prog, KINDS
    return options


def require_two_players(agent: Agent, run: str) -> None:
    """Refuse single-agent games.

    Raises:
        ConfigError: naming the command that shows them.
    """
    from muzero.config import ConfigError

    if not agent.spec.two_player:
        watch = f"watch the agent with: muzero-watch {shell_word(run)}"
        raise ConfigError([f"{agent.spec.name} is a game for one player, and the agent plays it alone; {watch}"])


def require_format(duel: Duel, file: Path | None) -> None:
    """Refuse a file whose ending names a format that the game does not have.

    Raises:
        ConfigError: naming the endings that are possible.
    """
    from muzero.config import ConfigError
    from muzero.evaluation.game_records import suffixes

    possible = suffixes(duel.start)
    if file is not None and file.suffix not in possible:
        expected = " or ".join(str(file.with_suffix(suffix)) for suffix in possible)
        raise ConfigError([f"--save {file}: games of {duel.game.spec.name} are saved as {expected}"])


main = guarded(play_command)

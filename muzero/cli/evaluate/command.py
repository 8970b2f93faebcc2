"""muzero-eval: what is asked for, and which way of evaluating it is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from muzero.cli.agent_options import refuse_absent
from muzero.cli.evaluate.options import PLAYERS, SEATS, add_match_options, check_files, elo, span, sweep, whole
from muzero.cli.exits import guarded
from muzero.cli.parser import Parser
from muzero.util.text import distance, printable

THREADS = 1  # of torch; for the small batches of searches, several wait for each other more than they compute
EPILOG = f"""{PLAYERS}  human            you, at this terminal

muzero-eval ladder PLAYER... rates a pool of players: see muzero-eval ladder --help.
"""


def evaluate_command(arguments: Sequence[str] | None = None) -> int:
    """Run muzero-eval; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["ladder"]:
        from muzero.cli.evaluate.ladder import ladder_command

        return ladder_command(words[1:])
    options = parsed(words)
    for name in options.players:
        refuse_absent(name)
    import torch

    from muzero import build
    from muzero.cli.evaluate import calibration, human, lines, match, positions, single
    from muzero.cli.evaluate.playing import Row
    from muzero.evaluation.entrants import Entrant, enter, stage

    torch.set_num_threads(THREADS)
    with ExitStack() as stack:

        def entered(name: str) -> Entrant:
            entrant = enter(name, options.simulations, options.device, options.trust, options.game)
            stack.callback(entrant.player.close)
            return entrant

        rows = [Row(name, simulations, entered(name)) for name, simulations in names(options)]
        if options.positions is not None:
            return positions.evaluate(options, rows)
        if options.calibration:
            return calibration.evaluate(options, rows)
        opponents = [entered(name) for name in [options.against] if name not in (None, "none", "all")]
        config = stage([*(row.entrant for row in rows), *opponents], options.game)
        if not build.spec(config).two_player:
            return single.evaluate(options, rows, config)
        if options.against == "all":
            return lines.evaluate(options, rows, config)
        if "human" in (options.against, *options.players):
            return human.evaluate(options, rows, opponents, config)
        for opponent in opponents:
            opponent.player.close()  # players are entered again where they play
        return match.evaluate(options, rows, config)


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The options, checked against each other."""
    parser = evaluate_parser()
    if words and distance(words[0], "ladder") == 1 and not Path(words[0]).exists():
        parser.error(f"no player {printable(words[0])}; did you mean muzero-eval ladder?")
    options = parser.parse_args(words)
    parser.require_words(options.players)
    check(parser, options)
    check_files(parser, options)
    return options


def evaluate_parser() -> Parser:
    """The parser of muzero-eval, but for its ladder."""
    parser = Parser(
        prog="muzero-eval",
        example="zoo/CartPole-v1",
        description="Evaluate players: against another, compared with perfect play, or in single-agent games.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("players", nargs="+", metavar="PLAYER", help="a run, or any player listed below")
    parser.add_argument(
        "--against",
        metavar="PLAYER",
        help="the opponent in two-player games; human: you play; all: every line of play, in small games",
    )
    parser.add_argument("--seat", choices=SEATS, help="your seat with --against human (default first)")
    parser.add_argument(
        "--positions",
        metavar="FILE|all|fresh[:N]",
        help="compare moves with perfect play, in positions of a file, all of the game, or N random ones",
    )
    parser.add_argument(
        "--save-positions", type=Path, metavar="FILE", help="write the positions of --positions to a file"
    )
    parser.add_argument(
        "--calibration",
        action="store_true",
        help="measure how well the models of runs know what they predict, in games that they play against themselves",
    )
    parser.add_argument(
        "--sweep", type=sweep, metavar="simulations=0,1,2,...", help="evaluate with each number of simulations"
    )
    parser.add_argument(
        "--checkpoint",
        metavar="STEP|best",
        help="checkpoint of the runs (default: the newest); RUN:STEP sets it for one run",
    )
    add_match_options(parser)
    rules = parser.add_mutually_exclusive_group()
    rules.add_argument("--games", type=whole, metavar="N", help="number of games (default 100)")
    rules.add_argument(
        "--until-interval", type=elo, metavar="30elo", help="play until the Elo difference is known to ± 30"
    )
    rules.add_argument(
        "--sprt",
        type=span,
        metavar="0,30",
        help="play until a sequential test decides between these two Elo differences",
    )
    return parser


def check(parser: Parser, options: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    if options.positions is not None:
        for name in ("against", "until_interval", "sprt", "games", "openings", "save_games", "seat"):
            if getattr(options, name) is not None:
                parser.error(f"--{name.replace('_', '-')} is for games, --positions plays none")
    elif options.save_positions is not None:
        parser.error("--save-positions writes the positions of --positions all or fresh:N")
    if options.calibration:
        for name in ("positions", "against", "until_interval", "sprt", "openings", "save_games", "seat", "sweep"):
            if getattr(options, name) is not None:
                parser.error(f"--calibration plays as a run learns; it takes no --{name.replace('_', '-')}")
        if options.actors:
            parser.error("--calibration plays in this process; it takes no --actors")
    if options.against == "all":
        for name in ("until_interval", "sprt", "games", "openings", "save_games", "actors"):
            if getattr(options, name):
                parser.error(f"--{name.replace('_', '-')} is for matches; --against all plays every line once")
    if options.sweep and options.simulations is not None:
        parser.error("--sweep and --simulations both say how many simulations; give one")
    if options.ray_address and not options.actors:
        parser.error("--ray-address needs --actors N: how many processes are to play")
    if options.seat is not None and "human" not in (options.against, *options.players):
        parser.error("--seat is the seat of a person; play with --against human")


def names(options: argparse.Namespace) -> list[tuple[str, int | None]]:
    """Names of players to evaluate, each with the number of simulations that a sweep gives it."""
    from muzero.config import ConfigError
    from muzero.players.registry import is_player
    from muzero.runs.folder import run_of

    found: list[tuple[str, int | None]] = []
    for name in options.players:
        player = is_player(name)
        if options.checkpoint and not player and run_of(Path(name)) == Path(name):
            name = f"{name}:{options.checkpoint}"
        if options.sweep is None:
            found.append((name, None))
        elif player or "@" in name:
            raise ConfigError([f"--sweep simulations=...: {name} is not a run that could search more or less"])
        else:
            found += [(f"{name}@{number}", number) for number in options.sweep]
    return found


main = guarded(evaluate_command)

"""The options of muzero-train, and the layers of settings that they make."""

from __future__ import annotations

import argparse
from pathlib import Path

from muzero.cli.parser import Parser, duration, number
from muzero.cli.presets import settings_from
from muzero.config import Layer, parse_settings


def train_parser() -> Parser:
    """The parser of muzero-train: the run, its actors, its settings, and how it is resumed."""
    parser = Parser(prog="muzero-train", description="Learn to play a game by planning in a learned model of it.")
    _add_run(parser)
    _add_actors(parser)
    _add_settings(parser)
    _add_resume(parser)
    parser.add_argument(
        "--no-probe",
        action="store_true",
        help="take the usual network, ranges and discount, and do not play the game before the run to choose them",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the plan of a run: settings with their reasons, speed, memory and time; nothing is trained",
    )
    parser.add_argument(
        "--explain",
        nargs="?",
        const="",
        metavar="KEY",
        help="explain a setting, such as planner.simulations, or list all of them",
    )
    return parser


def _add_run(parser: Parser) -> None:
    parser.add_argument(
        "--game", help="what to learn: board/tic_tac_toe, gym/CartPole-v1, atari/pong, ...; muzero-games lists them"
    )
    parser.add_argument(
        "--data",
        metavar="RUN|minari:ID|FILE",
        help="learn from recorded experience, without playing: of a run, a Minari data set, or a .npz file",
    )
    parser.add_argument("--updates", type=number, metavar="N", help="length of a run that learns from --data")
    parser.add_argument("--steps", type=number, metavar="N", help="length of the whole run, in environment steps")
    parser.add_argument(
        "--time",
        type=duration,
        metavar="TIME",
        help="end training after this time: 90s, 20m, 1h30m; the evaluation after it takes at most a tenth more, or 1m",
    )
    parser.add_argument("--seed", type=number, metavar="N", help="seed of all random numbers of the run (default 0)")
    parser.add_argument(
        "--run", type=Path, metavar="RUN", help="folder of the run (default runs/<game>/<time>-s<seed>)"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], help="where the network learns (default auto)")
    parser.add_argument("--view", action="store_true", help="show the run as a dashboard on the whole terminal")


def _add_actors(parser: Parser) -> None:
    parser.add_argument("--actors", type=actors, metavar="N|auto", help="play in N processes; auto: one per core")
    parser.add_argument("--actor-cpus", type=float, metavar="N", help="cores for each actor (default 1)")
    parser.add_argument("--actor-gpus", type=float, metavar="N", help="GPUs for each actor; a fraction shares one")
    parser.add_argument("--actor-games", type=number, metavar="N", help="games that each actor plays side by side")
    parser.add_argument("--ray-address", metavar="HOST:PORT", help="use a Ray cluster that is already running")
    parser.add_argument("--insecure", action="store_true", help="accept a cluster that asks for no token")


def _add_settings(parser: Parser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="read settings from a TOML file, or those shipped for a device: gpu/pong, laptop/pong, or any Atari game",
    )
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE", help="change one setting")


def _add_resume(parser: Parser) -> None:
    parser.add_argument("--resume", type=Path, metavar="RUN|latest", help="resume a run; latest: the newest in runs/")
    parser.add_argument(
        "--override", action="store_true", help="change settings of a resumed run that are fixed otherwise"
    )
    parser.add_argument(
        "--weights-only", action="store_true", help="resume from the weights alone, without the stored games"
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="let the settings of a resumed run execute code: only for runs of authors you trust",
    )


def actors(text: str) -> int:
    """Parse a number of actors, or "auto", which is -1."""
    if text == "auto":
        return -1
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of actors; expected 0, 1, 2, ... or auto")


def command_line(options: argparse.Namespace) -> list[Layer]:
    """The layers that the options of muzero-train make, the last one first in force."""
    count = options.actors
    if options.ray_address and count is None:
        count = actors("auto")
    flags = [
        ("--actors", "actors", "count", count),
        ("--ray-address", "actors", "address", options.ray_address),
        ("--insecure", "actors", "insecure", options.insecure or None),
        ("--actor-cpus", "actors", "cpus", options.actor_cpus),
        ("--actor-gpus", "actors", "gpus", options.actor_gpus),
        ("--actor-games", "run", "games", options.actor_games),
        ("--data", "run", "data", options.data),
        ("--updates", "run", "updates", options.updates),
        ("--steps", "run", "steps", options.steps),
        ("--time", "run", "seconds", options.time),
        ("--seed", "run", "seed", options.seed),
        ("--device", "run", "device", options.device),
    ]
    layers = [*map(settings_from, options.config), parse_settings(options.set)]
    return layers + [Layer(flag, {table: {key: value}}) for flag, table, key, value in flags if value is not None]

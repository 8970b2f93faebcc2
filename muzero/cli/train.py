"""muzero-train."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from muzero.cli.exits import guarded
from muzero.cli.parser import Parser, duration
from muzero.cli.tables import show_results, terminal
from muzero.config import Config, ConfigError, Layer, merge, parse_settings, read_layer
from muzero.runs.folder import newest_run, note, record, run_folder

# What may differ when a run is resumed: none of it changes what was learned so far.
CHANGEABLE = (
    "actors",
    "run.steps",
    "run.seconds",
    "run.device",
    "run.threads",
    "run.save_every",
    "run.keep",
    "run.keep_every",
    "run.failed_saves",
    "run.evaluate_every",
    "run.evaluation_games",
    "run.opponent",
)


def train_command(arguments: Sequence[str] | None = None) -> int:
    """muzero-train."""
    parser = Parser(prog="muzero-train", description="Learn to play a game by planning in a learned model of it.")
    parser.add_argument("--game", help="what to learn: board/tic_tac_toe, gym/CartPole-v1, atari/pong, ...")
    parser.add_argument("--steps", type=int, help="environment steps of the whole run")
    parser.add_argument("--time", type=duration, help="end after this long: 90s, 20m, 1h30m")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--run", type=Path, help="the run's folder (default runs/<game>/<time>-s<seed>)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--actors", type=actors, metavar="N|auto", help="play in N processes, or one per core")
    parser.add_argument("--actor-cpus", type=float, metavar="N", help="cores for each actor (default 1)")
    parser.add_argument("--actor-gpus", type=float, metavar="N", help="GPUs for each actor; a fraction shares one")
    parser.add_argument("--actor-games", type=int, metavar="N", help="games side by side in each actor")
    parser.add_argument("--ray-address", metavar="HOST:PORT", help="use a Ray cluster that runs already")
    parser.add_argument("--insecure", action="store_true", help="use a cluster that asks for no token")
    parser.add_argument("--config", type=Path, action="append", default=[], help="a TOML file of settings")
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE", help="one setting")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with a run; latest: with the newest in runs/")
    parser.add_argument("--override", action="store_true", help="let a resumed run change any setting")
    options = parser.parse_args(arguments)
    if options.resume is None and options.game is None:
        parser.error("say what to learn: --game board/tic_tac_toe (muzero-games lists what can be played)")
    if options.override and options.resume is None:
        parser.error("--override is for a run that is resumed")
    if options.resume is None:
        return learn(*begun(options))
    return learn(*resumed(options))


def actors(text: str) -> int:
    """ "auto" or a number."""
    if text == "auto":
        return -1
    if text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of actors; expected 0, 1, 2, ... or auto")


def command_line(options: argparse.Namespace) -> list[Layer]:
    """The layers that the options of muzero-train make."""
    flags = {"steps": options.steps, "seconds": options.time, "seed": options.seed, "device": options.device}
    layers = [read_layer(path) for path in options.config]
    layers.append(parse_settings(options.set))
    named = {"seconds": "--time"}
    pool = {"count": options.actors, "address": options.ray_address, "insecure": options.insecure or None}
    pool |= {"cpus": options.actor_cpus, "gpus": options.actor_gpus}
    if options.ray_address and options.actors is None:
        pool["count"] = actors("auto")
    flags_of = {"count": "--actors", "address": "--ray-address", "insecure": "--insecure"}
    layers += [
        Layer(flags_of.get(key, f"--actor-{key}"), {"actors": {key: value}})
        for key, value in pool.items()
        if value is not None
    ]
    if options.actor_games is not None:
        layers.append(Layer("--actor-games", {"run": {"games": options.actor_games}}))
    layers += [
        Layer(named.get(key, f"--{key}"), {"run": {key: value}}) for key, value in flags.items() if value is not None
    ]
    return layers


def begun(options: argparse.Namespace) -> tuple[Config, Path]:
    """Configuration and folder of a new run."""
    from muzero import build

    config = build.configure(options.game, command_line(options))
    game, seed = (config.table("run")[key] for key in ("game", "seed"))
    if game != options.game:
        terminal().print(f"{options.game} is {game}, its newest version", highlight=False, soft_wrap=True)
    folder = options.run or run_folder(game, seed, time.localtime())
    if (folder / "config.toml").exists():
        raise ConfigError([f"{folder} holds a run already; go on with it: muzero-train --resume {folder}"])
    return config, folder


def resumed(options: argparse.Namespace) -> tuple[Config, Path, list[str]]:
    """Configuration and folder of a run that goes on, and what is changed of it against the rules."""
    from muzero import build
    from muzero.games.registry import resolve

    folder = newest_run(Path("runs")) if options.resume == Path("latest") else options.resume
    if not (folder / "config.toml").is_file():
        raise ConfigError([f"--resume {folder}: that is no run, it has no config.toml"])
    base = read_layer(folder / "config.toml")
    before = merge([base], build.SCHEMA)
    game = before.table("run")["game"]
    if options.game is not None and resolve(options.game) != game != options.game:
        raise ConfigError([f"--resume {folder} is a run of {game}, not of {options.game}"])
    config = merge([base, *command_line(options)], build.SCHEMA)
    changed = config.difference(before, CHANGEABLE)
    if changed and not options.override:
        rule = f"a resumed run can change only {', '.join(CHANGEABLE)}; others with --override, which is noted"
        raise ConfigError([*changed, rule])
    return config, folder, changed


def learn(config: Config, folder: Path, changed: list[str] | None = None) -> int:
    """Train, evaluate, and say where everything is.  changed: settings of a resumed run that --override let through."""
    from muzero.runs.folder import owned
    from muzero.training.loop import Training

    training = Training(config, folder)  # first: where the configuration does not work, nothing is left behind
    try:
        with owned(folder):
            if changed is None and (folder / "config.toml").exists():
                raise ConfigError([f"{folder} holds a run already; go on with it: muzero-train --resume {folder}"])
            training.open()
            return train(training, folder, config, changed)
    finally:
        training.close()


def train(training: Any, folder: Path, config: Config, changed: list[str] | None) -> int:
    """The part of `learn` in which the folder is held."""
    from muzero.actors.tasks import LostCluster
    from muzero.evaluation.in_training import Stopped, write_results
    from muzero.interfaces import EnvironmentFault
    from muzero.training.progress import Progress
    from muzero.util.files import replace

    console, go_on_with = terminal(), f"saved; go on with: muzero-train --resume {folder}"
    if changed is not None:
        go_on(training, folder, console)
        note(folder, training.replay.steps, changed)
    weights = sum(parameter.numel() for parameter in training.learner.model.parameters())
    console.print(f"{training.spec.name}: {weights:,} weights on {training.device}, run in {folder}", highlight=False)
    for text in training.spec.notes:
        console.print(text, highlight=False, soft_wrap=True)
    replace(folder / "config.toml", config.to_toml())
    record(folder, training.replay.steps)
    if training.replay.steps == 0:
        training.save(wait=True)
    progress = Progress(folder, console)
    try:
        stopped = training.run(progress)
    except (EnvironmentFault, LostCluster):
        console.print(go_on_with, soft_wrap=True, highlight=False)
        raise
    finally:
        progress.close(training.status())
    if stopped is not None:
        console.print(go_on_with, soft_wrap=True, highlight=False)
        return 128 + stopped
    try:
        results = training.evaluate(training.settings.evaluation_games, progress)
    except Stopped as error:
        hint = f"evaluate it: muzero-eval {folder} --against {opponents(training.spec)}"
        console.print(
            f"the evaluation was stopped ({error}); the run is saved; {hint}", soft_wrap=True, highlight=False
        )
        return 128 + (training.stop.number or 0)
    write_results(folder, results, training.spec.two_player)
    show_results(console, results, training.spec.two_player)
    console.print(
        f"evaluate it: muzero-eval {folder} --against {opponents(training.spec)}", soft_wrap=True, highlight=False
    )
    return 0


def go_on(training: Any, folder: Path, console: Any) -> None:
    """Take up the newest checkpoint; a run that was killed before its first one begins anew."""
    checkpoints = folder / "checkpoints"
    if not any(checkpoints.glob("step-*")) and training.experience.empty:
        console.print(f"{folder} was stopped before anything was saved: it begins anew", highlight=False)
        return
    for warning in training.restore():
        console.print(f"warning: {warning}", style="yellow", highlight=False, soft_wrap=True)
    console.print(f"resuming {folder} at {training.replay.steps:,} steps", highlight=False)


def opponents(spec: Any) -> str:
    """Something to evaluate a game against."""
    if not spec.two_player:
        return "none"
    return "minimax" if spec.max_steps and spec.max_steps <= 9 else "random"


main = guarded(train_command)

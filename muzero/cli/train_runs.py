"""What the options of muzero-train ask for: the settings and the folder of a new run, or of one that is resumed."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from muzero.cli.presets import with_device
from muzero.cli.train_options import command_line
from muzero.config import Config, ConfigError, Layer, merge, read_layer
from muzero.config.schema import written
from muzero.util.text import shell_word

# What may differ when a run is resumed: none of it changes what was learned so far.
CHANGEABLE = (
    "actors",
    "run.steps",
    "run.updates",
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


def configured(options: argparse.Namespace) -> tuple[Config, list[str]]:
    """The settings that the options make, of a run, of a game, or without either; and why a run is refused with them.

    Nothing is executed of a run's.
    """
    from muzero import build

    if options.resume is not None:
        return merge([settings_of(run_of(options)), *command_line(options)], build.SCHEMA), []
    if options.game is None:
        return merge(command_line(options), build.SCHEMA), []
    layers, _ = with_device(options.game, command_line(options))
    config = build.configure(options.game, layers, checked=False, probed=not options.no_probe)
    try:
        build.check(config, build.spec(config))
    except ConfigError as error:
        return config, error.problems
    return config, []


def new(options: argparse.Namespace) -> tuple[Config, list[str]]:
    """The settings of a new run, and what the user should know of them."""
    from muzero import build
    from muzero.trials.following import summary

    layers, notes = with_device(options.game, command_line(options))
    config = build.configure(options.game, layers, probed=not options.no_probe)
    game = config.table("run")["game"]
    renamed = [f"{options.game} is {game}, its newest version"] if game != options.game else []
    return config, notes + renamed + summary(config)


def begun(options: argparse.Namespace) -> tuple[Config, Path, None]:
    """Configuration and folder of a new run."""
    from muzero.cli.tables import say, terminal
    from muzero.learning import parallel
    from muzero.runs.folder import RunFolder, run_folder
    from muzero.runs.saving import free

    config, notes = new(options)
    for note in notes:
        say(terminal(), note)
    game, seed = (config.table("run")[key] for key in ("game", "seed"))
    if options.run is None and parallel.number() > 1:
        raise ConfigError(["several learners share one folder, so name it: --run FOLDER"])
    named = run_folder(game, seed, time.localtime())
    folder = options.run or free(named.parent, named.name)  # another run may have begun in the same second
    if RunFolder(folder).exists:
        raise ConfigError([exists(folder)])
    return config, folder, None


def exists(folder: Path) -> str:
    """What is wrong if a new run is to use the folder of another."""
    return f"{folder} already contains a run; resume it with: muzero-train --resume {shell_word(folder)}"


def resumed(options: argparse.Namespace) -> tuple[Config, Path, list[str]]:
    """Configuration and folder of a run that is resumed, and the settings that --override lets it change."""
    from muzero import build
    from muzero.games.registry import resolve
    from muzero.runs.folder import RunFolder
    from muzero.runs.trust import ALL, GAME, require_trust
    from muzero.runs.zoo import is_agent

    folder = run_of(options)
    base, given = settings_of(folder), command_line(options)
    before = merge([base], build.SCHEMA)
    game = before.table("run")["game"]
    if is_agent(folder):
        again = f"muzero-train --game {shell_word(game)} --config {shell_word(RunFolder(folder).config)}"
        raise ConfigError(
            [f"{folder} is a trained agent, which has the weights alone; learn from scratch with: {again}"]
        )
    if options.game is not None and resolve(options.game) != game != options.game:
        raise ConfigError([f"--resume {folder} is a run of {game}, not of {options.game}"])
    config = merge([base, *given], build.SCHEMA)
    if not options.trust:
        mine = {f"{table}.{key}" for layer in given for table, keys in layer.tables.items() for key in keys}
        mine |= set(GAME if options.game else ())
        remedy = "resume it with --trust, or give these settings on the command line (--game, --set)"
        require_trust(config, folder, remedy, set(ALL) - mine)
    if config.table("run")["data"] != (was := before.table("run")["data"]):
        what = f"[run] data = {written(was)}" if was else "a run that plays"
        rule = f"and a resumed run keeps that; begin another run with: muzero-train --data {shell_word(folder)}"
        raise ConfigError([f"{folder} is {what}, {rule}"])
    changed = config.difference(before, CHANGEABLE)
    if changed and not options.override:
        rule = f"a resumed run can change only {', '.join(CHANGEABLE)}; "
        rule += "use --override to change others (recorded in changes.jsonl)"
        raise ConfigError([*changed, rule])
    return config, folder, changed


def run_of(options: argparse.Namespace) -> Path:
    """The folder of the run to resume."""
    from muzero.runs.folder import newest_run
    from muzero.runs.zoo import located

    return newest_run(Path("runs")) if options.resume == Path("latest") else located(options.resume)


def settings_of(folder: Path) -> Layer:
    """The settings that a run's folder holds."""
    from muzero.runs.folder import RunFolder, require_run

    require_run(folder)
    return read_layer(RunFolder(folder).config)

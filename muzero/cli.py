"""The commands: muzero-train, muzero-eval, muzero-games."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from muzero.config import Config, ConfigError, Layer, merge, parse_settings, read_layer
from muzero.interfaces import EnvironmentFault
from muzero.spelling import nearest

BAD_USAGE, BAD_CHECKPOINT, BAD_ENVIRONMENT = 2, 3, 4  # exit codes
# What may differ when a run is resumed: none of it changes what was learned so far.
CHANGEABLE = (
    "run.steps",
    "run.seconds",
    "run.device",
    "run.threads",
    "run.save_every",
    "run.evaluate_every",
    "run.evaluation_games",
)


class Parser(argparse.ArgumentParser):
    """Names the nearest option where one is misspelt, and takes no abbreviations."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def parse_args(self, *args: Any, **keywords: Any) -> argparse.Namespace:  # type: ignore[override]
        """As argparse does it, but for unknown options."""
        parsed, unknown = self.parse_known_args(*args, **keywords)
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            close = nearest(unknown[0].split("=")[0], options)
            self.error(f"no option {unknown[0]}" + (f"; did you mean {close[0]}?" if close else ""))
        return parsed

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how to get help."""
        sys.stderr.write(f"{self.prog}: {message}\n({self.prog} --help lists the options)\n")
        sys.exit(BAD_USAGE)


def duration(text: str) -> float:
    """ "90", "90s", "20m", "1.5h", "1h30m" -> seconds."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", text)
    if not text or not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; expected something like 90s, 20m or 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def guarded(command: Callable[[Sequence[str] | None], int]) -> Callable[[], NoReturn]:
    """Turn what can go wrong for a user into a message and an exit code."""

    def run() -> NoReturn:
        from muzero.checkpoint import CheckpointError
        from muzero.games.batched import MissingExtra, UnknownGame

        try:
            code = command(None)
        except (ConfigError, UnknownGame, MissingExtra) as error:
            code = fail(error, BAD_USAGE)
        except CheckpointError as error:
            code = fail(error, BAD_CHECKPOINT)
        except EnvironmentFault as error:
            code = fail(error, BAD_ENVIRONMENT)
        except OSError as error:
            code = fail(error, 1)
        except KeyboardInterrupt:
            code = 130
        sys.exit(code)

    return run


def fail(error: Exception, code: int) -> int:
    """Print an error for a person."""
    sys.stderr.write(f"\nerror: {error}\n")
    return code


# --- muzero-train --------------------------------------------------------------------------------------------------


def train_command(arguments: Sequence[str] | None = None) -> int:
    """muzero-train."""
    parser = Parser(prog="muzero-train", description="Learn to play a game by planning in a learned model of it.")
    parser.add_argument("--game", help="what to learn: board/tic_tac_toe, gym/CartPole-v1, atari/pong, ...")
    parser.add_argument("--steps", type=int, help="environment steps of the whole run")
    parser.add_argument("--time", type=duration, help="end after this long: 90s, 20m, 1h30m")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--run", type=Path, help="the run's folder (default runs/<game>/<time>-s<seed>)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--config", type=Path, action="append", default=[], help="a TOML file of settings")
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE", help="one setting")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with a run")
    options = parser.parse_args(arguments)
    if options.resume is None and options.game is None:
        parser.error("say what to learn: --game board/tic_tac_toe (muzero-games lists what can be played)")
    config, folder = resumed(options) if options.resume else begun(options)
    return learn(config, folder, bool(options.resume))


def command_line(options: argparse.Namespace) -> list[Layer]:
    """The layers that the options of muzero-train make."""
    flags = {"steps": options.steps, "seconds": options.time, "seed": options.seed, "device": options.device}
    layers = [read_layer(path) for path in options.config]
    layers.append(parse_settings(options.set))
    named = {"seconds": "--time"}
    layers += [
        Layer(named.get(key, f"--{key}"), {"run": {key: value}}) for key, value in flags.items() if value is not None
    ]
    return layers


def begun(options: argparse.Namespace) -> tuple[Config, Path]:
    """Configuration and folder of a new run."""
    from muzero import build

    config = build.configure(options.game, command_line(options))
    seed = config.table("run")["seed"]
    name = re.sub(r"[^A-Za-z0-9._/-]", "_", options.game).replace("..", "_")
    folder = options.run or Path("runs") / name / f"{time.strftime('%Y%m%d-%H%M%S')}-s{seed}"
    if (folder / "config.toml").exists():
        raise ConfigError([f"{folder} holds a run already; go on with it: muzero-train --resume {folder}"])
    return config, folder


def resumed(options: argparse.Namespace) -> tuple[Config, Path]:
    """Configuration and folder of a run that goes on."""
    from muzero import build

    folder = options.resume
    if not (folder / "config.toml").is_file():
        raise ConfigError([f"--resume {folder}: that is no run, it has no config.toml"])
    base = read_layer(folder / "config.toml")
    before = merge([base], build.SCHEMA)
    game = before.table("run")["game"]
    if options.game not in (None, game):
        raise ConfigError([f"--resume {folder} is a run of {game}, not of {options.game}"])
    config = merge([base, *command_line(options)], build.SCHEMA)
    changed = config.difference(before, CHANGEABLE)
    if changed:
        raise ConfigError([*changed, f"a resumed run can change only {', '.join(CHANGEABLE)}"])
    return config, folder


def learn(config: Config, folder: Path, resume: bool) -> int:
    """Train, evaluate, and say where everything is."""
    from muzero import checkpoint
    from muzero.progress import Progress
    from muzero.train import Training, write_results

    console = Console()
    training = Training(config, folder)
    if resume:
        found, problems = checkpoint.latest(folder / "checkpoints")
        for problem in problems:
            console.print(f"warning: {problem}; going back to {found.path.name}", style="yellow")
        training.restore(found)
        console.print(f"resuming {folder} at {training.replay.steps:,} steps", highlight=False)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(config.to_toml())
    weights = sum(parameter.numel() for parameter in training.learner.model.parameters())
    console.print(f"{training.spec.name}: {weights:,} weights on {training.device}, run in {folder}", highlight=False)
    progress = Progress(folder, console)
    try:
        stopped = training.run(progress)
    finally:
        progress.close(training)
    if stopped is not None:
        console.print(f"saved; go on with: muzero-train --resume {folder}", soft_wrap=True, highlight=False)
        return 128 + stopped
    results = training.evaluate(training.settings.evaluation_games)
    write_results(folder, results, training.spec.two_player)
    show_results(console, results, training.spec.two_player)
    console.print(
        f"evaluate it: muzero-eval {folder} --against {opponents(training.spec)}", soft_wrap=True, highlight=False
    )
    return 0


def opponents(spec: Any) -> str:
    """Something to evaluate a game against."""
    if not spec.two_player:
        return "none"
    return "minimax" if spec.max_steps and spec.max_steps <= 9 else "random"


def show_results(console: Console, results: dict[str, Any], two_player: bool) -> None:
    """A table of evaluations."""
    table = Table(title="evaluation, greedy")
    names = ["games", "mean", "95 % interval"] + (["wins", "draws", "losses"] if two_player else ["min", "max"])
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    for name, summary in results.items():
        report = summary.report(two_player)
        low, high = report["interval_95"]
        rest = [report["wins"], report["draws"], report["losses"]] if two_player else [report["min"], report["max"]]
        cells = [report["games"], f"{report['mean']:.2f}", f"{low:.2f} to {high:.2f}", *rest]
        table.add_row(name, *(f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in cells))
    console.print(table)


# --- muzero-eval ---------------------------------------------------------------------------------------------------


def evaluate_command(arguments: Sequence[str] | None = None) -> int:
    """muzero-eval."""
    parser = Parser(prog="muzero-eval", description="Play a trained run, greedily, and count.")
    parser.add_argument("run", type=Path, help="a run's folder, or one of its checkpoints")
    parser.add_argument("--against", required=True, help="random, minimax (small board games) or none (single agent)")
    parser.add_argument("--games", type=int, default=100)
    parser.add_argument("--simulations", type=int, help="per move (default: as trained)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args(arguments)
    if options.games < 1:
        parser.error(f"--games {options.games}; expected at least 1")
    from muzero import build, evaluate
    from muzero.agent import Agent

    opponent = None if options.against == "none" else build.player(options.against, options.seed)
    agent = Agent.load(options.run, options.simulations)
    if agent.spec.two_player != (opponent is not None):
        expected = "random or minimax" if agent.spec.two_player else "none: it has a single agent"
        raise ConfigError([f"--against {options.against}: {agent.spec.name} is played against {expected}"])
    games = build.games(agent.config, min(options.games, 100), training=False)
    summary = evaluate.Summary(evaluate.play(games, agent.player, opponent, options.games, options.seed))
    console = Console()
    title = f"step {agent.step:,}" + ("" if opponent is None else f" against {options.against}")
    show_results(console, {title: summary}, agent.spec.two_player)
    report = {"run": str(options.run), "game": agent.spec.name, "step": agent.step, "against": options.against}
    report |= {"seed": options.seed, **summary.report(agent.spec.two_player)}
    if isinstance(opponent, evaluate.MinimaxPlayer):
        report |= quality(agent, opponent, games, console)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    return 0


def quality(agent: Any, oracle: Any, games: Any, console: Console) -> dict[str, int]:
    """How many positions of a small game the agent plays optimally."""
    from muzero.agent import view
    from muzero.evaluate import move_quality

    start = games.states[0].get_game().new_initial_state()
    right, count = move_quality(agent.player, oracle, start, view)
    console.print(f"optimal choice in {right:,} of {count:,} positions ({right / count:.2%})", highlight=False)
    return {"positions": count, "optimal": right}


# --- muzero-games --------------------------------------------------------------------------------------------------


def games_command(arguments: Sequence[str] | None = None) -> int:
    """muzero-games."""
    parser = Parser(prog="muzero-games", description="List what can be played here.")
    parser.add_argument("words", nargs="*", help="show only names that contain one of these")
    options = parser.parse_args(arguments)
    from muzero import build

    for kind, names in build.playable().items():
        if isinstance(names, str):
            print(f"{kind}/...  {names}")
            continue
        for name in names:
            line = f"{kind}/{name}"
            if not options.words or any(word in line for word in options.words):
                print(line)
    return 0


train = guarded(train_command)
evaluate = guarded(evaluate_command)
games = guarded(games_command)

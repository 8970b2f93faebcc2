"""muzero-train."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from muzero.cli.exits import guarded
from muzero.cli.showing import progress_of
from muzero.cli.train_options import train_parser
from muzero.cli.train_runs import begun, configured, exists, new, resumed
from muzero.config import Config, ConfigError
from muzero.util.text import shell_word

if TYPE_CHECKING:
    from rich.console import Console

    from muzero.training.loop import Training

SMALL = 9  # moves of a game that minimax solves at once


def train_command(arguments: Sequence[str] | None = None) -> int:
    """Learn a game, resume a run, or explain settings."""
    parser = train_parser()
    options = parser.parse_args(arguments)
    if options.explain is not None:
        from muzero.cli.explain import explain

        return explain(options.explain, *configured(options))
    if options.resume is None and options.game is None:
        parser.error("say what to learn: --game board/tic_tac_toe (muzero-games lists what can be played)")
    for name in ("override", "weights_only", "trust"):
        if getattr(options, name) and options.resume is None:
            parser.error(f"--{name.replace('_', '-')} is for a run that is resumed")
    if options.dry_run:
        if options.resume is not None:
            parser.error("--dry-run is for a new run; a resumed one has its settings: --resume RUN --explain")
        return planned(options, parser.words)
    if options.resume is None:
        return learn(*begun(options), view=options.view)
    return learn(*resumed(options), options.weights_only, options.view)


def planned(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Print the plan of a new run.  words: of the command."""
    from muzero.cli.dry_run import dry_run

    return dry_run(*new(options), [word for word in words if word != "--dry-run"])


def learn(
    config: Config, folder: Path, changed: list[str] | None, weights_only: bool = False, view: bool = False
) -> int:
    """Train, evaluate, and say where everything is.

    Args:
        config: of the run.
        folder: of the run.
        changed: the settings that --override changes of a resumed run; None: a new run.
        weights_only: resume without the log of experience.
        view: show a dashboard.
    """
    from muzero.runs.folder import RunFolder, owned
    from muzero.training.loop import Training

    training = Training(config, folder)  # first: where the configuration does not work, nothing is left behind
    try:
        with owned(training.folder):
            if changed is None and RunFolder(training.folder).exists:
                raise ConfigError([exists(folder)])
            training.open(weights_only)
            return train(training, changed, view)
    finally:
        training.close()


def train(training: Training, changed: list[str] | None, view: bool = False) -> int:
    """The part of `learn` in which the folder is held."""
    from rich.console import Console

    from muzero.actors.tasks import LostCluster
    from muzero.cli.tables import say, show_results, terminal
    from muzero.evaluation.in_training import Stopped, write_results
    from muzero.interfaces import EnvironmentFault
    from muzero.runs.folder import RunFolder

    leads, folder = training.learners.leads, training.folder
    console = terminal() if leads else Console(quiet=True)
    if changed is not None:
        restore(training, console)
        if training.finished and RunFolder(training.whole).evaluation.exists():
            say(console, finished_hint(training))
            return 0
        if training.steps:
            say(console, f"resuming {training.given} at {training.steps:,} {training.settings.unit}")
        if training.finished:
            say(console, f"{finished_hint(training)}; now it is evaluated")
    announce(training, changed, console)
    progress = progress_of(training, console, view)
    try:
        stopped = training.run(progress)
    except LostCluster:
        say(console, f"saved; {resume_hint(training)}")
        raise
    except EnvironmentFault:
        if training.learners.alone and training.scores.score is not None:  # else the environment may never have worked
            say(console, f"saved; when the environment is mended, {resume_hint(training)}")
        raise
    finally:
        progress.close(training.status())
    if stopped is not None:
        say(console, f"saved; {resume_hint(training)}")
        return 128 + stopped
    if not leads:
        return 0
    try:
        results = training.evaluate(training.settings.evaluation_games, progress)
    except EnvironmentFault as fault:
        if not training.settings.data:
            raise
        say(console, f"not evaluated, because the game cannot be played here: {fault}")
        return 0
    except Stopped as error:
        say(console, f"the evaluation was stopped ({error}); the run is saved; {evaluation_hint(training)}")
        return 0 if training.stop.number is None else 128 + training.stop.number
    write_results(folder, results, training.spec.two_player)
    show_results(console, results, training.spec.name, training.spec.two_player)
    say(console, evaluation_hint(training))
    return 0


def announce(training: Training, changed: list[str] | None, console: Console) -> None:
    """Note in the folder of a run what begins, and say so."""
    from muzero.cli.tables import say
    from muzero.runs.folder import RunFolder, note, record
    from muzero.util.files import replace

    folder = training.folder
    if changed is not None:
        note(folder, training.steps, changed)
    weights = sum(parameter.numel() for parameter in training.learner.model.parameters())
    where = f"{weights:,} weights on {training.device}, run in {training.given}"
    say(console, f"{training.spec.name}: {where}")
    for text in (*training.spec.notes, *training.notes):
        say(console, text)
    if training.learners.leads:
        replace(RunFolder(folder).config, training.config.to_toml())
        record(folder, training.steps)
    if training.steps == 0:
        training.save(wait=True)


def restore(training: Training, console: Console) -> None:
    """Load the newest checkpoint; a run that was killed before its first one begins from scratch."""
    from muzero.cli.tables import say
    from muzero.runs import checkpoint
    from muzero.runs.folder import RunFolder

    if not checkpoint.listed(RunFolder(training.folder).checkpoints) and training.experience.empty:
        say(console, f"{training.given} was stopped before anything was saved: it begins from scratch")
        return
    for warning in training.restore():
        say(console, f"warning: {warning}", style="yellow")


def finished_hint(training: Training) -> str:
    """How to train a finished run further."""
    steps, command, unit = training.steps, resume_command(training), training.settings.unit
    if training.ending.timed_out:
        seconds = math.ceil(training.settings.seconds or 0)
        used = f"{training.given} has used up its {seconds:,} seconds, at {steps:,} {unit}"
        longer = 2 * seconds
        if longer <= training.ending.together.seconds:  # a run that was resumed with less time than it had used
            longer = 2 * math.ceil(training.ending.together.seconds)
        return f"{used}; to continue, give it a longer --time: {command} --time {longer}s"
    end = f"{training.given} finished at {steps:,} {unit}"
    return f"{end}; to continue, give it a larger number of --{unit}: {command} --{unit} {2 * steps}"


def resume_hint(training: Training) -> str:
    """How to resume a run, in words."""
    return f"resume it with: {resume_command(training)}"


def resume_command(training: Training) -> str:
    """The command that resumes a run: with --trust, where its own settings execute code."""
    from muzero.runs.trust import dangers

    size = training.learners.size
    program = "muzero-train" if size == 1 else f"torchrun --nproc-per-node={size} --no-python -- muzero-train"
    return f"{program} --resume {shell_word(training.given)}" + (" --trust" if dangers(training.config) else "")


def evaluation_hint(training: Training) -> str:
    """How to evaluate a run."""
    from muzero.runs.trust import GAME, dangers

    spec = training.spec
    trust = " --trust" if dangers(training.config, GAME) else ""
    opponent = "minimax" if spec.max_steps and spec.max_steps <= SMALL else "random"
    against = f" --against {opponent}" if spec.two_player else ""
    return f"evaluate it: muzero-eval {shell_word(training.given)}{against}{trust}"


main = guarded(train_command)

"""Runs in child processes that are made to die, and what they left."""

import hashlib
import json
import os
import signal
import sys
import traceback

import numpy as np
from rich.console import Console

from muzero import build
from muzero.cli import train
from muzero.config import parse_settings
from muzero.learning.learner import Learner
from muzero.runs import checkpoint
from muzero.runs.folder import owned
from muzero.training.loop import Training
from muzero.training.progress import Progress
from muzero.util import failpoints

TINY = [
    "run.steps=600",
    "run.start=100",
    "run.games=4",
    "run.evaluation_games=4",
    "run.evaluate_every=0",
    "run.save_every=120",
    "run.updates_per_step=0.1",
    "model.width=16",
    "model.hidden=16",
    "objective.projection=16",
    "learner.batch=16",
    "planner.simulations=4",
    "replay.capacity=500",
]


LIMIT = 300  # seconds after which a child counts as hanging


def in_child(function, armed="", kill_after=None):
    """Call a function in a forked process.  Returns its exit code, negative for the signal that ended it.

    armed: failpoints.  kill_after: seconds until the system kills it, wherever it is; None: `LIMIT`.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            failpoints.ARMED, failpoints.reached = failpoints.armed(armed), {}
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, kill_after or LIMIT)
            function()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def made(folder, game, *settings):
    """A run whose folder is open."""
    training = unopened(folder, game, *settings)
    training.open()
    return training


def unopened(folder, game, *settings):
    other = any(setting.startswith("planner.kind") for setting in settings)  # a planner without simulations
    tiny = [setting for setting in TINY if not (other and setting.startswith("planner."))]
    return Training(build.configure(game, [parse_settings([*tiny, *settings])]), folder)


def trained(folder, game, *settings):
    """A short run that has ended."""
    training = made(folder, game, *settings)
    training.save(wait=True)
    progress = Progress(folder, Console(quiet=True))
    training.run(progress)
    progress.close(training.status())
    training.close()
    return training


def go(folder, game, *settings, console=None):
    """What muzero-train does, without the evaluation at the end: begins a run, or resumes it."""
    training = unopened(folder, game, *settings)
    console = console or Console(quiet=True)
    with owned(folder):
        training.open()
        if (folder / "config.toml").exists():
            train.restore(training, console)
        (folder / "config.toml").write_text(training.config.to_toml())
        if training.replay.steps == 0:
            training.save(wait=True)
        progress = Progress(folder, console)
        try:
            training.run(progress)
            (folder / "digest").write_text(digest(training))
        finally:
            progress.close(training.status())
            training.close()
    return training


def stop_in(number):
    """Have a signal stop the run of this process in an update; in none, if the number is None."""
    update = Learner.update

    def counted(learner, *given):
        if learner.updates + 1 == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(learner, *given)

    Learner.update = counted


def stopped(after, *arguments):
    """`go`, in a child process, with a signal that stops the run in this update."""
    stop_in(after)
    go(*arguments)


def digest(training):
    """Of everything that a run has learned and stored."""
    hashed = hashlib.sha256()
    tensors, values = training.learner.state()
    arrays, plain = training.experience.state()
    rows = {name: array[: len(training.replay)] for name, array in training.replay.rows.items()}
    actor, playing = training.pool.state()
    for group in [*tensors.values(), arrays, rows, actor, training.learning.updates.state()]:
        for name in sorted(group):
            hashed.update(name.encode() + np.ascontiguousarray(np.asarray(group[name])).tobytes())
    hashed.update(json.dumps([values, plain, playing], sort_keys=True).encode())
    return hashed.hexdigest()


def reseal(path):
    """Write a manifest that fits the files, as a forger would."""
    manifest = json.loads((path / "MANIFEST.json").read_text())
    manifest.pop("seal")
    for name, file in manifest["files"].items():
        file |= {"bytes": (path / name).stat().st_size, "sha256": checkpoint.digest(path / name)}
    (path / "MANIFEST.json").write_text(checkpoint.sealed(manifest))

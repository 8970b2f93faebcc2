"""Short runs to evaluate, and what muzero-eval writes about them."""

import json

from muzero.cli.evaluate.command import evaluate_command
from muzero.cli.train import train_command

SMALL = ["planner.simulations=4", "model.channels=4", "learner.batch=16", "replay.capacity=500", "run.start=100"]


def train(folder, game, *more, steps="700"):
    """The folder, after a short run in it."""
    sets = [word for each in [*SMALL, "run.games=8", "run.updates_per_step=0.02", *more] for word in ("--set", each)]
    assert train_command(["--game", game, "--run", str(folder), "--steps", steps, *sets]) == 0
    return folder


def evaluated(tmp_path, *words):
    """The results that muzero-eval writes to a file."""
    file = tmp_path / "out.json"
    assert evaluate_command([*map(str, words), "--json", str(file)]) == 0
    return json.loads(file.read_text())

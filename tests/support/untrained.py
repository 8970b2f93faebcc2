"""Agents with the weights that a seed gives, and folders of runs that hold them: no time is spent on learning."""

from pathlib import Path

import numpy as np

from muzero import build
from muzero.agent import Agent
from muzero.config import parse_settings
from muzero.runs.compatibility import fingerprint
from muzero.runs.folder import RunFolder
from muzero.runs.saving import save

SMALL = ["model.hidden=8", "run.symmetries=1"]
MODELS = {"spatial": ["model.channels=4", "model.blocks=1"], "vector": ["model.width=8"]}


def configuration(game, *settings):
    kind = build.configure(game, [], checked=False).kind("model")
    planner = [] if any(each.startswith("planner.") for each in settings) else ["planner.simulations=4"]
    return build.configure(game, [parse_settings([*SMALL, *MODELS[kind], *planner, *settings])])


def agent(game, *settings):
    """An agent in memory."""
    config = configuration(game, *settings)
    games = build.games(config, 1, training=False)
    model = build.model(config, games.spec)
    return Agent(config, games, build.player(config, model), 0, Path("untrained"))


def run(folder, game, *settings, noise=0.0):
    """The folder of a run, with one checkpoint of the weights alone.

    noise: deviation of what is added to all weights; without it heads are zeros, and all actions worth the same.
    """
    config = configuration(game, *settings)
    spec = build.spec(config)
    weights = {key: tensor.numpy() for key, tensor in build.model(config, spec).state_dict().items()}
    rng = np.random.default_rng(0)
    for weight in weights.values() if noise else ():
        weight += rng.normal(0, noise, weight.shape).astype(weight.dtype)
    files = RunFolder(folder)
    folder.mkdir(parents=True)
    files.config.write_text(config.to_toml())
    save(files.checkpoints, 1, {"model": weights}, {}, {"seconds": 0.0, "fingerprint": fingerprint(spec)})
    return folder

"""A model of a few numbers and an objective with everything that a learner handles: statistics, noise, metrics."""

import math
from dataclasses import replace

import torch
from chain import ChainGames, ChainModel
from torch import nn

from muzero.data.replay import Replay
from muzero.interfaces import Loss, Objective, WindowSize
from muzero.learning.learner import Learner
from muzero.planners.reactive import ReactivePlanner
from muzero.play.selfplay import SelfPlay

CELLS = 4
CPU = torch.device("cpu")


class SmallModel(nn.Module):
    """Says one number of a cell; batch normalisation gives it statistics."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(CELLS, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, observation):
        return self.layers(observation)[:, 0]


class SmallObjective(Objective):
    """The error of the model about the next reward, and a term that is drawn at random."""

    window = WindowSize(1, 1)

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, model, target_model, window, generator):
        self.calls += 1
        noise = torch.rand(len(window.reward), generator=generator, device=generator.device)
        found = model(window.observation[:, 0].float())
        error = self.scale * found - window.reward[:, 0]
        surprise = (found - target_model(window.observation[:, 0].float())).abs().detach()
        terms = {"reward": error**2, "blur": noise * found**2}
        return Loss(terms, error.abs().detach(), {"noise": noise, "surprise": surprise.max()})


def small_learner(seed=0, device=CPU, **settings):
    """Always with the same weights."""
    torch.manual_seed(0)
    return Learner(SmallModel(), SmallObjective(), device, seed, **{"batch": 16, **settings})


def recording_learner(seed=0, device=CPU, **settings):
    """One that makes updates of tensors that stay where they are, as a GPU records them, on the CPU too."""
    learner = small_learner(seed, device, **settings)
    if not learner.recording:
        learner._begin_recording()
    return learner


def numbers(learner):
    """A copy of all numbers that an update can change: weights, statistics, slow copy, state of the optimiser."""
    return {
        f"{group}.{name}": tensor.clone()
        for group, tensors in learner.state()[0].items()
        for name, tensor in tensors.items()
    }


def same(left, right):
    """Check that two such copies are the same, bit for bit."""
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


def without_numbers(window):
    """A batch from which no update can be made."""
    return replace(window, reward=torch.full_like(window.reward, math.nan))


def small_replay(**settings):
    """Some 200 rows of a corridor."""
    games = ChainGames(4, CELLS)
    replay = Replay(games.spec, 0, **{"capacity": 1000, **settings})
    for segment in SelfPlay(games, ChainModel(CELLS), ReactivePlanner(), 0).play(60).segments:
        replay.add(segment)
    return replay


def windows(count, batch=16):
    """Training batches."""
    replay = small_replay()
    return [replay.sample(batch, SmallObjective.window)[1] for _ in range(count)]

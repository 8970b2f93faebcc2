"""What an actor does on every device: nothing waits for it but for numbers that the host needs, behind events."""

import numpy as np
import pytest
import torch
from devices import never_waiting, on_all_devices

from muzero import build
from muzero.actors import actor as actors
from muzero.actors.actor import Actor
from muzero.actors.tasks import Play, Reanalyse, Task
from muzero.config import parse_settings
from muzero.data.plans import StoredPositions
from muzero.interfaces import Positions
from muzero.players.planning import PlanningPlayer
from muzero.util.tensors import copies

SETTINGS = ["run.games=4", "planner.simulations=4", "planner.inference=auto"]
MODELS = {
    "minatar/breakout": ["model.channels=8", "model.hidden=8", "model.blocks=0"],
    "gym/CartPole-v1": ["model.width=16", "model.hidden=8"],
}
SEARCHED = 6


@pytest.fixture(params=MODELS)
def config(request, monkeypatch):
    monkeypatch.setattr(actors, "SEARCHED", SEARCHED)
    monkeypatch.setattr(actors, "SEARCHED_ON_GPU", SEARCHED)
    return build.configure(request.param, [parse_settings([*SETTINGS, *MODELS[request.param]])])


def observations(spec, count):
    return np.random.default_rng(0).integers(0, 2, (count, *spec.observation)).astype(spec.dtype)


def stored(spec, device, count=2 * SEARCHED - 1):
    """Positions as a replay for this device gives them: observations lie there."""
    seen = observations(spec, count)
    placed = torch.from_numpy(seen).to(device) if device.type == "cuda" else seen
    return StoredPositions(np.arange(count), placed, np.ones((count, spec.actions.columns), bool))


@on_all_devices
def test_self_play_reanalyse_and_new_weights_are_not_waited_for(config, device):
    actor = Actor(config, 0, device, 0)
    weights, positions = copies(actor.model.state_dict()), stored(actor.games.spec, device)

    def work(number):
        """A round of a run: weights are handed over, stored positions are planned again, games continue."""
        actor.load(weights, number)
        planned = actor.work(Task(number, number, Reanalyse(positions))).found
        played = actor.work(Task(number, number, Play(2))).found
        return planned, played

    work(0)  # what is compiled or recorded is so now
    with never_waiting(device):
        planned, played = work(1)
    assert np.isfinite(planned.value).all() and planned.policy.shape[0] == len(positions.numbers)
    assert not played.faults and not played.rejected
    actor.close()


@on_all_devices
def test_moves_of_a_match_are_not_waited_for(config, device):
    spec = build.spec(config)
    player = PlanningPlayer(build.model(config, spec, 0).to(device), build.planner(config))
    legal = np.ones((3, spec.actions.columns), bool)
    positions = Positions.alone(spec.actions, observations(spec, 3), legal)
    memory = player.start(4)
    player.act(positions, memory)
    with never_waiting(device):
        moves, _ = player.act(positions, memory)
    assert np.isfinite(moves.value).all() and len(moves.action) == 3

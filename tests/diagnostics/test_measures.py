"""What is measured of a run: exact cases, and that measuring changes nothing."""

import math

import numpy as np
import pytest
import torch
from chain import ChainGames
from small_learning import small_replay
from torch import nn

from muzero.actions import Discrete
from muzero.data.replay import Replay
from muzero.data.schema import Segment, SegmentId
from muzero.diagnostics import measures
from muzero.interfaces import Prediction, Transition, WindowSize, WorldModel
from muzero.models.heads import Categorical, Certain
from muzero.planners.reactive import ReactivePlanner
from muzero.play.selfplay import SelfPlay

CELLS, DISCOUNT, UNROLL = 6, 0.9, 3
SIZE = WindowSize(12, UNROLL + 1)


class Corridor(WorldModel):
    """Imagines the corridor of `chain` exactly, or stays where it is; its heads are set by a test."""

    def __init__(self, moves=True, logits=(0.0, 0.0), value=None):
        super().__init__()
        self.space, self.moves, self.logits = Discrete(2), moves, torch.tensor(logits)
        self.value = value or (lambda cell: DISCOUNT ** (CELLS - 2 - cell).float())
        self.norm = nn.BatchNorm1d(CELLS)
        self.modes = []

    def memory(self, batch):
        return {}

    def encode(self, observation):
        self.modes.append(self.training)
        self.norm(torch.rand(8, CELLS, generator=torch.Generator().manual_seed(0)))  # moves statistics while training
        return observation

    def update(self, memory, action, encoded, first, noise=None):
        return {"cell": encoded}

    def imagine(self, latent, action, noise=None):
        place = latent["cell"].argmax(-1)
        place = (place + 2 * action - 1).clamp(0, CELLS - 1) if self.moves else place
        nothing = torch.zeros(len(place))
        return {"cell": torch.eye(CELLS)[place]}, Transition(Certain(nothing), Certain(nothing + DISCOUNT))

    def predict(self, latent):
        place = latent["cell"].argmax(-1)
        return Prediction(Categorical(self.logits.expand(len(place), -1)), Certain(self.value(place)))


class Right(ReactivePlanner):
    """Always goes right; stores the value that this is worth, less an error."""

    error = 0.0

    def plan(self, model, root, legal, carry, first, rng, explore):
        place = root["cell"].argmax(-1).numpy()
        decision, carry = super().plan(model, root, legal, carry, first, rng, explore)
        object.__setattr__(decision, "action", np.ones(len(place), np.int64))
        object.__setattr__(decision, "value", (DISCOUNT ** (CELLS - 2.0 - place) - self.error).astype(np.float32))
        return decision, carry


def played(planner=None):
    """A replay of some hundred rows, and the windows of the newest."""
    games = ChainGames(8, CELLS)
    replay = Replay(games.spec, 0, capacity=1000)
    for segment in SelfPlay(games, Corridor(), planner or ReactivePlanner(), 0).play(80).segments:
        replay.add(segment)
    return replay, *measures.newest(replay, SIZE)


def measured(model, of=None):
    _, seen, legal = of or played()
    return measures.measure(model, seen, legal, UNROLL)


def test_exact_imagination_does_not_drift_and_one_that_stays_does():
    found = measured(Corridor())
    assert [found[name] for name in ("drift_1", "drift_last", "value_drift")] == [0, 0, 0]
    stays = measured(Corridor(moves=False))
    assert stays["drift_1"] > 1 and stays["drift_last"] > 0.5 and stays["value_drift"] > 0.5


def test_a_drift_is_the_share_of_the_variance_of_what_was_observed():
    of = played()
    seen = of[1]
    there = (seen.known & ~seen.over)[:, UNROLL]
    now, then = (seen.observation[there, k].numpy() for k in (0, UNROLL))
    expected = ((now - then) ** 2).mean() / then.var(0, ddof=1).mean()
    assert measured(Corridor(moves=False), of)["drift_last"] == pytest.approx(float(expected), rel=1e-5)


def test_entropies_are_shares_of_the_uniform_policy_over_legal_actions():
    of = played()
    found = measured(Corridor(), of)
    assert found["policy_entropy"] == pytest.approx(1) and found["search_entropy"] == pytest.approx(1)
    assert found["search_gain"] == pytest.approx(0, abs=1e-6)
    sure = measured(Corridor(logits=(0.0, 3.0)), of)
    p = 1 / (1 + math.exp(-3.0))
    assert sure["policy_entropy"] == pytest.approx(-(p * math.log2(p) + (1 - p) * math.log2(1 - p)), rel=1e-5)
    assert sure["search_gain"] == pytest.approx(-math.log(2) - 0.5 * math.log(p * (1 - p)), rel=1e-4)


def test_positions_with_one_legal_action_and_cheap_searches_say_nothing_of_policies():
    _, seen, legal = played()
    few = legal.clone()
    few[measures.LEAST - 1 :, 0] = False
    assert "policy_entropy" not in measures.measure(Corridor(), seen, few, UNROLL)
    seen.taught[:] = False
    assert "policy_entropy" not in measures.measure(Corridor(), seen, legal, UNROLL)


def test_exact_values_explain_everything_and_their_mean_nothing():
    of = played(Right())
    found = measured(Corridor(), of)
    assert found["value_explained"] == pytest.approx(1, abs=1e-5)
    assert found["search_lead"] == pytest.approx(0, abs=1e-5)
    mean = measures.returns(of[1]).mean()
    constant = measured(Corridor(value=lambda place: torch.full((len(place),), mean.item())), of)
    assert constant["value_explained"] == pytest.approx(0, abs=0.01)
    assert constant["search_lead"] == pytest.approx(1, abs=1e-5)
    wrong = measured(Corridor(value=lambda place: 50.0 * place), of)
    assert wrong["value_explained"] == measures.WORST


def test_a_search_whose_values_are_of_another_scale_is_not_worse_for_it():
    planner = Right()
    object.__setattr__(planner, "error", 0.3)
    assert measured(Corridor(), played(planner))["search_lead"] == pytest.approx(0, abs=1e-4)


def test_values_at_the_edge_of_the_range_are_counted():
    of = played(Right())
    model = Corridor()
    assert "value_edge" not in measured(model, of)
    model.ranges = {"value": (-100.0, 100.0)}
    assert measured(model, of)["value_edge"] == 0
    model.ranges = {"value": (-1.0, 1.0)}  # the last step is worth 1
    expected = (measures.returns(of[1]) >= 0.95).float().mean().item()
    assert measured(model, of)["value_edge"] == pytest.approx(expected) and expected > 0.1


def test_too_few_rows_give_no_numbers():
    replay, _, _ = played()
    seen, legal = measures.newest(replay, SIZE, measures.LEAST - 5)
    assert measures.measure(Corridor(), seen, legal, UNROLL) == {}


def test_the_newest_rows_are_taken_of_which_the_next_is_known():
    replay = small_replay()
    seen, legal = measures.newest(replay, WindowSize(2, 1), 20)
    numbers = seen.number.numpy()
    assert len(legal) == len(numbers) <= 20 and numbers.min() >= replay.written - 2 * 20
    assert seen.known[:, 1].all() and not seen.over[:, 0].any()


def test_measuring_leaves_model_replay_and_generators_as_they_are():
    model = Corridor().train()
    replay, _, _ = played()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rows = {name: array.copy() for name, array in replay.rows.items()}
    generators = torch.get_rng_state(), np.random.get_state()[1].copy(), replay.rng.bit_generator.state
    model.modes.clear()
    measures.measure(model, *measures.newest(replay, SIZE), UNROLL)
    assert model.training and model.norm.training and model.modes and not any(model.modes)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(np.array_equal(array, rows[name]) for name, array in replay.rows.items())
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert np.array_equal(np.random.get_state()[1], generators[1]) and replay.rng.bit_generator.state == generators[2]


def test_ages_are_updates_since_the_weights_that_played():
    replay = small_replay()
    copy = Replay(replay.spec, 0, capacity=100)
    columns = {column.name: replay.rows[column.name][:10] for column in copy.columns}
    columns["discount"] = np.full(10, DISCOUNT, np.float32)
    for number, version in enumerate((20, 80)):
        rows = {name: array.copy() for name, array in columns.items()}
        copy.add(Segment(SegmentId(0, 0, number, 0), version, rows, False))
    found = measures.age(copy, np.arange(20), np.arange(10, 20), 100)
    assert found == {"replay_age": 50, "replay_age_share": 0.5, "replay_lag": 0.2}

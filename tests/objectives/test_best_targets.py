"""Value targets that ask the slow copy for every action, against sums by hand."""

import dataclasses

import pytest
import torch

from muzero.actions import Box, Discrete
from muzero.config import ConfigError
from muzero.interfaces import GameSpec, Prediction, Transition, Window, WorldModel
from muzero.models.ensemble import EnsembleModel
from muzero.models.heads import Categorical, Certain
from muzero.objectives.value_equivalence import ValueEquivalence

SPEC = GameSpec("table", (1,), "float32", Discrete(2), (0.0, 0.5))
REWARD = torch.tensor([[1.0, 4.0], [2.0, 0.0], [0.0, 3.0]])  # of state and action
NEXT = torch.tensor([[1, 2], [2, 0], [0, 1]])
VALUE = torch.tensor([[10.0, 20.0, 30.0], [14.0, 16.0, 60.0]])  # of member and state


class Means:
    """An ensemble whose members are sure."""

    def __init__(self, members):
        self.members, self.mean = members, members.mean(0)


class Table(WorldModel):
    """States 0 to 2, which are what is observed."""

    def __init__(self, members=2):
        super().__init__()
        self.space, self.members = Discrete(2), members

    def memory(self, batch):
        return {}

    def encode(self, observation):
        return observation.long()[:, 0]

    def update(self, memory, action, encoded, first, noise=None):
        return {"state": encoded}

    def imagine(self, latent, action, noise=None):
        state = latent["state"]
        reward = REWARD[state, action]
        head = Certain(reward) if self.members == 1 else Means(torch.stack([reward, reward + 1]))
        return {"state": NEXT[state, action]}, Transition(head, Certain(torch.full(state.shape, 0.5)))

    def predict(self, latent):
        value = VALUE[:, latent["state"]]
        head = Certain(value[0]) if self.members == 1 else Means(value)
        return Prediction(Categorical(torch.zeros(len(latent["state"]), 2)), head)


def window(states=(0, 1, 2)):
    steps, count = len(states) - 1, len(states)
    return Window(
        observation=torch.tensor(states, dtype=torch.float32).view(1, count, 1),
        first=torch.zeros(1, count, dtype=torch.bool),
        before=torch.zeros(1, dtype=torch.int64),
        action=torch.zeros(1, steps, dtype=torch.int64),
        reward=torch.full((1, steps), 77.0),
        discount=torch.full((1, steps), 0.5),
        value=torch.full((1, count), 99.0),
        policy=torch.full((1, count, 2), 0.5),
        taught=torch.ones(1, count, dtype=torch.bool),
        planned=torch.zeros(1, steps, dtype=torch.bool),
        known=torch.ones(1, count, dtype=torch.bool),
        over=torch.zeros(1, count, dtype=torch.bool),
        weight=torch.ones(1),
        number=torch.zeros(1, dtype=torch.int64),
        age=torch.zeros(1, dtype=torch.int64),
    )


def targets(members, given=None, **settings):
    objective = ValueEquivalence(
        SPEC, Table(), unroll=1, bootstrap="best", n_step=7, consistency_weight=0.0, **settings
    )
    return objective.value_target(Table(members), given or window(), torch.Generator().manual_seed(0))


def test_a_target_is_the_largest_expectation_whatever_was_played():
    assert targets(1).tolist() == [[max(1 + 0.5 * 20, 4 + 0.5 * 30), max(2 + 0.5 * 30, 0 + 0.5 * 10)]]


def test_members_have_targets_of_their_own_or_share_one():
    first = [[19.0, 17.0]]
    second = [[max(2 + 8, 5 + 30), max(3 + 30, 1 + 7)]]
    assert targets(2).tolist() == [first, second]
    mean = [[max(1.5 + 0.5 * 18, 4.5 + 0.5 * 45), max(2.5 + 0.5 * 45, 0.5 + 0.5 * 12)]]
    assert targets(2, member_targets="mean").tolist() == mean
    least = [[max(min(11, 10), min(19, 35)), max(min(17, 33), min(5, 8))]]
    assert targets(2, member_targets="min2").tolist() == least


def test_nothing_is_expected_after_the_end():
    given = dataclasses.replace(window(), over=torch.tensor([[False, True, True]]))
    assert targets(1, given).tolist() == [[19.0, 0.0]]


@pytest.mark.parametrize(
    "spec",
    [
        dataclasses.replace(SPEC, actions=Box(2)),
        dataclasses.replace(SPEC, discounts=(-1.0, 0.0), returns=(-1.0, 1.0)),
    ],
)
def test_games_in_which_actions_cannot_be_asked_for_are_refused(spec):
    with pytest.raises(ConfigError, match=r'bootstrap = "best", and table .* take target'):
        ValueEquivalence(spec, Table(), bootstrap="best", consistency_weight=0.0)


def test_the_smaller_of_two_members_is_drawn_anew_and_never_the_largest_of_all():
    """Of five members: the chances of each to be the smaller one of two."""
    objective = ValueEquivalence(SPEC, Table(), member_targets="min2", consistency_weight=0.0)
    members, generator = torch.arange(5.0).unsqueeze(1), torch.Generator().manual_seed(0)
    found = torch.cat([objective.trusted(members.mean(0), members, generator) for _ in range(2000)])
    counts = torch.bincount(found.long(), minlength=5) / 2000
    torch.testing.assert_close(counts, torch.tensor([0.4, 0.3, 0.2, 0.1, 0.0]), atol=0.04, rtol=0)


def learning(**settings):
    """A loss of an ensemble of dynamics that begins to learn, and its window."""
    torch.manual_seed(0)
    model = EnsembleModel(SPEC, width=16, members=3)
    objective = ValueEquivalence(SPEC, model, unroll=1, bootstrap="best", consistency_weight=0.0, **settings)
    return model, objective(model, model, window(), torch.Generator().manual_seed(0))


def test_a_step_is_sampled_more_often_the_less_its_reward_is_known():
    model, loss = learning()
    latent = {"state": model.eval().encode(torch.zeros(1, 1))}
    expected = model.imagine(latent, torch.zeros(1, dtype=torch.int64))[1].reward.members
    surprised = (expected - 77.0).abs().mean(0)
    torch.testing.assert_close(loss.priority - loss.metrics["value_error"], surprised, rtol=0.02, atol=0)


def test_a_model_that_expects_observations_learns_from_what_surprises_it():
    _, loss = learning(surprise_weight=2.0)
    _, single = learning()
    assert loss.terms["observation"].item() == pytest.approx(2 * single.terms["observation"].item())
    assert "observation" not in learning(surprise_weight=0.0)[1].terms

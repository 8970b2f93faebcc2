"""Rewards and returns that a model cannot express are counted and reported with the key to raise."""

import numpy as np
import pytest
from segments import changed, numbered

from muzero import build
from muzero.actions import Discrete
from muzero.config import parse_settings
from muzero.data.limits import Limits, returns
from muzero.interfaces import GameSpec


def paid(*rewards, over=True, tail=False, value=0.0, discount=0.5):
    """One game's segment with these rewards; the last row's value is the search's."""
    segment = numbered(0, len(rewards), over=over, tail=tail)
    discounts = np.full(len(rewards), discount, np.float32)
    if over:
        discounts[-1] = 0
    values = np.zeros(len(rewards), np.float32)
    values[-1] = value
    return changed(segment, reward=np.float32(rewards), discount=discounts, value=values)


def test_returns_follow_from_rewards_worked_out_by_hand():
    assert returns(paid(1, 2, 4)).tolist() == [1 + 0.5 * (2 + 0.5 * 4), 2 + 0.5 * 4, 4]
    assert returns(paid(1, 2, 9, over=False, tail=True, value=8)).tolist() == [1 + 0.5 * (2 + 0.5 * 8), 2 + 0.5 * 8]
    assert returns(paid(1, 2, 9, over=False, value=8)).tolist() == [1 + 0.5 * (2 + 0.5 * 8), 2 + 0.5 * 8, 8]
    assert returns(paid(0, 0, 1, discount=-1)).tolist() == [1, -1, 1]


def test_values_beyond_a_limit_are_counted_and_reported_with_its_key():
    limits = Limits({"reward": (-300.0, 300.0), "value": (-1000.0, 1000.0)})
    limits.see(paid(100, 300, 300.1))
    assert limits.counts() == {"clamped/rewards": 0, "clamped/values": 0} and limits.messages() == []
    limits.see(paid(400, -800, 299))
    assert limits.counts() == {"clamped/rewards": 2, "clamped/values": 0}
    (message,) = limits.messages()
    assert "rewards beyond the model's range of -300 to 300 are clamped" in message and "the largest -800" in message
    assert "set model.reward_limit to 800 or more" in message
    limits.see(paid(-900))
    assert limits.messages() == [] and limits.counts()["clamped/rewards"] == 3
    limits.see(paid(2000))
    assert [message.split("set ")[1].split(" or")[0] for message in limits.messages()] == [
        "model.reward_limit to 2000",
        "model.value_limit to 2000",
    ]


def test_the_row_without_a_step_of_a_game_cut_short_pays_nothing():
    limits = Limits({"reward": (-1.0, 1.0)})
    limits.see(paid(1, 99, over=False, tail=True))
    assert limits.counts() == {"clamped/rewards": 0}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            GameSpec("gym/x", (4,), "float32", Discrete(2), (0.0, 0.997)),
            {"value": (-50.0, 50.0), "reward": (-7.0, 7.0)},
        ),
        (
            GameSpec("board/x", (4,), "float32", Discrete(2), (-1.0, 0.0), returns=(-1.0, 1.0)),
            {"value": (-1.0, 1.0), "reward": (-1.0, 1.0)},
        ),
    ],
)
def test_a_model_states_its_ranges(spec, expected):
    config = build.configure("gym/CartPole-v1", [parse_settings(["model.value_limit=50", "model.reward_limit=7"])])
    assert build.model(config, spec).ranges == expected

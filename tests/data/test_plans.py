"""Plans that have replaced those of play: their versions, and that they survive a stop."""

import json

import numpy as np
import pytest
from segments import NUMBERED, numbered

from muzero.actions import Box
from muzero.data import plans
from muzero.data.replay import Replay
from muzero.data.schema import Segment, SegmentId
from muzero.interfaces import GameSpec, WindowSize
from muzero.objectives.targets import n_step_value

BOX = GameSpec("box", (1,), "float32", Box(2), (0.0, 1.0))


def filled(games, rows=30, capacity=100):
    replay = Replay(NUMBERED, 0, capacity=capacity)
    for game in range(games):
        replay.add(numbered(0, rows, game, over=True), game)
    return replay


def plan_again(replay, numbers, version, value=7.0):
    policy = np.tile(np.float32([0.25, 0.75]), (len(numbers), 1))
    return replay.refresh(np.array(numbers), policy, np.full(len(numbers), value, np.float32), version=version)


def restored(replay, games, rows=30, capacity=100, **changes):
    """The replay after a stop: segments come from the log as they were played."""
    arrays, values = replay.state()
    values = json.loads(json.dumps(values))
    plans.check_saved(replay.columns, arrays, values["written"])
    twin = Replay(NUMBERED, 0, capacity=capacity)
    missing = twin.restore(arrays | changes, values, [(game, numbered(0, rows, game, over=True)) for game in games])
    return twin, missing


def same(one, other):
    return all((one.rows[name] == other.rows[name]).all() for name in one.rows)


def test_a_row_has_the_version_that_planned_it_last():
    replay = filled(2)
    plan_again(replay, [3, 40], 8)
    plan_again(replay, [40], 9)
    assert np.flatnonzero(replay.rows["version"]).tolist() == [3, 40]
    assert replay.rows["version"][[3, 40]].tolist() == [8, 9]


def test_a_row_that_takes_the_place_of_another_has_its_own_plan():
    replay = filled(3)
    plan_again(replay, [3, 40], 8)
    replay.add(numbered(0, 30, 3, over=True), 3)  # rows 90 to 119, in places 90 to 19
    assert replay.rows["version"][3] == 0 and not replay.rows["refreshed"][3] and replay.rows["refreshed"][40]
    assert replay.rows["value"][3] == 100 + 13


def test_a_return_ends_with_the_value_of_the_newest_plan():
    replay = filled(1)
    plan_again(replay, [5], 8, value=-50.0)
    numbers, window = replay.sample(100, WindowSize(2, 1))
    found = n_step_value(window.reward, window.discount, window.value, 2)[:, 0]
    # Two rewards, and the value of the position after them; past the end of the game neither.
    expected = {
        row: row + (row + 1) * (row < 29) + (row + 2 < 30) * (-50.0 if row == 3 else row + 102) for row in range(30)
    }
    assert dict(zip(numbers.tolist(), found.tolist(), strict=True)) == expected


def test_plans_survive_a_stop():
    replay = filled(4)  # rows 20 to 119
    replay.rows["taught"][30] = False
    plan_again(replay, [20, 30, 55, 119], 8)
    twin, missing = restored(replay, range(4))
    assert missing == 0 and same(twin, replay) and twin.rows["refreshed"].sum() == 4
    plan_again(replay, [77], 9)
    again, _ = restored(replay, range(4))
    assert same(again, replay)


def test_plans_with_candidates_survive_a_stop():
    rng = np.random.default_rng(0)
    columns = numbered(0, 5, tail=True).columns | {
        "legal": np.ones((5, 0), bool),
        "action": BOX.actions.draw_any((5,), rng),
        "policy": rng.dirichlet(np.ones(3), 5).astype(np.float32),
        "candidates": BOX.actions.draw_any((5, 3), rng),
    }
    segment = Segment(SegmentId(0, 0, 0, 0), 0, columns, tail=True)
    replay, twin = (Replay(BOX, 0, 3, capacity=50) for _ in range(2))
    replay.add(segment)
    new = rng.dirichlet(np.ones(3), 2).astype(np.float32), np.ones(2, np.float32), BOX.actions.draw_any((2, 3), rng)
    replay.refresh(np.array([1, 4]), *new, version=3)
    arrays, values = replay.state()
    plans.check_saved(replay.columns, arrays, values["written"])
    twin.restore(arrays, values, [(None, segment)])
    assert same(twin, replay) and (twin.rows["candidates"][[1, 4]] == new[2]).all()


def test_plans_of_rows_beyond_a_smaller_replay_are_left_out():
    replay = filled(3)
    plan_again(replay, [2, 85], 8)
    twin, _ = restored(replay, range(3), capacity=30)
    assert np.flatnonzero(twin.rows["refreshed"]).tolist() == [85 % 30]


def test_rows_that_were_renumbered_keep_the_plans_of_play():
    replay = filled(3)
    plan_again(replay, [2, 85], 8)
    twin, missing = restored(replay, [0, 2])
    assert missing == 30 and not twin.rows["refreshed"].any()


def test_a_state_without_new_plans_is_that_of_earlier_versions():
    arrays, _ = filled(1).state()
    assert list(arrays) == ["priority"]


FORGED = {
    "numbers": [None, np.arange(2.0), np.arange(3)[:, None], np.array([1, 2, 90]), np.array([1, 2, -1])],
    "version": [None, np.arange(2), np.arange(3.0), np.array([1, 1, -2])],
    "policy": [None, np.ones((3, 3), np.float32), np.ones((3, 2)), np.full((3, 2), np.nan, np.float32)],
    "value": [None, np.ones(2, np.float32), np.ones(3), np.array([0, 0, np.inf], np.float32)],
    "candidates": [np.ones((3, 2), np.float32)],
}


@pytest.mark.parametrize(("name", "array"), [(name, array) for name, arrays in FORGED.items() for array in arrays])
def test_forged_plans_are_refused(name, array):
    replay = filled(3)
    plan_again(replay, [1, 2, 85], 8)
    arrays, values = replay.state()
    forged = {key: value for key, value in (arrays | {f"refreshed.{name}": array}).items() if value is not None}
    with pytest.raises(ValueError, match=r"replay\.refreshed|new plans"):
        plans.check_saved(replay.columns, forged, values["written"])

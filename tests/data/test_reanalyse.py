"""Which stored positions are planned again, and what becomes of the results."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segments import NUMBERED as SPEC
from segments import numbered as segment

from muzero.data import reanalyse_order
from muzero.data.reanalyse_order import ReanalyseOrder, stride
from muzero.data.replay import Replay
from muzero.interfaces import WindowSize


def filled(games, rows=30, capacity=100):
    replay = Replay(SPEC, 0, capacity=capacity)
    for game in range(games):
        replay.add(segment(0, rows, game, over=True), game)
    return replay


def last_position(segment):
    """The segment, its last row being the position in which the game is over."""
    segment.columns["discount"][-2:-1] = 0
    for name in ("policy", "value", "taught"):
        segment.columns[name][-1] = 0
    return segment


def test_requests_without_a_new_segment_between_them_share_no_row():
    replay = filled(3)
    handed = [replay.positions(25).numbers for _ in range(3)] + [replay.positions(25).numbers]
    assert [len(numbers) for numbers in handed] == [25, 25, 25, 25]
    handed = np.concatenate(handed).tolist()
    assert sorted(handed[:90]) == list(range(90)) and handed[90:] == handed[:10]


def test_positions_are_those_of_their_rows():
    replay = filled(5)  # 150 rows through a ring of 100
    numbers, observation, legal = replay.positions(40)
    assert (numbers >= 50).all() and (observation[:, 0] == numbers % 30).all() and legal.shape == (40, 2)


@pytest.mark.parametrize("count", [1, 2, 25])
def test_positions_after_the_end_of_a_game_are_left_out(count):
    replay = Replay(SPEC, 0, capacity=100)
    written = 0
    for game, steps in enumerate([3, 40, 1, 1, 3, 60]):  # and the last position: 114 rows through a ring of 100
        replay.add(last_position(segment(0, steps + 1, game, tail=True)), game)
        written += steps + 1
    assert written == replay.written == 114
    over = {44, 46, 48, 52, 113}  # and row 3, which was overwritten
    sweep = set(range(14, 114)) - over
    handed = []
    while len(handed) < len(sweep):
        handed += replay.positions(min(count, len(sweep) - len(handed))).numbers.tolist()
    assert sorted(handed) == sorted(sweep)


def test_a_replay_of_ends_alone_has_no_positions():
    replay = Replay(SPEC, 0, capacity=100)
    replay.add(segment(0, 3, over=True))
    replay.add(last_position(segment(3, 1, sequence=1, tail=True)))
    assert replay.positions(5).numbers.tolist() != [] and replay.rows["over"][3]
    replay.rows["over"][:3] = True  # as if only that one were left in the ring
    with pytest.raises(ValueError, match="among 4 rows"):
        replay.positions(5)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 30)), min_size=1, max_size=60), st.integers(20, 90))
@settings(deadline=None)
def test_the_row_whose_turn_is_the_longest_ago_comes_next(happenings, capacity):
    """Rows have their turns in the order of their last ones, except for those that were written since."""
    order, end, last, turn = ReanalyseOrder(capacity), 10, {}, 0
    for count, more in happenings:
        filled = min(end, capacity)
        rows = end - 1 - (end - 1 - np.arange(filled)) % capacity
        able = rows % 7 != 3  # the others are positions after the end of a game
        places = order.next_places(count, able)
        assert len(places) == min(count, able.sum()) == len(set(places.tolist())) and able[places].all()
        for row in rows[places].tolist():
            if row in last:  # a second turn: every other row that was here before its last one had a turn since
                assert last[row] == min(at for each, at in last.items() if each >= end - filled)
            last[row] = turn = turn + 1
        end += more


@given(st.integers(1, 10_000))
def test_a_cycle_passes_each_place_once(size):
    assert len(set((np.arange(size) * stride(size) % size).tolist())) == size


@given(st.integers(1, 200), st.integers(1, 200), st.lists(st.integers(1, 300), min_size=1, max_size=10))
def test_a_ring_that_is_filled_in_part_is_passed_in_turn(capacity, filled, counts):
    filled = min(filled, capacity)
    order, handed = ReanalyseOrder(capacity), []
    for count in counts:
        handed += order.next_places(count, np.ones(filled, bool)).tolist()
    for begin in range(0, len(handed) - filled, filled):
        assert sorted(handed[begin : begin + filled]) == list(range(filled))
    assert (
        handed[filled:] == handed[: len(handed) - filled] if len(handed) > filled else len(set(handed)) == len(handed)
    )


def test_a_part_of_a_cycle_is_spread_over_the_whole_ring():
    places = np.sort(ReanalyseOrder(10_000).next_places(100, np.ones(10_000, bool)))
    assert np.diff(places).max() < 3 * 100


def test_one_position_in_a_large_ring_is_found_whole_cycles_apart(monkeypatch):
    monkeypatch.setattr(reanalyse_order, "MOST_AT_ONCE", 64)
    order, able = ReanalyseOrder(10_007), np.arange(5_000) == 4_321
    assert [order.next_places(9, able).tolist() for _ in range(3)] == [[4_321]] * 3


def test_an_empty_replay_has_no_positions():
    with pytest.raises(ValueError, match="no positions to plan again among 0 rows"):
        Replay(SPEC, 0, capacity=100).positions(5)


def test_a_restored_replay_continues_the_cycle():
    replay = filled(3)
    first = replay.positions(60).numbers
    arrays, values = replay.state()
    twin = Replay(SPEC, 0, capacity=100)
    twin.restore(arrays, json.loads(json.dumps(values)), [(game, segment(0, 30, game, over=True)) for game in range(3)])
    rest = twin.positions(60).numbers
    assert (rest == replay.positions(60).numbers).all() and not set(rest[:30]) & set(first)


@pytest.mark.parametrize("sweep", [None, [0, 30, 12]])
def test_a_state_without_a_cycle_begins_a_new_one(sweep):
    """As of earlier versions, some of which saved a sweep over the rows."""
    arrays, values = filled(1).state()
    values["sweep"] = sweep
    del values["passed"]
    twin = Replay(SPEC, 0, capacity=100)
    twin.restore(arrays, values, [(0, segment(0, 30, 0, over=True))])
    assert len(twin.positions(30).numbers) == 30


def test_new_plans_reach_the_windows_of_their_rows_and_no_others():
    replay = filled(1, rows=10)
    policy = np.tile(np.float32([0.25, 0.75]), (2, 1))
    assert replay.refresh(np.array([3, 5]), policy, np.float32([7, 8]), version=3) == 2
    numbers, window = replay.sample(64, WindowSize(1, 1))
    value = dict(zip(numbers.tolist(), window.value[:, 0].tolist(), strict=True))
    first = dict(zip(numbers.tolist(), window.policy[:, 0, 0].tolist(), strict=True))
    assert value == {row: {3: 7.0, 5: 8.0}.get(row, row + 100.0) for row in range(10)}
    assert first == {row: 0.25 if row in (3, 5) else 0.5 for row in range(10)}


def test_new_plans_teach_the_policy_where_a_cheap_search_did_not():
    replay = filled(1, rows=10)
    replay.rows["taught"][:10] = False
    policy = np.float32([[0.25, 0.75], [0, 0]])  # the second planner found none
    assert replay.refresh(np.array([3, 5]), policy, np.float32([7, 8]), version=3) == 2
    numbers, window = replay.sample(64, WindowSize(1, 1))
    assert set(numbers[window.taught[:, 0].numpy()].tolist()) == {3}
    assert 5 in numbers


def test_plans_of_rows_that_were_overwritten_are_dropped():
    replay = filled(4)  # rows 20 to 119 are there
    before = replay.rows["value"].copy()
    numbers = np.array([19, 20, 119, 120])
    assert replay.refresh(numbers, np.full((4, 2), 0.5, np.float32), np.full(4, -1, np.float32), version=3) == 2
    changed = np.flatnonzero(replay.rows["value"] != before)
    assert changed.tolist() == [19, 20]  # places of rows 119 and 20


@pytest.mark.parametrize(
    ("policy", "value", "found"),
    [
        (np.zeros((2, 3)), np.zeros(2), r"policy \(2, 3\) and value \(2,\)"),
        (np.zeros((2, 2)), np.zeros(3), r"policy \(2, 2\) and value \(3,\)"),
        (np.full((2, 2), np.nan), np.zeros(2), r"not finite policy \(2, 2\) and value \(2,\)"),
        (np.zeros((2, 2)), np.array([0, np.inf]), r"not finite policy \(2, 2\) and value \(2,\)"),
    ],
)
def test_plans_that_do_not_fit_are_refused_and_change_nothing(policy, value, found):
    replay = filled(1)
    before = {name: array.copy() for name, array in replay.rows.items()}
    with pytest.raises(ValueError, match=rf"expected finite policy \(2, 2\) and value \(2,\); got {found}"):
        replay.refresh(np.array([1, 2]), policy, value, version=3)
    assert all((replay.rows[name] == array).all() for name, array in before.items())

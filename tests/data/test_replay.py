"""The replay ring: links, ends, cuts, priorities, and that what comes out is what went in."""

import json
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segments import NUMBERED as SPEC
from segments import changed
from segments import numbered as segment

from muzero.actions import Discrete
from muzero.data.replay import Replay
from muzero.data.sum_tree import SumTree
from muzero.interfaces import GameSpec, WindowSize


def windows(replay, steps=4, observations=3, batch=64):
    numbers, window = replay.sample(batch, WindowSize(steps, observations))
    return {int(number): row for row, number in enumerate(numbers)}, window


def test_a_window_crosses_from_segment_to_segment():
    replay = Replay(SPEC, 0, capacity=100)
    replay.add(segment(0, 3))
    replay.add(segment(50, 3, game=1, over=True))
    replay.add(segment(3, 3, sequence=1, over=True))
    rows, window = windows(replay)
    assert window.reward[rows[1]].tolist() == [1, 2, 3, 4]
    assert window.value[rows[1]].tolist() == [101, 102, 103, 104, 105]
    assert window.observation[rows[1], :, 0].tolist() == [1, 2, 3]
    assert window.known[rows[1]].all() and not window.over[rows[1]].any()


def test_after_the_end_a_window_goes_on_in_an_absorbing_state():
    replay = Replay(SPEC, 0, capacity=100)
    replay.add(segment(0, 3, over=True))
    rows, window = windows(replay)
    last = rows[2]
    assert window.over[last].tolist() == [False, True, True, True, True]
    assert window.known[last].all()
    assert window.reward[last].tolist() == [2, 0, 0, 0]
    assert window.discount[last].tolist() == [0, 0, 0, 0]
    assert window.value[last].tolist() == [102, 0, 0, 0, 0]


def test_actions_past_the_end_are_random():
    replay = Replay(SPEC, 0, capacity=100)
    replay.add(segment(0, 1, over=True))
    _, window = windows(replay)
    assert set(window.action[:, 0].tolist()) == {0}
    assert set(window.action[:, 1].tolist()) == {0, 1}


def test_nothing_is_known_past_a_cut_and_a_cut_row_is_no_start():
    replay = Replay(SPEC, 0, capacity=100)
    replay.add(segment(0, 3, tail=True))
    rows, window = windows(replay)
    assert set(rows) == {0, 1}
    assert window.known[rows[0]].tolist() == [True, True, True, False, False]
    assert not window.over.any()


def test_a_cut_row_with_discount_zero_is_not_an_end():
    made = segment(0, 3, tail=True)
    made.columns["discount"][-1] = 0
    replay = Replay(SPEC, 0, capacity=100)
    replay.add(made)
    _, window = windows(replay)
    assert not window.over.any()


def test_the_last_row_of_a_game_that_goes_on_waits_for_its_successor():
    replay = Replay(SPEC, 0, capacity=100)
    replay.add(segment(0, 3))
    assert set(windows(replay)[0]) == {0, 1}
    replay.add(segment(3, 3, sequence=1))
    assert set(windows(replay)[0]) == {0, 1, 2, 3, 4}


def test_a_lost_segment_leaves_a_gap_that_is_not_crossed():
    replay = Replay(SPEC, 0, capacity=100)
    replay.add(segment(0, 3))
    replay.add(segment(6, 3, sequence=2, over=True))
    rows, window = windows(replay)
    assert window.known[rows[1]].tolist() == [True, True, False, False, False]


def test_a_segment_that_comes_again_is_ignored_and_counted():
    replay = Replay(SPEC, 0, capacity=100)
    assert replay.add(segment(0, 3, over=True))
    assert not replay.add(segment(0, 3, over=True))
    assert (len(replay), replay.steps, replay.duplicates) == (3, 3, 1)


@given(st.integers(100, 130), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_windows_hold_consecutive_rows_of_one_game_in_a_full_ring(capacity, segments, seed):
    rng = np.random.default_rng(seed)
    replay = Replay(SPEC, seed, capacity=capacity)
    open_games: dict[int, tuple[int, int]] = {}
    for number in range(segments):
        game = int(rng.integers(3)) + 10 * (number // 20)
        start, sequence = open_games.pop(game, (1000 * game, 0))
        count, over = int(rng.integers(1, 20)), bool(rng.random() < 0.3)
        if start < 0:
            continue
        replay.add(segment(start, count, game, sequence, over))
        open_games[game] = (-1, 0) if over else (start + count, sequence + 1)
    if replay.priority.total == 0:
        return
    assert len(replay) <= capacity
    numbers, window = replay.sample(64, WindowSize(6, 6))
    assert (numbers >= replay.written - len(replay)).all()
    real = window.known[:, :-1] & ~window.over[:, :-1]
    steps = torch.where(real, window.value[:, :-1] - 100 - window.observation[:, :1, 0], 0)
    assert torch.equal(steps, torch.where(real, torch.arange(6.0).expand_as(steps), 0))


def test_rows_are_drawn_in_proportion_to_their_priority():
    replay = Replay(SPEC, 0, capacity=100, priority_exponent=1.0, importance_exponent=1.0)
    replay.add(segment(0, 4, over=True))
    replay.update(np.arange(4), np.array([1.0, 2.0, 3.0, 4.0]))
    numbers, window = replay.sample(10_000, WindowSize(1, 1))
    assert np.bincount(numbers) / 10_000 == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.001)
    weights = [window.weight[numbers == n][0].item() for n in range(4)]
    assert weights == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4], rel=1e-4)


def test_uniform_sampling_ignores_priorities_and_weighs_nothing():
    replay = Replay(SPEC, 0, capacity=100)
    replay.add(segment(0, 4, over=True))
    replay.update(np.arange(4), np.array([1.0, 2.0, 3.0, 400.0]))
    numbers, window = replay.sample(4000, WindowSize(1, 1))
    assert np.bincount(numbers).tolist() == [1000] * 4
    assert (window.weight == 1).all()


def test_priorities_of_rows_that_are_gone_are_ignored():
    replay = Replay(SPEC, 0, capacity=100, priority_exponent=1.0)
    for game in range(3):
        replay.add(segment(0, 50, game, over=True))
    before = replay.priority.total
    replay.update(np.array([0, 49]), np.array([1e6, 1e6]))
    assert replay.priority.total == before


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.integers(0, 2**32 - 1))
def test_a_sum_tree_finds_the_place_at_which_the_running_sum_passes(numbers, seed):
    tree = SumTree(len(numbers))
    for place, number in enumerate(numbers):
        tree[np.array([place])] = number
    assert tree.total == pytest.approx(sum(numbers))
    if tree.total == 0:
        return
    mass = np.random.default_rng(seed).random(20) * tree.total
    for m, place in zip(mass, tree.find(mass), strict=True):
        assert numbers[place] > 0
        assert sum(numbers[:place]) <= m + 1e-6 and sum(numbers[: place + 1]) >= m - 1e-6


def test_a_restored_replay_draws_what_the_saved_one_draws():
    replay = Replay(SPEC, 5, capacity=100, priority_exponent=0.6)
    log = [segment(0, 30, game) for game in range(5)]
    for mark, each in enumerate(log):
        replay.add(each, mark)
    replay.update(np.arange(60, 120), np.linspace(0, 3, 60))
    arrays, values = replay.state()
    arrays, values = {name: array.copy() for name, array in arrays.items()}, json.loads(json.dumps(values))
    number, mark = replay.oldest
    assert (number, mark) == (30, 1)  # of which 20 rows are here
    twin = Replay(SPEC, 6, capacity=100, priority_exponent=0.6)
    assert twin.restore(arrays, values, list(enumerate(log))[mark:]) == 0
    for which in (replay, twin):
        which.add(segment(30, 10, game=4, sequence=1, over=True))
    for _ in range(3):
        (a, left), (b, right) = (r.sample(32, WindowSize(5, 2)) for r in (replay, twin))
        assert (a == b).all()
        for name, tensor in left.tensors().items():
            assert torch.equal(tensor, getattr(right, name)), name


def test_a_replay_keeps_what_its_log_still_has_and_counts_the_rest():
    replay = Replay(SPEC, 5, capacity=100, priority_exponent=0.6)
    log = [segment(0, 30, game, over=True) for game in range(5)]
    for each in log:
        replay.add(each)
    arrays, values = replay.state()
    twin = Replay(SPEC, 6, capacity=100, priority_exponent=0.6)
    assert twin.restore(arrays, values, [(None, log[1]), (None, log[3])]) == 60
    assert twin.steps == replay.steps
    numbers, window = twin.sample(256, WindowSize(2, 2))
    assert len(set(numbers.tolist())) == 60 and torch.isfinite(window.value).all()


def test_the_memory_bound_holds_while_three_times_as_much_is_stored():
    spec = GameSpec("image", (4, 32, 32), "uint8", Discrete(6), (0.0, 1.0))
    tracemalloc.start()
    replay = Replay(spec, 0, capacity=1_000_000, gigabytes=0.02, priority_exponent=1.0)
    rng = np.random.default_rng(0)
    rows, game = 0, 0
    while rows < 3 * replay.capacity:
        count = int(rng.integers(1, 200))
        images, legal = np.ones((count, 4, 32, 32), np.uint8), np.ones((count, 6), bool)
        policy = np.full((count, 6), 1 / 6, np.float32)
        replay.add(changed(segment(0, count, game, over=True), observation=images, legal=legal, policy=policy))
        rows, game = rows + count, game + 1
    replay.sample(8, WindowSize(3, 1))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.9 * 0.02e9 < used < 1.1 * 0.02e9


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("reward", np.array([np.nan], np.float32), "reward holds a number that is not finite"),
        ("value", np.array([np.inf], np.float32), "value holds a number that is not finite"),
        ("reward", np.zeros(1, np.float64), "reward is float64 \\(1,\\), expected float32 \\(1,\\)"),
        ("policy", np.zeros((1, 3), np.float32), "policy is float32 \\(1, 3\\), expected float32 \\(1, 2\\)"),
        ("action", np.array([2]), "actions\\[0\\] = 2 is not legal"),
        ("legal", np.array([[False, True]]), "actions\\[0\\] = 0 is not legal"),
        ("discount", np.array([0.5], np.float32), "a discount is not one of"),
        ("observation", np.zeros((1, 2), np.float32), "observation is float32"),
    ],
)
def test_a_segment_that_does_not_fit_the_game_is_refused(field, value, message):
    broken = changed(segment(0, 1), **{field: value})
    replay = Replay(SPEC, 0, capacity=100)
    with pytest.raises(ValueError, match=message):
        replay.add(broken)
    assert len(replay) == 0

"""Windows: context before the sampled row, last positions, the action before, and numbers."""

import numpy as np
import pytest
import torch
from segments import NUMBERED, numbered

from muzero.actions import Box
from muzero.data.replay import Replay
from muzero.data.schema import Segment, SegmentId
from muzero.data.windows import window
from muzero.interfaces import GameSpec, WindowSize


def with_ends(length, game, sequence=0):
    """A game that is over, with its last position as a row without a step, in one segment."""
    found = numbered(0, length + 1, game, sequence, tail=True)
    found.columns["discount"][length - 1] = 0
    found.columns["policy"][-1] = found.columns["value"][-1] = found.columns["taught"][-1] = 0
    found.columns["action"][:] = np.arange(length + 1) % 2
    return found


def windows(replay, numbers, size):
    weight, rng = np.ones(len(numbers)), np.random.default_rng(0)
    return window(replay.rows, replay.spec, np.array(numbers), size, weight, replay.written, rng)


def test_context_begins_before_the_sampled_row_and_repeats_the_first_one():
    replay = Replay(NUMBERED, 0, capacity=100)
    replay.add(with_ends(6, 0))
    found = windows(replay, [4, 1, 0], WindowSize(1, 2, 3))
    assert found.context == 3 and found.number.tolist() == [4, 1, 0]
    assert found.observation[:, :, 0].tolist() == [[1, 2, 3, 4, 5], [0, 0, 0, 1, 2], [0, 0, 0, 0, 1]]
    assert found.first.tolist() == [
        [False] * 5,
        [True, True, True, False, False],
        [True, True, True, True, False],
    ]
    assert found.before.tolist() == [0, 0, 0]  # the action that led to row 1 is that of row 0; else none
    assert found.action.tolist() == [[1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert found.known.all() and not found.over.any()


def test_the_age_of_a_row_is_the_number_of_rows_written_since():
    replay = Replay(NUMBERED, 0, capacity=100)
    for game in range(20):
        replay.add(with_ends(6, game))
    assert replay.written == 140
    assert windows(replay, [139, 138, 40], WindowSize(1, 1)).age.tolist() == [0, 1, 99]
    numbers, found = replay.sample(16, WindowSize(2, 2))
    assert found.age.tolist() == (139 - numbers).tolist()


def test_the_action_before_leads_to_the_first_position():
    replay = Replay(NUMBERED, 0, capacity=100)
    replay.add(with_ends(6, 0))
    assert windows(replay, [1, 2, 3, 4], WindowSize(1, 1)).before.tolist() == [0, 1, 0, 1]
    assert windows(replay, [3, 4, 5], WindowSize(1, 1, 2)).before.tolist() == [0, 1, 0]


def test_the_last_position_of_a_game_is_observed_and_has_no_plan():
    replay = Replay(NUMBERED, 0, capacity=100)
    replay.add(with_ends(3, 0))
    found = windows(replay, [1], WindowSize(4, 4))
    assert found.observation[0, :, 0].tolist() == [1, 2, 3, 3]
    assert found.over[0].tolist() == [False, False, True, True, True] and found.known.all()
    assert found.reward[0].tolist() == [1, 2, 0, 0] and found.discount[0].tolist() == [1, 0, 0, 0]
    assert found.value[0].tolist() == [101, 102, 0, 0, 0]
    assert found.policy[0].tolist() == [[0.5, 0.5], [0.5, 0.5], [0, 0], [0, 0]]


def test_no_window_begins_at_a_last_position_and_no_plan_changes_it():
    replay = Replay(NUMBERED, 0, capacity=100)
    for game in range(5):
        replay.add(with_ends(3, game))
    numbers, _ = replay.sample(500, WindowSize(1, 1))
    assert set(numbers.tolist()) == {row for row in range(20) if row % 4 != 3}
    assert replay.steps == 15 and len(replay) == 20
    everything = np.arange(20)
    assert replay.refresh(everything, np.full((20, 2), 0.5, np.float32), np.ones(20, np.float32), version=1) == 15
    assert (replay.rows["value"][3:20:4] == 0).all() and (replay.rows["policy"][3:20:4] == 0).all()


def test_a_last_position_in_a_segment_of_its_own_is_linked_to_its_game():
    replay = Replay(NUMBERED, 0, capacity=100)
    replay.add(numbered(0, 3, over=True))
    last = numbered(3, 1, sequence=1, tail=True)
    last.columns["policy"][:] = last.columns["value"][:] = last.columns["taught"][:] = 0
    replay.add(last)
    found = windows(replay, [2], WindowSize(2, 2))
    assert found.observation[0, :, 0].tolist() == [2, 3] and found.over[0].tolist() == [False, True, True]
    assert replay.refresh(np.array([3]), np.full((1, 2), 0.5, np.float32), np.ones(1, np.float32), version=1) == 0


def test_games_of_earlier_versions_end_without_a_last_position():
    replay = Replay(NUMBERED, 0, capacity=100)
    replay.add(numbered(0, 3, over=True))
    found = windows(replay, [1], WindowSize(3, 3, 1))
    assert found.observation[0, :, 0].tolist() == [0, 1, 2, 2] and found.over[0].tolist() == [False] * 3 + [True] * 2


def test_what_follows_a_game_of_one_step_does_not_begin_a_game():
    replay = Replay(NUMBERED, 0, capacity=100)
    replay.add(numbered(0, 1, over=True))  # of an earlier version: its only row stands for the end too
    replay.add(with_ends(1, game=1))
    found = windows(replay, [0, 1], WindowSize(2, 3, 1))
    assert found.over.tolist() == [[False, False, True, True]] * 2
    assert found.first.tolist() == [[True, True, False, False]] * 2


def test_rows_before_an_overwritten_one_count_as_gone():
    replay = Replay(NUMBERED, 0, capacity=10)
    replay.add(numbered(0, 8, game=0))
    replay.add(numbered(0, 6, game=1))  # overwrites rows 0 to 3
    found = windows(replay, [5, 4], WindowSize(1, 1, 2))
    assert found.observation[:, :, 0].tolist() == [[4, 4, 5], [4, 4, 4]]
    assert found.first.tolist() == [[True, True, False], [True, True, True]]


@pytest.mark.parametrize("context", [0, 1, 4])
def test_context_changes_nothing_from_the_sampled_row_on(context):
    replay = Replay(NUMBERED, 0, capacity=100)
    for game in range(4):
        replay.add(with_ends(game + 2, game))
    numbers = [row for row in range(len(replay)) if not replay.rows["over"][row]]
    plain, longer = (windows(replay, numbers, WindowSize(3, 2, c)) for c in (0, context))
    for name in ("observation", "reward", "discount", "value", "policy", "known", "over", "planned", "taught", "first"):
        assert torch.equal(getattr(plain, name), getattr(longer, name)[:, context:]), name
    assert torch.equal(plain.weight, longer.weight) and torch.equal(plain.number, longer.number)
    assert torch.equal(plain.action[~plain.over[:, :-1]], longer.action[:, context:][~plain.over[:, :-1]])


def test_candidates_are_stored_and_sampled_with_their_weights():
    spec = GameSpec("box", (1,), "float32", Box(2), (0.0, 1.0))
    replay = Replay(spec, 0, 3, capacity=50)
    rng = np.random.default_rng(0)
    columns = numbered(0, 5, tail=True).columns | {
        "legal": np.ones((5, 0), bool),
        "action": spec.actions.draw_any((5,), rng),
        "policy": rng.dirichlet(np.ones(3), 5).astype(np.float32),
        "candidates": spec.actions.draw_any((5, 3), rng),
    }
    replay.add(Segment(SegmentId(0, 0, 0, 0), 0, columns, tail=True))
    found = windows(replay, [0, 2], WindowSize(1, 2))
    assert (found.candidates.numpy() == columns["candidates"][[[0, 1], [2, 3]]]).all()
    assert (found.policy.numpy() == columns["policy"][[[0, 1], [2, 3]]]).all()
    assert (found.action.numpy() == columns["action"][[[0], [2]]]).all() and found.before.shape == (2, 2)
    new = rng.dirichlet(np.ones(3), 1).astype(np.float32), np.ones(1, np.float32)
    assert replay.refresh(np.array([2]), *new, spec.actions.draw_any((1, 3), rng), version=1) == 1
    with pytest.raises(ValueError, match=r"expected finite policy \(1, 3\) and candidates \(1, 3, 2\)"):
        replay.refresh(np.array([2]), *new, version=1)

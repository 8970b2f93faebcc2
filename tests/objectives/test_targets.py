"""Value targets compared with returns computed by hand; signs, ends and cuts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from muzero.objectives.targets import close_cuts, n_step_value, steps_by_age


def row(*numbers):
    return torch.tensor([numbers], dtype=torch.float32)


def always(steps):
    return torch.ones(1, steps, dtype=torch.bool)


def test_a_return_is_the_rewards_and_then_the_bootstrapped_value():
    target = n_step_value(row(1, 2, 3), row(0.5, 0.5, 0.5), row(9, 9, 9, 8), n=3)
    assert target.tolist() == [[1 + 0.5 * 2 + 0.25 * 3 + 0.125 * 8]]


def test_the_opponents_win_counts_against_the_player_to_move():
    # Three moves of alternating players; the last one wins.
    target = n_step_value(row(0, 0, 1, 0), row(-1, -1, 0, 0), row(0, 0, 0, 0, 0), n=2)
    assert target.tolist() == [[0, -1, 1]]
    to_the_end = n_step_value(row(0, 0, 1, 0), row(-1, -1, 0, 0), row(0, 0, 0, 0, 0), n=4)
    assert to_the_end.tolist() == [[1]]


def test_nothing_after_the_end_of_a_game_counts():
    target = n_step_value(row(1, 7, 7), row(0, 1, 1), row(5, 5, 5, 5), n=2)
    assert target[0, 0] == 1


def test_a_game_cut_short_bootstraps_from_its_last_position():
    known = torch.tensor([[True, True, True, False, False]])
    reward, discount = close_cuts(row(1, 1, 50, 50), row(0.9, 0.9, 0.9, 0.9), row(3, 4, 10, 70, 70), known, always(4))
    target = n_step_value(reward, discount, row(3, 4, 10, 70, 70), n=4)
    assert target[0, 0].item() == pytest.approx(1 + 0.9 * (1 + 0.9 * 10))


def test_a_return_ends_with_the_value_before_a_random_action():
    known, planned = torch.ones(1, 5, dtype=torch.bool), always(4)
    planned[0, 2] = False
    value = row(3, 4, 10, 70, 70)
    reward, discount = close_cuts(row(1, 1, 50, 50), row(0.9, 0.9, 0.9, 0.9), value, known, planned)
    target = n_step_value(reward, discount, value, n=2)
    assert target[0].tolist() == pytest.approx([1 + 0.9 * (1 + 0.9 * 10), 1 + 0.9 * 10, 10])


def test_a_window_without_a_cut_is_left_alone():
    known = torch.ones(1, 4, dtype=torch.bool)
    reward, discount = close_cuts(row(1, 2, 3), row(1, 1, 1), row(4, 5, 6, 7), known, always(3))
    assert reward.tolist() == [[1, 2, 3]] and discount.tolist() == [[1, 1, 1]]


@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=100)
def test_targets_equal_the_sum_written_out(n, extra, seed):
    steps = n + extra
    rng = np.random.default_rng(seed)
    reward, value = rng.normal(size=steps), rng.normal(size=steps + 1)
    discount = rng.choice([-1.0, 0.0, 0.9], size=steps)
    found = n_step_value(*(torch.from_numpy(a)[None] for a in (reward, discount, value)), n=n)[0]
    for k in range(extra + 1):
        expected = sum(discount[k : k + i].prod() * reward[k + i] for i in range(n))
        expected += discount[k : k + n].prod() * value[k + n]
        assert found[k].item() == pytest.approx(expected)


def test_a_window_shorter_than_n_is_refused():
    with pytest.raises(ValueError, match="n = 4; expected 1 to the 3 steps"):
        n_step_value(row(1, 1, 1), row(1, 1, 1), row(0, 0, 0, 0), n=4)


@given(st.data())
def test_a_trace_mixes_the_returns_of_all_lengths(data):
    n = data.draw(st.integers(1, 4))
    steps = n + data.draw(st.integers(0, 3))
    trace = data.draw(st.floats(0, 1))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    reward, discount = (torch.from_numpy(rng.normal(size=(2, steps)).astype(np.float32)) for _ in range(2))
    value = torch.from_numpy(rng.normal(size=(2, steps + 1)).astype(np.float32))
    # Sutton and Barto 2018, eq. 12.18: (1 - lambda) lambda^(k-1) of the return of k steps, the rest of that of n.
    shares = [(1 - trace) * trace ** (k - 1) for k in range(1, n)] + [trace ** (n - 1)]
    returns = [n_step_value(reward, discount, value, k)[:, : steps + 1 - n] for k in range(1, n + 1)]
    expected = sum(share * found for share, found in zip(shares, returns, strict=True))
    assert torch.allclose(n_step_value(reward, discount, value, n, trace), expected, atol=1e-4)


@given(st.data())
@settings(deadline=None)
def test_rows_of_different_steps_have_the_targets_of_each(data):
    n = data.draw(st.integers(1, 5))
    width, rows = n + data.draw(st.integers(0, 3)), data.draw(st.integers(1, 4))
    trace = data.draw(st.sampled_from([1.0, 0.8, 0.0]))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    reward, value = (torch.from_numpy(rng.normal(size=(rows, width + more))) for more in (0, 1))
    discount = torch.from_numpy(rng.choice([-1.0, 0.0, 0.9], size=(rows, width)))
    steps = torch.from_numpy(rng.integers(1, n + 1, rows))
    found = n_step_value(reward, discount, value, n, trace, steps)
    for row, mine in enumerate(steps.tolist()):
        one = slice(row, row + 1)
        expected = n_step_value(reward[one], discount[one], value[one], mine, trace)[0, : width + 1 - n]
        torch.testing.assert_close(found[row], expected)


def test_targets_of_older_rows_take_fewer_steps_and_at_least_one():
    ages = torch.tensor([0, 99, 100, 250, 399, 400, 10**12])
    assert steps_by_age(ages, 5, 100).tolist() == [5, 5, 4, 3, 2, 1, 1]
    assert steps_by_age(ages, 1, 100).tolist() == [1] * 7

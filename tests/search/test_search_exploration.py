"""Moves are drawn by their visits, at every temperature."""

import re

import numpy as np
import pytest

from muzero import search
from muzero.search.exploration import draw


def rng():
    return np.random.default_rng(0)


def shares(visits, temperature, draws=20_000):
    drawn = search.sample_action(np.tile(np.array([visits], np.int32), (draws, 1)), temperature, rng())
    return np.bincount(drawn, minlength=len(visits)) / draws


@pytest.mark.parametrize(("temperature", "expected"), [(1.0, [0, 1, 3, 0]), (0.5, [0, 1, 9, 0]), (1e9, [0, 1, 1, 0])])
def test_actions_are_drawn_in_proportion_to_a_power_of_their_visits(temperature, expected):
    chance = np.array(expected) / sum(expected)
    spread = np.sqrt(chance * (1 - chance) / 20_000)
    assert (abs(shares([0, 1, 3, 0], temperature) - chance) <= 4 * spread).all()


def test_temperature_0_takes_the_first_of_the_most_visited_actions():
    visits = np.array([[0, 5, 5, 1], [2, 2, 2, 2], [0, 0, 0, 1]], np.int32)
    assert search.sample_action(visits, 0, rng()).tolist() == [1, 0, 3]


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-8])
def test_a_tiny_temperature_draws_among_the_most_visited_only(temperature):
    assert shares([999_999, 1_000_000, 1, 1_000_000], temperature).tolist() == pytest.approx([0, 0.5, 0, 0.5], abs=0.02)


def test_actions_without_visits_are_never_drawn():
    visits = rng().integers(0, 2, (2000, 9))
    visits[:, 4] += 1
    for temperature in (0, 1e-3, 1, 1e300):
        drawn = search.sample_action(visits, temperature, rng())
        assert drawn.dtype == np.int64 and (visits[np.arange(2000), drawn] > 0).all()


@pytest.mark.parametrize("actions", [1, 2, 3, 7, 8, 9, 1000])
def test_a_draw_finds_what_a_search_of_the_sorted_totals_finds(actions):
    weights = rng().random((20, actions)) * (rng().random((20, actions)) < 0.5)
    weights[:, 0] += 1e-9
    total = weights.cumsum(axis=1)
    place = rng().random((20, 50)) * total[:, -1:]
    expected = [np.searchsorted(total[row], place[row], side="right") for row in range(20)]
    np.testing.assert_array_equal(draw(weights, 50, rng()), expected)


VISITS = np.ones((2, 3), np.int32)
WRONG = [
    (VISITS.tolist(), 1.0, rng(), "visits: expected integers of shape (batch, actions), got <class 'list'>"),
    (VISITS[0], 1.0, rng(), "visits: expected integers of shape (batch, actions), got int32 of shape (3,)"),
    (VISITS / 2, 1.0, rng(), "visits: expected integers of shape (batch, actions), got float64 of shape (2, 3)"),
    (VISITS[:0], 1.0, rng(), "visits: expected integers of shape (batch, actions), got int32 of shape (0, 3)"),
    (VISITS * [[1], [0]], 1.0, rng(), "visits[1] holds no visits; expected one at least"),
    (VISITS * [[1], [-1]], 1.0, rng(), "visits[1] holds a negative number; expected 0 or more"),
    (VISITS, -0.5, rng(), "temperature: expected a finite number, 0 or more, got -0.5"),
    (VISITS, float("nan"), rng(), "temperature: expected a finite number, 0 or more, got nan"),
    (VISITS, float("inf"), rng(), "temperature: expected a finite number, 0 or more, got inf"),
    (VISITS, 10**400, rng(), "temperature: expected a finite number, 0 or more, got 1000"),
    (VISITS, "warm", rng(), "temperature: expected a finite number, 0 or more, got 'warm'"),
    (VISITS, 1.0, 7, "rng: expected a numpy.random.Generator, got 7; try numpy.random.default_rng(seed)"),
]


@pytest.mark.parametrize(("visits", "temperature", "source", "message"), WRONG)
def test_what_cannot_be_drawn_from_is_refused_by_name(visits, temperature, source, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        search.sample_action(visits, temperature, source)

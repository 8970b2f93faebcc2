"""Misspelt words find the right one."""

import random

import pytest
from edits import one_edit
from hypothesis import given
from hypothesis import strategies as st
from sample_schema import KEYS, PLAIN, SCHEMA, problems

from muzero.config.schema import parameters
from muzero.util.text import distance, fewest, nearest


@pytest.mark.parametrize("key", KEYS)
def test_a_key_with_one_edit_suggests_the_key(key):
    wrong = sorted({word for word in one_edit(key) if word and word not in KEYS})
    wrong = random.Random(key).sample(wrong, min(30, len(wrong)))
    right = sum(nearest(word, KEYS) == [key] for word in wrong)
    assert right >= 0.95 * len(wrong)


@pytest.mark.parametrize("table", PLAIN)
def test_the_error_for_a_key_with_one_edit_suggests_the_key(table):
    for key in parameters(SCHEMA[table]):
        wrong = random.Random(key).choice([word for word in one_edit(key) if word and word not in KEYS])
        assert f"did you mean '{key}'?" in problems({table: {wrong: 1}})[0]


def test_the_sample_is_as_large_as_a_real_schema():
    assert len(KEYS) >= 60


def test_nearest_puts_the_likeliest_first_and_knows_when_nothing_is_close():
    games = ["atari/ping", "atari/pong", "board/go", "board/othello"]
    assert nearest("atari/pnog", games) == ["atari/pong"]
    assert nearest("atari/pong", games, 2) == ["atari/pong", "atari/ping"]
    assert nearest("othello", games) == ["board/othello"]
    assert nearest("ATARI/PONG", games) == ["atari/pong"]
    assert nearest("chess", games, 3) == []
    assert nearest("x" * 10**6, games) == []
    assert nearest("x", []) == nearest("", games) == []


@given(st.text("ab_", max_size=6), st.text("ab_", max_size=6))
def test_distance_is_symmetric_and_bounded_by_the_lengths(a, b):
    assert distance(a, b) == distance(b, a)
    assert abs(len(a) - len(b)) <= distance(a, b) <= max(len(a), len(b))
    assert (distance(a, b) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= fewest(a, b, 6) <= distance(a, b)

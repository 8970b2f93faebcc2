"""The time that a run still takes, as its user reads it."""

from dataclasses import replace

import pytest
from statuses import START

from muzero.training.pace import LEAST, Pace

PLAY, BOTH = 1000.0, 100.0  # steps per second, before and after learning begins
ROUND, WARM_UP = 200, 8.0  # steps that arrive together, and seconds of the first updates


def moments(goal=20_000, start=1000, every=0.5):
    """(status, seconds that are left) of a run that plays ten times faster until it learns."""
    arrivals = [step / PLAY for step in range(ROUND, start + ROUND + 1, ROUND)]
    while len(arrivals) * ROUND < goal:
        arrivals.append(arrivals[-1] + ROUND / BOTH + WARM_UP * (len(arrivals) * ROUND == start + ROUND))
    second = every
    while second < arrivals[-1]:
        steps = sum(arrival <= second for arrival in arrivals) * ROUND
        yield (
            replace(START, seconds=second, steps=steps, goal=goal, start=start, done=steps / goal),
            arrivals[-1] - second,
        )
        second += every


def test_the_time_left_is_neither_that_of_play_alone_nor_of_the_first_updates():
    pace, known = Pace(), []
    for status, left in moments():
        pace.add(status)
        found = pace.left(status)
        if found is None:
            assert status.seconds < 14 + LEAST, "a pace is known soon after learning has begun"
            continue
        known.append(status.seconds)
        if status.seconds > 100:  # the first updates are forgotten
            assert found == pytest.approx(left, rel=0.02, abs=1)
        else:
            assert 0.9 * left < found < 2 * left, status.seconds
    assert len(known) > 300


def test_a_run_ends_by_its_time_if_that_is_sooner():
    pace = Pace()
    status = replace(START, seconds=2.0, steps=900, goal=10**9, limit=60.0, done=2 / 60)
    pace.add(status)
    assert pace.left(status) == 58, "also before it learns"
    assert Pace().left(replace(status, limit=None)) is None
    for status, left in moments():  # noqa: B007 (the last one counts)
        pace.add(status)
    assert pace.left(replace(status, limit=status.seconds + 0.1)) == pytest.approx(0.1)
    assert pace.left(replace(status, limit=1e9)) == pytest.approx(left, abs=1)


def test_little_is_kept_of_a_long_run():
    pace = Pace()
    for second in range(0, 100_000, 20):
        pace.add(replace(START, seconds=float(second), steps=1001 + 10 * second, goal=10**7, done=0.1))
    assert 50 < len(pace.moments) < 500 and pace.moments[0][0] == pytest.approx(50_000, rel=0.02)

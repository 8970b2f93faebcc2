"""Automatic evaluations: about ten times over a run, in a small share of its time."""

import pytest

from muzero.evaluation.automatic import FIRST, SHARE, AutomaticEvaluations


def simulated(costs, seconds=1000, restored=0.0):
    """Shares of the run at which evaluations begin, in a session of this many seconds, and the time that they take."""
    automatic, begun, costs = AutomaticEvaluations(), [], list(costs)
    for second in range(seconds + 1):
        done = restored + (1 - restored) * second / seconds
        if automatic.due(done, second):
            begun.append(done)
            automatic.record(done, costs.pop(0) if len(costs) > 1 else costs[0], True)
    return begun, automatic.spent


def test_cheap_evaluations_begin_at_every_tenth_but_the_last():
    begun, _ = simulated([0.1])
    assert begun == pytest.approx([tenth / 10 for tenth in range(1, 10)])


def test_evaluations_that_are_too_expensive_are_left_out():
    begun, spent = simulated([10.0])
    assert 4 <= len(begun) < 9 and spent <= SHARE * 1000


def test_an_evaluation_that_takes_too_long_delays_the_next():
    begun, _ = simulated([20.0, 1.0])
    assert begun[0] == pytest.approx(0.1) and begun[1] >= 0.8


def test_the_first_evaluation_waits_until_it_is_affordable():
    assert simulated([0.001], seconds=int(FIRST / SHARE) - 1)[0] == []


def test_after_a_resume_the_next_tenth_is_evaluated():
    assert simulated([0.1], restored=0.75)[0] == pytest.approx([0.8, 0.9], abs=0.001)


def test_an_evaluation_that_was_ended_doubles_the_expected_cost():
    automatic = AutomaticEvaluations()
    assert not automatic.due(0.05, 50.0) and automatic.due(0.1, 100.0)
    automatic.record(0.1, 4.0, finished=False)
    assert not automatic.due(0.2, 239.0) and automatic.due(0.24, 241.0)

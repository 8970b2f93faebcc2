"""The progress of an evaluation: live in a terminal, plain lines elsewhere, and what it says."""

import io

import pytest

from muzero.cli.evaluate.progress import Estimate, Progress, line
from muzero.play.match import Outcome


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def games(*scores):
    return [Outcome(score, number % 2, 10, number) for number, score in enumerate(scores)]


@pytest.mark.parametrize(("terminal", "every"), [(True, 0.5), (False, 5.0)])
def test_a_line_is_due_at_intervals_and_not_at_the_beginning(terminal, every):
    clock = Clock()
    progress = Progress(Stream(terminal), clock)
    assert not progress.due()
    clock.now += every
    assert progress.due() and progress.seconds == every
    progress.show("now")
    assert not progress.due()


def test_a_terminal_has_one_line_that_is_removed_at_the_end():
    stream = Stream(True)
    progress = Progress(stream, Clock())
    progress.clear()
    assert stream.getvalue() == ""
    progress.show("one\x1b[2J")
    progress.show("two" * 1000)
    assert "\n" not in stream.getvalue() and "one\\x1b[2J" in stream.getvalue() and len(stream.getvalue()) < 1000
    progress.clear()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_a_file_has_plain_lines():
    stream = Stream(False)
    progress = Progress(stream, Clock())
    progress.show("one")
    progress.show("two")
    progress.clear()
    assert stream.getvalue() == "one\ntwo\n"


def test_a_line_says_games_score_and_time():
    two = line(games(1.0, 0.0, -1.0, 1.0), 40, True, 80.0, 9.0, False)
    assert two == "4 of 40 games, w-d-l 2-1-1, 62.5% of points, about 1m20s left"
    one = line(games(20.0, 30.0), 1000, False, None, 75.0, False)
    assert one == "2 of 1,000 games, mean 25.0, 1m15s so far"
    assert line([], 40, True, None, 5.0, True) == "0 of at most 40 games, 5s so far"


def test_what_is_left_becomes_less_while_games_side_by_side_are_under_way():
    estimate = Estimate(300)
    assert estimate.left(0, 50.0) is None
    assert [estimate.left(100, seconds) for seconds in (100.0, 150.0, 190.0)] == [200.0, 150.0, 110.0]
    assert estimate.left(200, 220.0) == 110.0
    assert estimate.left(200, 400.0) == 0.0

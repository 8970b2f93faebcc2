"""Curves of healthy runs: made, stored, read, and compared with."""

import pytest

from muzero.config import ConfigError
from muzero.diagnostics import curve
from muzero.diagnostics.curve import IN_A_ROW, SCORE, SHARES, Curve, Point, Track, load, make

POINTS = [Point(steps, {SCORE: (10.0, 12.0), "health/drift_last": (0.1, 0.2)}) for steps in (100, 200, 300, 400)]
CURVE = Curve("gym/Some-v1", [0, 1, 2], POINTS)
GOOD, SLOW = {SCORE: 11.0, "health/drift_last": 0.15}, {SCORE: 3.0, "health/drift_last": 0.15}


def rows(score, length=1000):
    """Metrics of a run: a row every 10 steps, whose score rises in proportion."""
    return [
        {"steps": steps, "seconds": 1.0, "self_play_score": score * steps, "health/drift_1": score}
        for steps in range(10, length + 1, 10)
    ]


def tracked(*values, every=10):
    """A track, and its warnings, after a row every 10 steps; values: one row for each 100 steps."""
    track, found = Track(CURVE), []
    for place, row in enumerate(values):
        for steps in range(100 * place + every, 100 * place + 101, every):
            found.append(track.add(steps, row))
    found.append(track.add(100 * len(values) + 1, GOOD))
    return track, [message for message in found if message]


def test_a_curve_has_the_lowest_and_highest_mean_since_the_point_before():
    made = make("board/nim", [3, 4], [rows(2.0), rows(1.0, 1200)])
    assert (made.game, made.seeds) == ("board/nim", [3, 4])
    assert [point.steps for point in made.points] == [int(1000 * share) for share in SHARES]
    first, second = made.points[:2]
    assert first.bands == {SCORE: (30.0, 60.0), "health/drift_1": (1.0, 2.0)}  # means of steps 10 to 50
    assert second.bands[SCORE] == (80.0, 160.0)  # of steps 60 to 100


def test_a_number_that_a_run_lacks_is_left_out():
    lacking = [{"steps": steps, "health/drift_1": 1.0} for steps in range(10, 1001, 10)]
    assert set(make("board/nim", [0, 1], [rows(1.0), lacking]).points[0].bands) == {"health/drift_1"}


def test_a_curve_needs_runs_with_metrics():
    for runs in ([], [rows(1.0), []]):
        with pytest.raises(ConfigError, match="needs runs with metrics"):
            make("board/nim", [0], runs)


def test_a_stored_curve_is_read_back(tmp_path):
    file = tmp_path / "some.curve.jsonl"
    made = make("board/nim", [3, 4], [rows(2.0), rows(1.0)])
    file.write_text(made.text())
    assert load(file) == made


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", ":1: "),
        ("[1]\n", "is not a JSON object"),
        ("{\n", "is not JSON"),
        ('{"game": "a"}\n', ":1: "),
        ('{"game": "a", "seeds": [0]}\n{"score": [1, 2]}\n', ":2: steps are None"),
        ('{"game": "a", "seeds": [0]}\n{"steps": 5}\n{"steps": 5}\n', ":3: steps are 5"),
        ('{"game": "a", "seeds": [0]}\n{"steps": 5, "score": [2, 1]}\n', ":2: score is"),
        ('{"game": "a", "seeds": [0]}\n{"steps": 5, "score": [NaN, 1]}\n', ":2: score is"),
        ('{"game": "a", "seeds": [0]}\n{"steps": 5, "score": 1}\n', ":2: score is"),
    ],
)
def test_a_damaged_curve_is_refused_by_line(tmp_path, text, named):
    file = tmp_path / "some.curve.jsonl"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(file)
    assert str(file) in str(error.value) and named in str(error.value)


def test_a_game_without_a_curve_has_none():
    assert curve.of_game("board/no_such_game") is None
    assert curve.of_game("../board/tic_tac_toe") is None


def test_a_run_within_the_band_is_on_track():
    track, found = tracked(GOOD, GOOD, GOOD, GOOD)
    assert (track.text, found) == ("on track", [])


def test_a_run_below_the_band_is_behind_after_some_points_and_warned_of_once():
    track, found = tracked(*[SLOW] * 4)
    assert track.text == "behind healthy runs" and len(found) == 1
    assert f"at {100 * IN_A_ROW} steps score 3 (10 to 12)" in found[0] and "3 runs" in found[0]


def test_a_run_that_catches_up_is_on_track_again():
    track, found = tracked(SLOW, GOOD, SLOW, GOOD)
    assert (track.text, found) == ("on track", [])
    assert tracked(SLOW, SLOW, GOOD)[0].text == "on track"


@pytest.mark.parametrize("row", [{SCORE: 6.0}, {SCORE: 500.0}, {"health/drift_last": 0.0}, {"health/drift_last": 0.49}])
def test_what_is_better_or_just_outside_is_not_behind(row):
    assert tracked(*[row] * 4)[1] == []


def test_what_should_be_low_is_behind_above_the_band():
    [message] = tracked(*[{"health/drift_last": 0.9}] * 4)[1]
    assert "drift of imagined latents 0.9 (0.1 to 0.2)" in message


def test_before_the_first_point_and_where_nothing_was_seen_nothing_is_said():
    track = Track(CURVE)
    assert track.add(50, SLOW) is None and track.text == ""
    resumed = Track(CURVE)
    assert resumed.add(350, GOOD) is None and resumed.text == ""
    assert resumed.add(401, GOOD) is None and resumed.text == "on track"


def test_a_first_point_outside_the_band_is_neither():
    assert tracked(SLOW)[0].text == ""

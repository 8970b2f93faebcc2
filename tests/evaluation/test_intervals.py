"""Statistics of games: intervals with the coverage that they claim, Elo, sequential tests, ratings."""

import math

import numpy as np
import pytest

from muzero.evaluation.intervals import SequentialTest, Summary, elo, pair_shares, share_interval, share_of, wilson
from muzero.evaluation.ratings import rate
from muzero.play.match import Outcome


def games(scores):
    return [Outcome(float(score), number % 2, 10, number, 0, (number,)) for number, score in enumerate(scores)]


def drawn(rng, pairs, win, draw, alike=0.0):
    """Scores of pairs of games; with probability `alike` the second game of a pair ends as the first."""
    first, second = rng.choice([1, 0, -1], (2, pairs), p=[win, draw, 1 - win - draw])
    return np.stack([first, np.where(rng.random(pairs) < alike, first, second)], 1).ravel()


def test_wilson_is_as_published():
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(1.0, 20) == pytest.approx((0.8389, 1.0), abs=1e-4)
    assert wilson(0.3, 0) == (0.0, 1.0)


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.9])
def test_elo_and_share_are_inverse(share):
    assert share_of(elo(share)) == pytest.approx(share)
    assert elo(1 - share) == pytest.approx(-elo(share))


def test_elo_has_its_usual_values():
    assert elo(0.5) == 0 and elo(0.76) == pytest.approx(200, abs=1)
    assert elo(1.0) == math.inf and elo(0.0) == -math.inf


def test_400_even_games_give_34_elo_and_1000_give_22():
    for count, margin in ((400, 34), (1000, 22)):
        scores = np.tile([1, -1, -1, 1, 1, 1, -1, -1], count // 8)
        _, low, high = Summary(games(scores)).elo
        assert (high - low) / 2 == pytest.approx(margin, abs=1)


@pytest.mark.parametrize(
    ("win", "draw", "alike"), [(0.5, 0, 0), (0.5, 0, 0.8), (0.3, 0.5, 0), (0.95, 0.02, 0), (0.02, 0.03, 0.5), (0, 1, 0)]
)
def test_the_interval_of_points_is_right_in_95_percent_of_matches(win, draw, alike):
    rng = np.random.default_rng(0)
    truth, held = win + draw / 2, 0
    for _ in range(1000):
        low, high = share_interval(pair_shares(games(drawn(rng, 50, win, draw, alike))))
        held += low <= truth <= high
    assert held >= 930


def test_games_of_a_pair_count_together():
    alike = Summary(games([1, 1, -1, -1] * 25))
    split = Summary(games([1, -1] * 50))
    assert alike.share == split.share == 0.5
    assert np.ptp(alike.share_interval) > 2 * np.ptp(split.share_interval)


def test_a_summary_has_mean_interval_and_seats():
    summary = Summary(games([1.0, 0.0, -1.0, 1.0]))
    assert summary.mean == 0.25
    assert summary.margin == pytest.approx(1.96 * np.std([1, 0, -1, 1], ddof=1) / 2, rel=1e-3)
    report = summary.report(two_player=True)
    assert (report["wins"], report["draws"], report["losses"]) == (2, 1, 1)
    assert report["moving_first"]["wins"] == 1 and report["moving_second"]["draws"] == 1
    assert report["score_difference"] == 0.25 and report["distinct_games"] == 4


def test_a_report_of_wins_alone_is_still_json():
    report = Summary(games([1] * 40)).report(two_player=True)
    assert report["elo"] is None and report["elo_interval_95"][1] is None and report["elo_interval_95"][0] > 0


@pytest.mark.parametrize(("truth", "expected"), [(0, False), (40, True)])
def test_a_sequential_test_is_right_in_95_percent_of_matches(truth, expected):
    rng, test, right, lengths = np.random.default_rng(1), SequentialTest(0, 40), 0, []
    for _ in range(200):
        shares = drawn(rng, 3000, share_of(truth) - 0.1, 0.2).reshape(-1, 2).mean(1) / 2 + 0.5
        for count in range(10, 3001, 10):
            decided = test.decided(shares[:count])
            if decided is not None:
                break
        right += decided is expected
        lengths.append(count)
    assert right >= 182 and np.mean(lengths) < 1000


def test_ratings_are_those_that_made_the_points():
    true = np.array([0, 100, 250, 400])
    expected = 1 / (1 + 10 ** ((true[None] - true[:, None]) / 400))
    count = np.full((4, 4), 10_000.0)
    ratings = rate(expected * count, count)
    assert ratings.elo == pytest.approx(true, abs=1)


def test_intervals_of_ratings_hold():
    rng, true, held = np.random.default_rng(0), np.array([0, 120, -200]), 0
    for _ in range(300):
        points, count = np.zeros((3, 3)), np.zeros((3, 3))
        for i, j in ((0, 1), (1, 2), (0, 2)):
            won = rng.binomial(60, share_of(true[i] - true[j]))
            points[i, j], points[j, i] = won, 60 - won
            count[i, j] = count[j, i] = 60
        ratings = rate(points, count)
        held += sum(ratings.interval(player)[0] <= true[player] <= ratings.interval(player)[1] for player in (1, 2))
    assert held / 600 == pytest.approx(0.95, abs=0.03)


def test_a_player_who_wins_everything_has_a_finite_rating():
    points = np.array([[0, 0, 0], [50, 0, 0], [50, 50, 0]], float)
    count = np.array([[0, 50, 50], [50, 0, 50], [50, 50, 0]], float)
    ratings = rate(points, count)
    assert 0 < ratings.elo[1] < ratings.elo[2] < 3000
    low, high = ratings.interval(2)
    assert low > 0 and high - low > 200


def test_players_who_never_met_cannot_be_compared():
    count = np.zeros((3, 3))
    count[0, 1] = count[1, 0] = 10
    with pytest.raises(ValueError, match=r"players \[2\] never met the others"):
        rate(count / 2, count)

"""Positions planned again in a run without Ray: how many, which, by which weights; and that runs repeat exactly."""

import signal

import numpy as np
import pytest
from killing import go, in_child, made, stopped, trained, unopened
from rich.console import Console

from muzero import build
from muzero.actors import actor
from muzero.config import ConfigError, parse_settings
from muzero.data.replay import Replay
from muzero.diagnostics.measures import age
from muzero.training import reanalysis
from muzero.training.progress import Progress

GAME = "gym/CartPole-v1"
SEARCHED = 32
ON = ["run.reanalysed_per_step=1.5", "replay.capacity=300"]  # rows are overwritten while they are planned
KILLED = -signal.SIGKILL


@pytest.fixture(autouse=True)
def small_searches(monkeypatch):
    """In processes that are forked from now on too."""
    monkeypatch.setattr(actor, "SEARCHED", SEARCHED)


class Observed:
    """What a run requests and refreshes."""

    def __init__(self, monkeypatch):
        self.requested, self.refreshed, self.owed = [], [], []
        positions, refresh, request = Replay.positions, Replay.refresh, reanalysis.Reanalysis.request

        def note_positions(replay, count):
            found = positions(replay, count)
            rows = range(replay.written - len(replay), replay.written)
            over = {row for row in rows if replay.rows["over"][row % replay.capacity]}
            self.requested.append((count, found.numbers.copy(), rows, over))
            return found

        def note_refresh(replay, numbers, *plans, version):
            self.refreshed.append((len(numbers), version, replay.rows["version"][numbers % replay.capacity].copy()))
            return refresh(replay, numbers, *plans, version=version)

        def note_request(of_run):
            request(of_run)
            due = int((of_run.replay.steps - 100) * of_run.per_step)
            self.owed.append((due, of_run.requested, of_run.owed))

        monkeypatch.setattr(Replay, "positions", note_positions)
        monkeypatch.setattr(Replay, "refresh", note_refresh)
        monkeypatch.setattr(reanalysis.Reanalysis, "request", note_request)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """A run that has ended, and what it did."""
    observed = Observed(monkeypatch)
    return trained(tmp_path / "run", GAME, *ON, "actors.overlap=off"), observed


def test_positions_are_planned_again_in_the_ratio_asked_for(run):
    training, observed = run
    for due, requested, owed in observed.owed:
        assert owed == due - requested and (requested == 0 or owed >= 0)
    due, requested, _ = observed.owed[-1]
    assert requested == sum(len(numbers) for _, numbers, *_ in observed.requested)
    assert 0 <= due - requested < SEARCHED + 1.5 * 4 * 8 * 8  # less than a search, and what two rounds add
    assert all(count % SEARCHED == 0 for count, *_ in observed.requested) and requested > 500
    here = sum(count for count, *_ in observed.refreshed)
    assert 0 < training.status().counters["refreshed_rows"] <= here <= requested


def test_every_row_is_planned_again_once_before_any_a_second_time(run):
    _, observed = run
    waiting, sweeps = set(), 0
    for _, numbers, rows, over in observed.requested:
        found = set(numbers.tolist())
        assert len(found) == len(numbers) and not found & over
        if not found <= waiting:  # the next sweep begins: of the last one, what waits was overwritten or is an end
            assert not (waiting & set(rows)) - over
            waiting, sweeps = set(rows), sweeps + 1
        assert found <= waiting
        waiting -= found
    assert sweeps >= 2


def test_plans_are_by_the_weights_of_the_task_of_play_given_with_them(run):
    training, observed = run
    versions = [version for _, version, _ in observed.refreshed]
    assert versions == sorted(versions) and len(set(versions)) > 5
    assert all((before <= version).all() for _, version, before in observed.refreshed)
    newest = training.replay.rows["version"][: len(training.replay)][training.replay.rows["refreshed"]]
    assert set(newest.tolist()) <= set(versions) and newest.max() == versions[-1]


def test_nothing_is_planned_again_unless_it_is_asked_for(monkeypatch, tmp_path):
    observed = Observed(monkeypatch)
    training = trained(tmp_path / "run", GAME, "actors.overlap=off")
    assert observed.requested == [] and not training.replay.rows["refreshed"].any()


# --- whole runs ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Digests of undisturbed runs in one process."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actor, "SEARCHED", SEARCHED)
        for game in (GAME, "board/tic_tac_toe"):
            folder = tmp_path_factory.mktemp("whole")
            assert in_child(lambda folder=folder, game=game: go(folder, game, *ON, "actors.overlap=off")) == 0
            found[game] = (folder / "digest").read_text()
    return found


@pytest.mark.parametrize("game", [GAME, "board/tic_tac_toe"])
def test_a_run_learns_the_same_with_a_child_as_without(tmp_path, whole, game):
    assert in_child(lambda: go(tmp_path, game, *ON, "actors.overlap=on")) == 0
    assert (tmp_path / "digest").read_text() == whole[game]


PLACES = [
    "train.after_play:kill:14",
    "train.after_play:kill:15",
    "train.after_store:kill:9",
    "actor.after_play:kill:11",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_run_that_is_killed_equals_one_that_was_not(tmp_path, whole, place):
    # An actor that is killed in a child process is replaced; in the run's own process it ends the run.
    overlap = "actors.overlap=off" if place.startswith("actor") else "actors.overlap=on"
    assert in_child(lambda: go(tmp_path, GAME, *ON, overlap), place) == KILLED
    assert in_child(lambda: go(tmp_path, GAME, *ON)) == 0
    assert (tmp_path / "digest").read_text() == whole[GAME]


@pytest.mark.parametrize("after", [12, 13, 14])
def test_a_run_that_is_stopped_with_plans_under_way_equals_one_that_was_not(tmp_path, whole, after):
    assert in_child(lambda: stopped(after, tmp_path, GAME, *ON)) == 0
    assert (tmp_path / "digest").read_text() != whole[GAME]
    assert in_child(lambda: go(tmp_path, GAME, *ON)) == 0
    assert (tmp_path / "digest").read_text() == whole[GAME]


def test_a_run_that_lost_rows_uses_no_plans_that_name_them(tmp_path):
    trained(tmp_path, GAME, *ON, "actors.overlap=off", "run.steps=200")
    again = made(tmp_path, GAME, *ON, "actors.overlap=off")
    forgotten = []
    again.pool.forget_plans = lambda: forgotten.append(True)
    scan = again.experience.log.scan
    again.experience.log.scan = lambda *given: list(scan(*given))[1:]
    warnings = again.restore()
    again.close()
    assert "rows of experience are damaged and lost" in warnings[0] and forgotten == [True]


def test_a_run_that_continues_at_another_rate_counts_from_there(tmp_path):
    before = trained(tmp_path, GAME, *ON, "actors.overlap=off", "run.steps=400")
    assert before.reanalysis.requested > 0
    for settings, begin in ((["run.reanalysed_per_step=0.5"], before.replay.steps), (ON[:1], 100)):
        again = made(tmp_path, GAME, *ON, *settings, "actors.overlap=off")
        again.restore()
        assert again.reanalysis.begin == begin
        assert again.reanalysis.requested == (before.reanalysis.requested if begin == 100 else 0)
        assert 0 <= again.reanalysis.owed < 1.5 * before.replay.steps
        again.close()


def test_a_run_that_continues_with_its_weights_alone_plans_again_once_it_has_enough(tmp_path):
    trained(tmp_path, GAME, *ON, "actors.overlap=off", "run.steps=400")
    again = unopened(tmp_path, GAME, *ON, "actors.overlap=off")
    again.open(weights_only=True)
    again.restore()
    again.reanalysis.request()  # nothing is stored
    again.run(Progress(tmp_path, Console(quiet=True)))
    assert again.replay.rows["refreshed"].any()
    again.close()


@pytest.mark.parametrize(
    "value",
    [3, {}, {"per_step": -1, "begin": 0, "requested": 0}, {"per_step": 1, "begin": 0.5, "requested": 0},
     {"per_step": 1, "begin": 0, "requested": -1}, {"per_step": 1, "begin": 0}],
)  # fmt: skip
def test_a_forged_count_is_refused(tmp_path, value):
    training = made(tmp_path, GAME)
    training.reanalysis.check(None)
    training.reanalysis.check(training.reanalysis.state())
    with pytest.raises(ValueError, match="reanalysis"):
        training.reanalysis.check(value)
    training.close()


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [["actors.count=2"], ["actors.count=-1", "actors.reanalyse=1"]])
def test_actors_on_ray_do_not_plan_again_by_the_step(settings):
    with pytest.raises(ConfigError) as caught:
        build.configure(GAME, [parse_settings(["run.reanalysed_per_step=1", *settings])])
    (problem,) = caught.value.problems
    assert problem.startswith("[run] reanalysed_per_step = 1.0 (from --set) cannot be used with [actors] count = ")
    assert "set run.reanalysed_per_step = 0, and actors.reanalyse to" in problem


def test_the_age_of_experience_falls_when_it_is_planned_again(run):
    training, _ = run
    rows = np.arange(training.replay.written - len(training.replay), training.replay.written)
    refreshed = training.replay.rows["refreshed"][rows % training.replay.capacity]
    young, old = (
        age(training.replay, rows[mask], rows[-10:], training.learner.updates) for mask in (refreshed, ~refreshed)
    )
    assert refreshed.sum() > 50 and young["replay_age"] < old["replay_age"]

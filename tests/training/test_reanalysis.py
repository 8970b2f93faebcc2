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
from muzero.data.schema import Segment, SegmentId
from muzero.diagnostics.measures import age
from muzero.training import reanalysis
from muzero.training.progress import Progress

GAME = "gym/CartPole-v1"
SEARCHED = 32
ON = ["run.reanalysed_per_step=1.5", "replay.capacity=300"]  # rows are overwritten while they are planned
EVERY = ["run.reanalyse_every=20", "replay.capacity=300"]
KILLED = -signal.SIGKILL


@pytest.fixture(autouse=True)
def small_searches(monkeypatch):
    """In processes that are forked from now on too."""
    monkeypatch.setattr(actor, "SEARCHED", SEARCHED)


class Observed:
    """What a run requests and refreshes."""

    def __init__(self, patch):
        self.requested, self.refreshed, self.owed, self.updates = [], [], [], []
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
            before = len(self.requested)
            request(of_run)
            self.updates += [of_run.learning.learner.updates] * (len(self.requested) - before)
            due = int((of_run.replay.steps - 100) * of_run.per_step)
            self.owed.append((due, of_run.requested, of_run.owed))

        patch.setattr(Replay, "positions", note_positions)
        patch.setattr(Replay, "refresh", note_refresh)
        patch.setattr(reanalysis.Reanalysis, "request", note_request)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that has ended, and what it did."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actor, "SEARCHED", SEARCHED)
        observed = Observed(patch)
        return trained(tmp_path_factory.mktemp("run"), GAME, *ON, "actors.overlap=off"), observed


def test_positions_are_planned_again_in_the_ratio_asked_for(run):
    training, observed = run
    for due, requested, owed in observed.owed:
        assert owed == due - requested and (requested == 0 or owed >= 0)
    due, requested, _ = observed.owed[-1]
    assert requested == sum(len(numbers) for _, numbers, *_ in observed.requested)
    assert 0 <= due - requested < SEARCHED + 1.5 * 4 * 8 * 8  # less than a search, and what two rounds add
    assert all(count % SEARCHED == 0 for count, *_ in observed.requested) and requested > 500
    assert all(len(set(numbers)) == len(numbers) for _, numbers, *_ in observed.requested)
    here = sum(count for count, *_ in observed.refreshed)
    assert 0 < training.status().counters["refreshed_rows"] <= here <= requested


def test_no_row_is_planned_again_twice_before_all_others_had_their_turn(run):
    _, observed = run
    last, turn, second = {}, 0, 0
    for _, numbers, rows, over in observed.requested:
        assert len(set(numbers.tolist())) == len(numbers) and not set(numbers.tolist()) & over
        for row in numbers.tolist():
            if row in last:
                assert last[row] == min(at for each, at in last.items() if each in rows and each not in over)
                second += 1
            last[row] = turn = turn + 1
    assert second > 100


def test_plans_are_by_the_weights_of_the_task_of_play_given_with_them(run):
    training, observed = run
    versions = [version for _, version, _ in observed.refreshed]
    assert versions == sorted(versions) and len(set(versions)) > 5
    assert all((before <= version).all() for _, version, before in observed.refreshed)
    newest = training.replay.rows["version"][: len(training.replay)][training.replay.rows["refreshed"]]
    assert set(newest.tolist()) <= set(versions) and newest.max() == versions[-1]


def test_every_row_is_planned_again_in_so_many_updates(monkeypatch, tmp_path):
    observed = Observed(monkeypatch)
    training = trained(tmp_path / "run", GAME, *EVERY, "run.updates_per_step=0.3", "actors.overlap=off")
    assert training.learner.updates > 7 * 20
    round_of = 0.3 * 4 * 8  # updates
    stored, turns = {}, []  # updates at a row's last turn; at first, when it was seen first
    for updates, (_, numbers, rows, over) in zip(observed.updates, observed.requested, strict=True):
        for row in set(rows) - over:
            stored.setdefault(row, updates)
        for row in numbers.tolist():
            turns.append(updates - stored[row])
            stored[row] = updates
        # A search waits until it is full, and a request until a task of self-play is due.
        longest = 20 * (1 + SEARCHED / len(rows)) + 2 * round_of
        assert all(updates - stored[row] <= longest for row in set(rows) - over)
    assert len(turns) > 7 * 200 and max(turns) > 20
    counted = sum(len(rows) for _, _, rows, _ in observed.requested) / len(observed.requested) / 20
    assert training.reanalysis.requested == pytest.approx(counted * training.learner.updates, rel=0.2)


def test_what_cannot_be_planned_in_time_is_not_owed_for_ever(tmp_path):
    training = made(tmp_path, GAME, *EVERY, "actors.overlap=off", "run.start=1")
    training.replay.add(numbered_segment(training, 120))
    training.pool.request = lambda kind, make: False  # no actor is free
    for updates in (0, 10, 19, 15, 100, 10_000):  # once after a recovery
        training.learner.updates = updates
        training.reanalysis.request()
        expected = {0: 0, 10: 60, 19: 114, 15: 114}.get(updates, 120)
        assert training.reanalysis.owed == expected
    training.close()


def numbered_segment(training, rows):
    """A segment of the run's game with this many rows."""
    columns = {column.name: column.rows(rows) for column in training.replay.columns}
    columns["discount"][:] = training.replay.spec.discounts[-1]
    columns["planned"][:] = columns["legal"][:] = True
    return Segment(SegmentId(9, 0, 0, 0), 0, columns, False)


def test_nothing_is_planned_again_unless_it_is_asked_for(monkeypatch, tmp_path):
    observed = Observed(monkeypatch)
    training = trained(tmp_path / "run", GAME, "actors.overlap=off")
    assert observed.requested == [] and not training.replay.rows["refreshed"].any()


# --- whole runs ----------------------------------------------------------------------------------------------------


WHOLE = [(GAME, ON), ("board/tic_tac_toe", ON), (GAME, EVERY)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Digests of undisturbed runs in one process."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actor, "SEARCHED", SEARCHED)
        for game, how in WHOLE:
            folder = tmp_path_factory.mktemp("whole")
            assert in_child(lambda folder=folder, game=game, how=how: go(folder, game, *how, "actors.overlap=off")) == 0
            found[game, *how] = (folder / "digest").read_text()
    return found


@pytest.mark.parametrize(("game", "how"), WHOLE)
def test_a_run_learns_the_same_with_a_child_as_without(tmp_path, whole, game, how):
    assert in_child(lambda: go(tmp_path, game, *how, "actors.overlap=on")) == 0
    assert (tmp_path / "digest").read_text() == whole[game, *how]
    assert len(set(whole.values())) == len(WHOLE)


PLACES = [
    "train.after_play:kill:14",
    "train.after_play:kill:15",
    "train.after_store:kill:9",
    "actor.after_play:kill:11",
]


@pytest.mark.parametrize(("place", "how"), [*((place, ON) for place in PLACES), (PLACES[1], EVERY)])
def test_a_run_that_is_killed_equals_one_that_was_not(tmp_path, whole, place, how):
    # An actor that is killed in a child process is replaced; in the run's own process it ends the run.
    overlap = "actors.overlap=off" if place.startswith("actor") else "actors.overlap=on"
    assert in_child(lambda: go(tmp_path, GAME, *how, overlap), place) == KILLED
    assert in_child(lambda: go(tmp_path, GAME, *how)) == 0
    assert (tmp_path / "digest").read_text() == whole[GAME, *how]


@pytest.mark.parametrize(("after", "how"), [(12, ON), (13, ON), (14, ON), (12, EVERY), (13, EVERY)])
def test_a_run_that_is_stopped_with_plans_under_way_equals_one_that_was_not(tmp_path, whole, after, how):
    assert in_child(lambda: stopped(after, tmp_path, GAME, *how)) == 0
    assert (tmp_path / "digest").read_text() != whole[GAME, *how]
    assert in_child(lambda: go(tmp_path, GAME, *how)) == 0
    assert (tmp_path / "digest").read_text() == whole[GAME, *how]


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
    changes = [(["run.reanalysed_per_step=0.5"], before.replay.steps), (ON[:1], 100)]
    changes.append((["run.reanalysed_per_step=0", "run.reanalyse_every=20"], before.replay.steps))
    for settings, begin in changes:
        again = made(tmp_path, GAME, *ON, *settings, "actors.overlap=off")
        again.restore()
        assert again.reanalysis.begin == begin
        counted = before.reanalysis if begin == 100 else before.learner
        assert again.reanalysis.updates == counted.updates
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


OLD = {"per_step": 0.0, "begin": 100, "requested": 7}  # of a version that did not count by updates


@pytest.mark.parametrize(
    "value",
    [3, {}, {"per_step": -1, "begin": 0, "requested": 0}, {"per_step": 1, "begin": 0.5, "requested": 0},
     {"per_step": 1, "begin": 0, "requested": -1}, {"per_step": 1, "begin": 0},
     OLD | {"every": 0.5}, OLD | {"updates": -1}, OLD | {"for_updates": float("inf")}, OLD | {"for_updates": "1"}],
)  # fmt: skip
def test_a_forged_count_is_refused(tmp_path, value):
    training = made(tmp_path, GAME)
    training.reanalysis.check(None)
    training.reanalysis.check(OLD)
    training.reanalysis.restore(OLD)
    assert (training.reanalysis.requested, training.reanalysis.for_updates) == (7, 0)
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


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            ["run.reanalysed_per_step=1"],
            "cannot be used with [run] reanalysed_per_step = 1.0 (from --set): both say how",
        ),
        (["actors.count=2"], "does nothing with [actors] reanalyse = 0 (from default): set actors.reanalyse to the"),
    ],
)
def test_positions_are_counted_in_one_way_and_planned_by_an_actor_that_is_there(settings, said):
    with pytest.raises(ConfigError) as caught:
        build.configure(GAME, [parse_settings(["run.reanalyse_every=1000", *settings])])
    (problem,) = caught.value.problems
    assert problem.startswith(f"[run] reanalyse_every = 1000 (from --set) {said}")


@pytest.mark.parametrize(
    "settings", [[], ["actors.count=2", "actors.reanalyse=1"], ["actors.count=-1", "actors.reanalyse=1"]]
)
def test_every_position_can_be_planned_again_with_and_without_ray(settings):
    build.configure(GAME, [parse_settings(["run.reanalyse_every=1000", *settings])])


class Idle:
    """A pool of which so many actors wait for positions, and keep all that they get."""

    def __init__(self, actors):
        self.actors, self.searched, self.given = actors, SEARCHED, []

    def request(self, kind, make):
        if len(self.given) == self.actors:
            return False
        self.given.append(make().positions.numbers)
        return True


@pytest.mark.parametrize(("every", "expected"), [(0, 50), (20, 3)])
def test_actors_on_ray_plan_no_more_than_is_owed(tmp_path, every, expected):
    training = made(tmp_path, GAME, "run.start=1", f"run.reanalyse_every={every}")
    training.replay.add(numbered_segment(training, 120))
    of_run = training.reanalysis
    of_run.further, of_run.pool, training.learner.updates = True, Idle(50), 17
    of_run.request()
    assert len(of_run.pool.given) == expected  # 17 of 20 updates: 102 of 120 rows
    training.close()


def test_the_age_of_experience_falls_when_it_is_planned_again(run):
    training, _ = run
    rows = np.arange(training.replay.written - len(training.replay), training.replay.written)
    refreshed = training.replay.rows["refreshed"][rows % training.replay.capacity]
    young, old = (
        age(training.replay, rows[mask], rows[-10:], training.learner.updates) for mask in (refreshed, ~refreshed)
    )
    assert refreshed.sum() > 50 and young["replay_age"] < old["replay_age"]

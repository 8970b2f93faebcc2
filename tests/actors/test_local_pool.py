"""A pool of one actor: the same games in this process and in a child, in an order that only the caller decides."""

import os
import sys

import pytest
import torch

from muzero import build
from muzero.actors import in_process
from muzero.config import ConfigError, parse_settings
from muzero.interfaces import EnvironmentFault, NonFiniteError
from muzero.training import placement

LONG = 300.0  # seconds: no answer takes that long
GAMES = ["board/tic_tac_toe", "gym/CartPole-v1", "python/gated:Gated"]
BOTH = pytest.mark.parametrize("apart", [pytest.param(False, id="in_process"), pytest.param(True, id="child")])


def weights(pool, seed):
    model = build.model(pool.place.config, pool.spec, seed)
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def rounds(pool, count, first=0):
    """What a run asks of a pool: publish, then take a result; as bytes."""
    found = []
    for version in range(first, first + count):
        pool.publish(weights(pool, version), version)
        found.append(plain(pool, pool.next_result(LONG)))
    return found


def plain(pool, result):
    """A result without its number, with segments as records."""
    played = result.found.packed(pool.layout)
    return result.version, played.segments, played.episodes, played.faults, played.rejected, played.last_fault


def state(pool):
    arrays, values = pool.state()
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}, values


@pytest.mark.parametrize("game", GAMES)
def test_a_child_plays_what_is_played_in_this_process(pool_of, game):
    here, child = pool_of(False, game), pool_of(True, game)
    expected = rounds(here, 8)
    assert rounds(child, 8) == expected
    assert sum(len(records) for _, records, *_ in expected) > 4
    assert state(child) == state(here)


@BOTH
def test_a_task_is_played_by_the_weights_published_two_results_before(pool_of, apart):
    pool = pool_of(apart, "gym/CartPole-v1", "selfplay.segment_steps=4")
    found = rounds(pool, 6)
    assert [version for version, *_ in found] == [0, 0, 1, 2, 3, 4]
    of_segments = [{pool.layout.unpack(record).version for record in records} for _, records, *_ in found]
    assert [max(versions) for versions in of_segments] == [0, 0, 1, 2, 3, 4]


@BOTH
def test_weights_that_are_published_twice_and_rounds_without_new_ones_change_no_order(pool_of, apart):
    pool, versions = pool_of(apart), []
    for published in ([0, 0], [], [], [1, 2], [], [3], [3]):
        for version in published:
            pool.publish(weights(pool, version), version)
        versions.append(pool.next_result(LONG).version)
    assert versions == [0, 0, 0, 0, 2, 2, 3]


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False), (True, True)])
@pytest.mark.parametrize("game", GAMES)
def test_a_pool_continues_where_the_state_of_another_was_taken(pool_of, game, first, second):
    before, whole, after = pool_of(first, game), pool_of(False, game), pool_of(second, game)
    rounds(before, 5)
    expected = rounds(whole, 12)[5:]
    arrays, values = before.state()
    assert len(values["pending"]) == 1
    after.check(arrays, values)
    assert after.restore(arrays, values, 0)
    assert rounds(after, 7, first=5) == expected
    assert state(after) == state(whole)
    assert rounds(before, 7, first=5) == expected  # taking the state disturbed nothing


@BOTH
@pytest.mark.parametrize("given", [0, 1, 2])
def test_a_state_holds_as_many_results_as_were_not_taken(pool_of, apart, given):
    pool, again = pool_of(apart), pool_of(False)
    pool.publish(weights(pool, 0), 0)
    for _ in range(given):
        pool._play()
    arrays, values = pool.state()
    assert len(values["pending"]) == given and again.restore(arrays, values, 0)
    again.publish(weights(pool, 1), 1)
    found = [again.next_result(LONG).version for _ in range(4)]
    assert found == {0: [1, 1, 1, 1], 1: [0, 1, 1, 1], 2: [0, 0, 1, 1]}[given]


@BOTH
def test_a_state_of_an_earlier_version_has_no_results(pool_of, apart):
    pool, again = pool_of(apart), pool_of(apart)
    rounds(pool, 3)
    arrays, values = pool.state()
    arrays = {name: array for name, array in arrays.items() if not name.startswith("pending.")}
    del values["pending"]
    again.check(arrays, values)
    assert again.restore(arrays, values, 0)
    assert again.next_result(LONG).found.segments is not None


@BOTH
def test_games_that_cannot_be_brought_back_leave_the_results(pool_of, apart):
    pool, again = pool_of(apart), pool_of(apart)
    rounds(pool, 3)
    arrays, values = pool.state()
    expected = plain(pool, pool.next_result(LONG))
    kept = {name: array for name, array in arrays.items() if name.startswith("pending.")}
    assert not again.restore(kept, values, 7)
    assert again.incarnation == 7
    assert plain(again, again.next_result(LONG)) == expected
    found = [again.layout.unpack(r).id.incarnation for _, records, *_ in rounds(again, 6) for r in records]
    assert found and set(found) == {7}


FORGED = {
    "a value that is not a list": (lambda a, v: (a, v | {"pending": {}}), "expected a list"),
    "a result that is not a table": (lambda a, v: (a, v | {"pending": [3]}), "expected a table"),
    "a count that is missing": (lambda a, v: (a, changed(v, "faults", None)), "faults missing"),
    "a count below 0": (lambda a, v: (a, changed(v, "rejected", -1)), "rejected"),
    "more segments": (lambda a, v: (a, changed(v, "segments", 10**6)), "pending.sizes"),
    "more episodes": (lambda a, v: (a, changed(v, "episodes", 10**6)), "pending.scores"),
    "a version below -1": (lambda a, v: (a, changed(v, "version", -2)), "version"),
    "a fault that is not text": (lambda a, v: (a, changed(v, "last_fault", [1])), "last_fault"),
    "another format": (lambda a, v: (a, changed(v, "format", "{}")), "format"),
    "arrays that are missing": (lambda a, v: ({}, v), "pending.sizes"),
    "records cut short": (lambda a, v: (a | {"pending.records": a["pending.records"][:-1]}, v), "pending.records"),
    "records of floats": (lambda a, v: (a | {"pending.records": a["pending.records"] / 1}, v), "pending.records"),
    "records that are damaged": (lambda a, v: (a | {"pending.records": a["pending.records"] * 0}, v), "is damaged"),
    "sizes below 0": (lambda a, v: (a | {"pending.sizes": a["pending.sizes"] * -1}, v), "pending.sizes"),
    "sizes that overflow": (lambda a, v: (a | {"pending.sizes": a["pending.sizes"] + 2**62}, v), "pending.sizes"),
    "steps below 0": (lambda a, v: (a | {"pending.steps": a["pending.steps"] - 99}, v), "pending.steps"),
}


def changed(values, key, value):
    """The values with a key of the first result replaced; None: left out."""
    first = {name: old for name, old in values["pending"][0].items() if name != key}
    return values | {"pending": [first if value is None else first | {key: value}]}


@pytest.mark.parametrize("case", FORGED)
def test_forged_results_are_refused(pool_of, case):
    pool = pool_of(False, "python/gated:Gated", "selfplay.segment_steps=4", "run.play=25")
    rounds(pool, 1)
    arrays, values = pool.state()
    pool.check(arrays, values)
    assert values["pending"][0]["episodes"] and values["pending"][0]["segments"]
    change, message = FORGED[case]
    with pytest.raises(ValueError, match=message):
        pool.check(*change(arrays, values))


# --- errors --------------------------------------------------------------------------------------------------------


class Private(Exception):
    """An exception that cannot be made again from its arguments."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


@BOTH
@pytest.mark.parametrize("error", [EnvironmentFault("no pole"), NonFiniteError("inf"), KeyError("x"), ValueError("y")])
def test_an_error_is_raised_after_the_results_before_it(pool_of, apart, error, monkeypatch):
    failing(monkeypatch, error, task=3)
    pool = pool_of(apart)
    assert len(rounds(pool, 2)) == 2
    for _ in range(2):  # it stays
        with pytest.raises(type(error)) as raised:
            pool.next_result(LONG)
        assert raised.value.args == error.args
        if apart:
            assert "in fail" in raised.value.__notes__[0] and "test_local_pool.py" in raised.value.__notes__[0]
    arrays, values = pool.state()
    assert arrays == {} and values == {"incarnation": 0, "pending": []}


def test_an_error_that_cannot_be_sent_arrives_with_its_traceback(pool_of, monkeypatch):
    failing(monkeypatch, Private("salt", "pepper"), task=1)
    with pytest.raises(RuntimeError, match=r"(?s)the process that plays failed:.*in fail.*Private: salt and pepper"):
        rounds(pool_of(True), 1)


def failing(monkeypatch, error, task):
    """Make the task of a number raise, in children that begin from now on too."""
    play = in_process.InProcess.play

    def fail(self, number, *rest):
        if number == task:
            raise error
        return play(self, number, *rest)

    monkeypatch.setattr(in_process.InProcess, "play", fail)


@BOTH
def test_a_result_that_is_saved_before_an_error_is_not_lost(pool_of, apart, monkeypatch):
    failing(monkeypatch, EnvironmentFault("no pole"), task=2)
    pool, again = pool_of(apart), pool_of(False)
    pool.publish(weights(pool, 0), 0)
    pool._play()
    pool._play()
    arrays, values = pool.state()
    assert len(values["pending"]) == 1 and not again.restore(arrays, values, 0) and again.incarnation == 1
    assert plain(again, again.next_result(LONG)) == plain(pool, pool.next_result(LONG))
    with pytest.raises(EnvironmentFault):
        pool.next_result(LONG)


@BOTH
def test_an_environment_that_cannot_begin_is_an_error_at_once(pool_of, orders, apart, monkeypatch):
    def fail(self, incarnation):
        raise EnvironmentFault("the pole is gone")

    monkeypatch.setattr(in_process.InProcess, "start", fail)
    with pytest.raises(EnvironmentFault, match="the pole is gone"):
        pool_of(apart)


# --- where the actor is --------------------------------------------------------------------------------------------


def place(settings, device="cpu"):
    config = build.configure("gym/CartPole-v1", [parse_settings(settings)])
    return placement.overlaps(config, torch.device(device))


@pytest.mark.parametrize(
    ("cores", "settings", "expected"),
    [
        (1, [], False),
        (2, [], True),
        (2, ["run.threads=2"], False),
        (3, ["run.threads=2"], True),
        (8, ["actors.overlap=off"], False),
        (1, ["actors.overlap=on"], True),
    ],
)
def test_a_child_plays_where_there_is_a_core_for_it(monkeypatch, cores, settings, expected):
    monkeypatch.setattr(placement, "cores", lambda: cores)
    assert place(settings) is expected


def test_what_cannot_be_forked_plays_in_this_process(monkeypatch):
    monkeypatch.setattr(placement, "cores", lambda: 8)
    assert not place([], "cuda")
    with pytest.raises(ConfigError, match=r'overlap = "on" .*the network is on cuda.*use "auto" or "off"'):
        place(["actors.overlap=on"], "cuda")
    monkeypatch.setitem(sys.modules, "jax", object())
    assert not place([])
    with pytest.raises(ConfigError, match="jax is loaded"):
        place(["actors.overlap=on"])


@BOTH
def test_a_pool_plays_on_one_thread_and_leaves_the_others_to_the_learner(pool_of, apart, monkeypatch):
    """Also where PyTorch has begun others before the child is forked."""
    torch.set_num_threads(2)
    try:
        torch.randn(500, 500) @ torch.randn(500, 500)
        found = rounds(pool_of(apart), 4)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert found == rounds(pool_of(False), 4)


def test_a_result_that_is_not_there_in_time_is_none(pool_of, orders):
    pool = pool_of(True)
    os.mkfifo(orders / "gate")
    pool.publish(weights(pool, 0), 0)
    assert pool.next_result(0) is None and pool.next_result(0) is None
    with open(orders / "gate", "wb"):
        (orders / "gate").unlink()
    found = [pool.next_result(LONG) for _ in range(3)]
    assert [result.number for result in found] == [1, 2, 3]

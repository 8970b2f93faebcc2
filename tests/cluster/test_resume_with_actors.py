"""A run that played on its own and is resumed with actors on Ray: what was played for it and not learned is learned."""

from types import SimpleNamespace

import pytest
import torch
from killing import TINY, made

from muzero import build
from muzero.actors.local import LocalPool
from muzero.cluster.pool import RayPool
from muzero.config import parse_settings

GAME = "board/tic_tac_toe"


class NoSession(SimpleNamespace):
    """A cluster on which no actor ever starts."""

    lost, cores = None, 0.0


def ray_pool(*settings):
    return RayPool(build.configure(GAME, [parse_settings([*TINY, "actors.count=1", *settings])]), NoSession())


@pytest.fixture
def left():
    """What a pool leaves in a checkpoint, and the two results in it as records."""
    pool = LocalPool(build.configure(GAME, [parse_settings(TINY)]), torch.device("cpu"))
    for _ in range(2):
        pool._play()
    arrays, values = pool.state()
    results = [plain(pool.ready.popleft(), pool) for _ in range(2)]
    pool.close()
    assert any(records for _, records, *_ in results)
    return arrays, values, results


def plain(result, pool):
    played = result.found.packed(pool.layout)
    return result.version, played.segments, played.episodes, played.faults


def test_the_results_of_a_run_without_actors_come_first(left):
    arrays, values, results = left
    pool = ray_pool()
    pool.check(arrays, values)
    assert not pool.restore(arrays, values, 0)  # the games are others
    assert [plain(pool.next_result(0), pool) for _ in results] == results


def test_results_not_taken_stay_in_the_next_checkpoint_of_either_kind(left):
    arrays, values, results = left
    pool = ray_pool()
    pool.restore(arrays, values, 0)
    pool.next_result(0)
    again, back = ray_pool(), LocalPool(pool.config, torch.device("cpu"))
    for other in (again, back):
        state = pool.state()
        other.check(*state)
        other.restore(*state, 5)
        assert plain(other.next_result(0), pool) == results[1]
    assert again.state()[1]["pending"] == []
    back.close()


def test_a_stop_stores_them(left):
    arrays, values, results = left
    pool = ray_pool()
    pool.restore(arrays, values, 0)
    assert [plain(result, pool) for result in pool.drain()] == results
    assert pool.drain() == []


@pytest.mark.parametrize("name", ["records", "sizes"])
def test_damaged_results_are_refused(left, name):
    arrays, values, _ = left
    with pytest.raises(ValueError, match=f"pending.{name}"):
        ray_pool().check(arrays | {f"pending.{name}": arrays[f"pending.{name}"][:-1]}, values)


def test_a_resumed_run_acknowledges_what_the_checkpoint_held(tmp_path, monkeypatch):
    training = made(tmp_path, GAME, "actors.overlap=off")
    for _ in range(2):
        training.pool._play()
    training.save(wait=True)
    held = [result.found.packed(training.pool.layout).segments for result in training.pool.ready]
    training.close()
    monkeypatch.setattr("muzero.training.loop.gather", lambda *_: ray_pool())
    resumed = made(tmp_path, GAME)
    (warning,) = resumed.restore()
    assert warning == "the games under way are lost, and new ones begin; the stored experience is kept"
    for _ in held:
        resumed._store(resumed.pool.next_result(0), None)
    ids = [resumed.pool.layout.unpack(record).id for records in held for record in records]
    assert ids and all(resumed.replay.has(number) for number in ids)
    assert resumed.experience.ledger.acknowledged == len(ids)
    resumed.close()

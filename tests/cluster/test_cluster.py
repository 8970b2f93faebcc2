"""Actors on Ray: the same work as in this process, whatever happens to the processes."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from killing import TINY
from on_ray import GAME, LIMIT, settled, take

from muzero import build
from muzero.actors.actor import Actor
from muzero.actors.tasks import Evaluate, Play, Played, Reanalyse, Reanalysed, Task
from muzero.cluster import session as sessions
from muzero.cluster.pool import RayPool
from muzero.config import parse_settings
from muzero.data.plans import StoredPositions
from muzero.data.segment_format import Layout
from muzero.evaluation.in_training import Evaluated
from muzero.interfaces import EnvironmentFault


@pytest.fixture(scope="module")
def session(orders):
    session = sessions.Session("", 4, 0, 100 << 20)
    yield session
    session.close()


@pytest.fixture
def pool_of(session, orders):
    made = []

    def pool(*settings, game=GAME):
        config = build.configure(game, [parse_settings([*TINY, "actors.count=1", *settings])])
        pool = RayPool(config, session)
        made.append(pool)
        weights = build.model(config, pool.spec, 0).state_dict()
        pool.publish({name: tensor.numpy() for name, tensor in weights.items()}, 0)
        return pool

    yield pool
    for pool in made:
        pool.close()
    for file in orders.iterdir():
        file.unlink()


def pids(pool):
    return [int(slot.where.split()[-1]) for slot in pool.slots if slot.alive]


def test_an_actor_on_ray_plays_what_one_in_this_process_plays(pool_of):
    pool = pool_of()
    config = build.configure(GAME, [parse_settings([*TINY, "actors.count=1"])])
    import torch

    here = Actor(config, 0, torch.device("cpu"))
    weights = build.model(config, pool.spec, 0).state_dict()
    here.load({name: tensor.numpy() for name, tensor in weights.items()}, 0)
    layout, there = Layout(pool.spec), take(pool, lambda: pool.tally["acknowledged"] >= 6)
    for result in there:
        expected = here.work(Task(result.number, 0, Play(pool.steps))).found
        assert [layout.pack(segment) for segment in expected.segments] == result.found.segments
        assert expected.episodes == result.found.episodes
    assert sum(len(result.found.segments) for result in there) > 0


def test_an_actor_that_dies_is_replaced_and_its_tasks_fail(pool_of):
    pool = pool_of("actors.count=2")
    take(pool, lambda: len(pids(pool)) == 2)
    victim = pids(pool)[0]
    os.kill(victim, signal.SIGKILL)
    take(pool, lambda: pool.tally["deaths"] == 1 and len(pids(pool)) == 2)
    assert victim not in pids(pool)
    counts = settled(pool)
    assert 1 <= counts["orders/failed"] <= 2
    assert any("actor" in message and str(victim) in message for message in pool.messages())


def test_an_actor_that_hangs_is_replaced_while_the_others_play(pool_of, orders):
    pool = pool_of("actors.count=2", "actors.patience=10.0")  # more than a busy machine delays the other
    take(pool, lambda: len(pids(pool)) == 2)
    (orders / "hang").touch()
    hung = set(pids(pool))
    take(pool, lambda: pool.tally["failed"] and len(pids(pool)) == 2)
    assert settled(pool)["actors/hung"] == 1 and len(hung & set(pids(pool))) == 1
    assert any("gave no answer for" in message for message in pool.messages())


def test_the_first_traceback_is_reported_with_slot_and_node(pool_of, orders):
    pool = pool_of("actors.count=1")
    take(pool)
    (orders / "always raise").touch()
    with pytest.raises(EnvironmentFault, match="no actor works any more"):
        take(pool, lambda: False)
    messages = pool.messages()
    assert (
        "actor 0 (127.0.0.1, process" in messages[0] and "rubber" in messages[0] and "cluster_games.py" in messages[0]
    )
    assert "\x1b" not in messages[0]
    assert "tried once a minute" in messages[-1]


def test_an_actor_that_always_dies_is_given_up_after_a_few_times(pool_of, orders):
    pool = pool_of("actors.count=1")
    take(pool)
    (orders / "always die").touch()
    with pytest.raises(EnvironmentFault, match="no actor works any more"):
        take(pool, lambda: False)
    settled(pool)


def test_a_node_with_other_versions_is_refused_naming_both(pool_of, monkeypatch):
    monkeypatch.setattr(sessions, "versions", lambda: {"muzero": "9.9", "Python": "2.7.18"})
    pool = pool_of()
    with pytest.raises(EnvironmentFault, match=r"muzero 0\.1\.0 on .*, 9\.9 in the driver; Python 3.*, 2\.7\.18 in"):
        take(pool, lambda: False)


def test_weights_travel_only_when_they_are_new_and_segments_tell_their_age(pool_of):
    pool = pool_of()
    layout = Layout(pool.spec)
    take(pool)
    assert pool.due(5)
    weights = build.model(pool.config, pool.spec, 1).state_dict()
    pool.publish({name: tensor.numpy() for name, tensor in weights.items()}, 5)
    assert not pool.due(5)
    versions = []
    for result in take(pool, lambda: pool.tally["acknowledged"] >= 8):
        versions += [layout.unpack(record).version for record in result.found.segments]
    assert versions == sorted(versions) and set(versions) <= {0, 5} and 5 in versions
    assert (pool.age(5), pool.age(0), pool.age(-1)) == (0, 1, 2)


def test_weights_without_room_leave_the_older_ones_in_use(pool_of, monkeypatch):
    def full(weights):
        raise sessions.CallFailed("full", "no room for 5 bytes")

    pool = pool_of()
    with monkeypatch.context() as patch:
        patch.setattr(pool.session, "put", full)
        pool.publish({"weights": np.zeros(3)}, 1)
    assert pool.version == 0
    assert any("could not be published" in message and "no room" in message for message in pool.messages())
    assert {result.version for result in take(pool, lambda: pool.tally["acknowledged"] >= 3)} == {0}
    assert pool.due(1)
    weights = build.model(pool.config, pool.spec, 1).state_dict()
    pool.publish({name: tensor.numpy() for name, tensor in weights.items()}, 1)
    take(pool, lambda: take(pool)[-1].version == 1)
    assert settled(pool)["orders/failed"] == 0


def test_separate_actors_reanalyse_positions_and_evaluate_games(pool_of):
    pool = pool_of("actors.reanalyse=1", "actors.evaluate=1")
    positions = StoredPositions(np.arange(5), np.zeros((5, 2), np.float32), np.ones((5, 3), bool))
    take(pool, lambda: len(pids(pool)) == 3)
    assert pool.request(Reanalyse, lambda: Reanalyse(positions)) and pool.request(Evaluate, lambda: Evaluate(3))
    assert not pool.request(Evaluate, lambda: Evaluate(3))  # one at a time
    results = {}
    end = time.monotonic() + LIMIT
    while len(results) < 2 and time.monotonic() < end:
        result = pool.next_result(1.0)
        if result is not None and not isinstance(result.found, Played):
            results[type(result.found)] = result.found
    reanalysed, evaluated = results[Reanalysed], results[Evaluated]
    assert reanalysed.policy.shape == (5, 3) and reanalysed.value.shape == (5,)
    assert [outcome.score for outcome in evaluated.games["trained"]] == [10.0] * 3


# --- what the machine shows of it ------------------------------------------------------------------------------------


def listening():
    """Local addresses at which processes of this machine listen, by inode."""
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                found[fields[9]] = fields[1].rsplit(":", 1)[0]
    return found


def sockets(process):
    for file in Path(f"/proc/{process}/fd").iterdir():
        try:
            link = os.readlink(file)
        except OSError:
            continue
        if link.startswith("socket:["):
            yield link[8:-1]


LOOPBACKS = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def test_all_of_a_local_session_listens_on_loopback_alone(pool_of, session):
    from muzero.cluster.reaper import members

    take(pool_of())
    addresses = listening()
    processes = [os.getpid(), *members(session.folder)]
    used = [addresses[inode] for process in processes for inode in sockets(process) if inode in addresses]
    assert len(used) >= 5 and set(used) <= LOOPBACKS


def test_only_the_owner_can_read_the_session(session):
    folder = Path(session.folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "token").stat().st_mode & 0o777 == 0o600

"""Actors on Ray: the same work as in this process, whatever happens to the processes."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from killing import TINY
from on_ray import GAME, LIMIT, SUPPORT, settled, take

from muzero import build
from muzero.actors.actor import Actor
from muzero.actors.tasks import Order
from muzero.cluster import session as sessions
from muzero.cluster.pool import RayCrew
from muzero.config import parse_settings
from muzero.data.segment_format import Layout
from muzero.interfaces import EnvironmentFault


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orders")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUZERO_TEST_ORDERS", str(folder))
        patch.setenv("PYTHONPATH", SUPPORT)
        yield folder


@pytest.fixture(scope="module")
def session(orders):
    session = sessions.Session("", 4, 0, 100 << 20)
    yield session
    session.close()


@pytest.fixture
def crew_of(session, orders):
    made = []

    def crew(*settings, game=GAME):
        config = build.configure(game, [parse_settings([*TINY, "actors.count=1", *settings])])
        crew = RayCrew(config, session)
        made.append(crew)
        weights = build.model(config, crew.spec, 0).state_dict()
        crew.publish({name: tensor.numpy() for name, tensor in weights.items()}, 0)
        return crew

    yield crew
    for crew in made:
        crew.close()
    for file in orders.iterdir():
        file.unlink()


def pids(crew):
    return [int(slot.where.split()[-1]) for slot in crew.slots if slot.alive]


def test_an_actor_on_ray_plays_what_one_in_this_process_plays(crew_of):
    crew = crew_of()
    config = build.configure(GAME, [parse_settings([*TINY, "actors.count=1"])])
    import torch

    here = Actor(config, 0, torch.device("cpu"))
    weights = build.model(config, crew.spec, 0).state_dict()
    here.load({name: tensor.numpy() for name, tensor in weights.items()}, 0)
    layout, there = Layout(crew.spec), take(crew, lambda: crew.tally["acknowledged"] >= 6)
    for delivery in there:
        expected = here.work(Order(delivery.order.number, 0, "play", crew.steps))
        assert [layout.pack(segment) for segment in expected.segments] == delivery.segments
        assert expected.episodes == delivery.episodes
    assert sum(len(delivery.segments) for delivery in there) > 0


def test_an_actor_that_dies_is_replaced_and_what_it_was_asked_for_has_failed(crew_of):
    crew = crew_of("actors.count=2")
    take(crew, lambda: len(pids(crew)) == 2)
    victim = pids(crew)[0]
    os.kill(victim, signal.SIGKILL)
    take(crew, lambda: crew.tally["deaths"] == 1 and len(pids(crew)) == 2)
    assert victim not in pids(crew)
    counts = settled(crew)
    assert 1 <= counts["orders/failed"] <= 2
    assert any("actor" in news and str(victim) in news for news in crew.news())


def test_an_actor_that_hangs_is_killed_and_replaced_while_the_others_play(crew_of, orders):
    crew = crew_of("actors.count=2", "actors.patience=3.0")
    take(crew, lambda: len(pids(crew)) == 2)
    (orders / "hang").touch()
    hung = set(pids(crew))
    take(crew, lambda: crew.tally["failed"] and len(pids(crew)) == 2)
    assert settled(crew)["actors/hung"] == 1 and len(hung & set(pids(crew))) == 1
    assert any("gave no answer for" in news for news in crew.news())


def test_the_first_traceback_of_an_actor_is_told_with_slot_and_node(crew_of, orders):
    crew = crew_of("actors.count=1")
    take(crew)
    (orders / "always raise").touch()
    with pytest.raises(EnvironmentFault, match="no actor works any more"):
        take(crew, lambda: False)
    news = crew.news()
    assert "actor 0 (127.0.0.1, process" in news[0] and "rubber" in news[0] and "cluster_games.py" in news[0]
    assert "\x1b" not in news[0]
    assert "tried once a minute" in news[-1]


def test_an_actor_that_always_dies_is_given_up_after_a_few_times(crew_of, orders):
    crew = crew_of("actors.count=1")
    take(crew)
    (orders / "always die").touch()
    with pytest.raises(EnvironmentFault, match="no actor works any more"):
        take(crew, lambda: False)
    settled(crew)


def test_a_node_with_other_versions_is_refused_naming_both(crew_of, monkeypatch):
    from muzero.cluster import pool as module

    monkeypatch.setattr(module, "versions", lambda: {"muzero": "9.9", "Python": "2.7.18"})
    crew = crew_of()
    with pytest.raises(EnvironmentFault, match=r"muzero 0\.1\.0 on .*, 9\.9 in the driver; Python 3.*, 2\.7\.18 in"):
        take(crew, lambda: False)


def test_weights_travel_only_when_they_are_new_and_segments_tell_their_age(crew_of):
    crew = crew_of()
    layout = Layout(crew.spec)
    take(crew)
    assert crew.due(5)
    weights = build.model(crew.config, crew.spec, 1).state_dict()
    crew.publish({name: tensor.numpy() for name, tensor in weights.items()}, 5)
    assert not crew.due(5)
    versions = []
    for delivery in take(crew, lambda: crew.tally["acknowledged"] >= 8):
        versions += [layout.unpack(record).version for record in delivery.segments]
    assert versions == sorted(versions) and set(versions) <= {0, 5} and 5 in versions
    assert (crew.age(5), crew.age(0), crew.age(-1)) == (0, 1, 2)


def test_weights_that_find_no_room_leave_the_older_ones_in_use_until_there_is_some(crew_of, monkeypatch):
    import ray

    def full(value):
        raise ray.exceptions.ObjectStoreFullError("no room for 5 bytes")

    crew = crew_of()
    with monkeypatch.context() as patch:
        patch.setattr(ray, "put", full)
        crew.publish({"weights": np.zeros(3)}, 1)
    assert crew.version == 0 and any("could not be published" in news and "no room" in news for news in crew.news())
    assert {delivery.order.version for delivery in take(crew, lambda: crew.tally["acknowledged"] >= 3)} == {0}
    assert crew.due(1)
    weights = build.model(crew.config, crew.spec, 1).state_dict()
    crew.publish({name: tensor.numpy() for name, tensor in weights.items()}, 1)
    take(crew, lambda: take(crew)[-1].order.version == 1)
    assert settled(crew)["orders/failed"] == 0


def test_positions_are_planned_again_and_games_evaluated_by_actors_of_their_own(crew_of):
    crew = crew_of("actors.reanalyse=1", "actors.evaluate=1")
    positions = {"numbers": np.arange(5), "observation": np.zeros((5, 2), np.float32), "legal": np.ones((5, 3), bool)}
    take(crew, lambda: len(pids(crew)) == 3)
    assert crew.request("reanalyse", lambda: positions) and crew.request("evaluate", lambda: {"count": 3})
    assert not crew.request("evaluate", lambda: {"count": 3})  # one at a time
    results = {}
    end = time.monotonic() + LIMIT
    while len(results) < 2 and time.monotonic() < end:
        delivery = crew.take(1.0)
        if delivery is not None and delivery.order.task != "play":
            results[delivery.order.task] = delivery.result
    assert results["reanalyse"]["policy"].shape == (5, 3) and results["reanalyse"]["value"].shape == (5,)
    assert [outcome.score for outcome in results["evaluate"].games["trained"]] == [10.0] * 3


# --- what the machine shows of it ------------------------------------------------------------------------------------


def listening():
    """Local addresses on which anybody of this machine listens, by inode."""
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


def test_all_of_a_local_session_listens_on_loopback_alone(crew_of, session):
    from muzero.cluster.reaper import members

    take(crew_of())
    addresses = listening()
    processes = [os.getpid(), *members(session.folder)]
    used = [addresses[inode] for process in processes for inode in sockets(process) if inode in addresses]
    assert len(used) >= 5 and set(used) <= LOOPBACKS


def test_only_the_owner_can_read_the_session(session):
    folder = Path(session.folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "token").stat().st_mode & 0o777 == 0o600

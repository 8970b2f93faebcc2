"""Nodes of a cluster on this machine: they come late, they die, they are taken away."""

import os
import shutil
import signal
import tempfile
import time

import pytest
from killing import TINY
from on_ray import settled, take

from muzero import build
from muzero.cluster import session as sessions
from muzero.cluster import tokens
from muzero.cluster.pool import RayPool
from muzero.config import ConfigError, parse_settings

GAME = "gym/CartPole-v1"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A head without cores."""
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(sessions.LOOPBACK, "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tokens.write_token(tmp_path / "token")))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    folder = tempfile.mkdtemp(prefix="mz")  # short: names of sockets have to fit
    monkeypatch.setenv("RAY_TMPDIR", folder)
    for name, value in {"period_ms": 500, "timeout_ms": 1000, "failure_threshold": 3, "initial_delay_ms": 500}.items():
        monkeypatch.setenv(f"RAY_health_check_{name}", str(value))
    from ray._raylet import AuthenticationTokenLoader, Config
    from ray.cluster_utils import Cluster

    Config.initialize("")  # have Ray read token and mode again: it keeps those of the first cluster of a process
    AuthenticationTokenLoader.instance().reset_cache()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield cluster
    cluster.shutdown()
    shutil.rmtree(folder)


@pytest.fixture
def pool(cluster):
    config = build.configure(GAME, [parse_settings([*TINY, "actors.count=-1", f"actors.address={cluster.address}"])])
    pool = RayPool(config)
    weights = build.model(config, pool.spec, 0).state_dict()
    pool.publish({name: tensor.numpy() for name, tensor in weights.items()}, 0)
    yield pool
    pool.close()


def alive(pool):
    return sum(slot.alive for slot in pool.slots)


def test_actors_are_as_many_as_cores_come_and_a_lost_node_is_only_missed(cluster, pool):
    assert pool.next_result(0.1) is None and len(pool.slots) == 1  # at least one waits for room
    first = cluster.add_node(num_cpus=1)
    began = time.monotonic()
    take(pool, lambda: alive(pool) == 1)
    print(f"the first result came {time.monotonic() - began:.1f} s after its node")
    cluster.add_node(num_cpus=1)
    take(pool, lambda: alive(pool) == 2)
    began = time.monotonic()
    for process in first.all_processes["raylet"]:
        os.kill(process.process.pid, signal.SIGKILL)
    take(pool, lambda: pool.tally["deaths"] == 1)
    print(f"the loss of a node was noticed after {time.monotonic() - began:.1f} s")
    before = pool.tally["acknowledged"]
    take(pool, lambda: pool.tally["acknowledged"] > before + 3)
    counts = settled(pool)
    assert counts["actors/alive"] == 1 and counts["orders/failed"] >= 1
    cluster.remove_node(first, allow_graceful=False)
    cluster.add_node(num_cpus=1)
    take(pool, lambda: alive(pool) == 2)
    settled(pool)


def test_a_node_that_is_taken_away_in_order_costs_its_orders_only(cluster, pool):
    _, leaving = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
    take(pool, lambda: alive(pool) == 2)
    cluster.remove_node(leaving, allow_graceful=True)
    take(pool, lambda: pool.tally["deaths"] == 1)
    before = pool.tally["acknowledged"]
    take(pool, lambda: pool.tally["acknowledged"] > before + 3)
    assert settled(pool)["actors/alive"] == 1


def test_a_cluster_is_refused_without_its_token(cluster, monkeypatch, tmp_path):
    file = tokens.write_token(tmp_path / "another")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(file))
    with pytest.raises(ConfigError, match="does not accept the token"):
        tokens.require_token(cluster.address, insecure=False)
    file.chmod(0o640)
    with pytest.raises(ConfigError, match=f"chmod 600 {file}"):
        tokens.require_token(cluster.address, insecure=False)

"""A cluster on two machines, as two network namespaces: tokens, nodes that come late, a network that falls silent."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import code
from killing import TINY

LIMIT = 150.0  # seconds until something that is waited for must have happened


def able():
    name = f"muzero-{os.getpid()}"
    if os.geteuid() or not shutil.which("ip"):
        return False
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    return made and subprocess.run(["ip", "netns", "delete", name], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not able(), reason="needs root and the network namespaces of Linux")


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Network:
    """Two machines, a and b, with a wire between them."""

    def __init__(self, folder):
        self.folder, self.running = folder, []
        tag = secrets.token_hex(3)
        self.names = {side: f"mz{side}{tag}" for side in "ab"}
        self.address = {"a": "10.99.0.1", "b": "10.99.0.2"}
        for side, name in self.names.items():
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
            (folder / side).mkdir()
        a, b = self.names.values()
        ip("link", "add", a, "netns", a, "type", "veth", "peer", "name", b, "netns", b)
        for side, name in self.names.items():
            ip("-n", name, "addr", "add", f"{self.address[side]}/24", "dev", name)
            ip("-n", name, "link", "set", name, "up")

    def wire(self, state):
        ip("-n", self.names["b"], "link", "set", self.names["b"], state)

    def token(self, side, text="ab" * 32, mode=0o600):
        file = self.folder / side / "token"
        file.write_text(text)
        file.chmod(mode)
        return file

    def start(self, side, command, *words):
        """A command on one of the machines."""
        private = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        private |= {"RAY_AUTH_TOKEN_PATH": str(self.folder / side / "token"), "HOME": str(self.folder / side)}
        # Two machines share no temporary directory.
        private |= {"RAY_TMPDIR": f"/tmp/{self.names[side]}", "PYTHONUNBUFFERED": "1"}
        log = (self.folder / f"{len(self.running)}-{command}.log").open("w+")
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.names[side], sys.executable, "-c", code(command), *words],
            env=private,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.running.append((process, log))
        return process

    def said(self, process):
        """What a command printed so far."""
        (log,) = (log for found, log in self.running if found is process)
        return Path(log.name).read_text()

    def close(self):
        for process, _ in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process, log in reversed(self.running):
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
            log.close()
        for name in self.names.values():
            with contextlib.suppress(subprocess.CalledProcessError):
                left = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split()
                for number in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(number), signal.SIGKILL)
                ip("netns", "delete", name)
            shutil.rmtree(f"/tmp/{name}", ignore_errors=True)


@pytest.fixture
def network(tmp_path):
    network = Network(tmp_path)
    yield network
    network.close()


def until(found):
    began = time.monotonic()
    while time.monotonic() < began + LIMIT:
        if result := found():
            return result, time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError(f"not within {LIMIT} s")


HEAD = "10.99.0.1:6379"


def head(network, *words):
    process = network.start("a", "worker", "--head", "--node-ip-address", "10.99.0.1", "--cpus", "0", *words)
    until(lambda: "the head is ready" in network.said(process))
    return process


def join(network, *words):
    return network.start("b", "worker", "--address", HEAD, "--node-ip-address", "10.99.0.2", "--cpus", "1", *words)


def train(network, folder, *words):
    settings = [word for setting in [*TINY, "run.steps=100000000"] for word in ("--set", setting)]
    run = ["--game", "gym/CartPole-v1", "--ray-address", HEAD, "--actors", "1", "--run", str(folder), *settings]
    return network.start("a", "train", *run, *words)


def rows(folder):
    with contextlib.suppress(OSError, ValueError):
        return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return []


def log_size(folder):
    return sum(file.stat().st_size for file in (folder / "replay").glob("*.log")) if (folder / "replay").is_dir() else 0


def grows(folder):
    """Whether more experience is stored than when first asked."""
    before = log_size(folder)
    return lambda: log_size(folder) > before


def test_unusable_tokens_and_clusters_without_one_are_refused(network, tmp_path):
    network.token("a")
    leader = head(network)
    file = network.token("b", "cd" * 32)
    refused = join(network)
    assert refused.wait(60) == 2
    assert "does not accept the token" in network.said(refused) and "RAY_AUTH_TOKEN_PATH" in network.said(refused)
    file.chmod(0o644)
    readable = join(network)
    assert readable.wait(60) == 2 and f"chmod 600 {file}" in network.said(readable)
    file.unlink()
    missing = join(network)
    assert missing.wait(60) == 2 and f"no token for the cluster: {file}" in network.said(missing)
    leader.send_signal(signal.SIGTERM)
    assert leader.wait(60) == 143
    head(network, "--insecure")
    network.token("b")
    open_to_all = join(network)
    assert open_to_all.wait(60) == 2 and "asks for no token" in network.said(open_to_all)
    driver = train(network, tmp_path / "run")
    assert driver.wait(60) == 2 and "or add --insecure" in network.said(driver)
    assert not (tmp_path / "run").exists()
    train(network, tmp_path / "run", "--insecure")
    join(network, "--insecure")
    until(lambda: log_size(tmp_path / "run") > 2000)


def test_a_node_that_comes_late_plays_and_one_that_falls_silent_comes_back(network, tmp_path):
    network.token("a")
    network.token("b")
    head(network)
    folder = tmp_path / "run"
    driver = train(network, folder)
    until(lambda: "0/100,000,000 steps" in network.said(driver))
    node = join(network)
    until(lambda: "joining" in network.said(node))
    _, first = until(lambda: log_size(folder) > 2000)
    network.wire("down")
    _, noticed = until(lambda: "failed" in network.said(driver))
    network.wire("up")
    until(lambda: network.said(node).count("joining") == 2)
    _, again = until(grows(folder))
    print(
        f"first segment {first:.1f} s after a node joined; silence noticed after {noticed:.1f} s; "
        f"playing {again:.1f} s after the node joined again"
    )
    driver.send_signal(signal.SIGINT)
    assert driver.wait(60) == 130
    last = rows(folder)[-1]
    assert last["orders/balance"] == last["segments/balance"] == 0 and last["orders/failed"] >= 1

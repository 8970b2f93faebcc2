"""muzero-worker: a node of a cluster, or its head, for as long as it is wanted."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from muzero.cli.exits import guarded
from muzero.cli.parser import Parser
from muzero.config import ConfigError
from muzero.util.text import printable

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0  # seconds until the cluster is tried again
ENDING = 10.0  # seconds that Ray gets to end
# Ray takes 50 seconds to notice a node that fell silent; with these, about ten.
HEALTH = {"PERIOD_MS": "1000", "TIMEOUT_MS": "3000", "FAILURE_THRESHOLD": "3", "INITIAL_DELAY_MS": "1000"}


def worker_command(arguments: Sequence[str] | None = None) -> int:
    """muzero-worker."""
    parser = Parser(prog="muzero-worker", description="Give this machine to a Ray cluster, so that actors run on it.")
    parser.add_argument("--address", metavar="HOST:PORT", help="the head to join, again whenever it is lost")
    parser.add_argument("--head", action="store_true", help="be the head of a new cluster")
    parser.add_argument("--port", type=int, default=6379, help="of the head (default 6379)")
    parser.add_argument("--node-ip-address", metavar="IP", help="this machine's address, as others reach it")
    parser.add_argument("--cpus", type=int, help="cores to give (default all)")
    parser.add_argument("--gpus", type=int, help="GPUs to give (default all)")
    parser.add_argument("--insecure", action="store_true", help="ask for no token: whoever reaches the cluster owns it")
    options = parser.parse_args(arguments)
    if bool(options.address) == options.head:
        parser.error("say what to join, --address HOST:PORT, or be the --head")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled" if options.insecure else "token"}
    node = Node()
    return lead(node, options) if options.head else follow(node, options)


def lead(node: Node, options: argparse.Namespace) -> int:
    """Be the head until it ends."""
    from muzero.cluster.tokens import check_token, ensure_token

    if not options.insecure:
        path = ensure_token()
        check_token()
        if path is not None:
            print(f"new token in {path}: copy it to every node of the cluster, mode 0600")
    os.environ |= {f"RAY_health_check_{name.lower()}": value for name, value in HEALTH.items()}
    print("nodes join it with: muzero-worker --address HOST:PORT; ending it ends the cluster", flush=True)
    head = ["--head", "--port", str(options.port), "--include-dashboard", "false"]
    code = node.run([*head, *described(options)])
    return 128 + node.stopping if node.stopping else code


def follow(node: Node, options: argparse.Namespace) -> int:
    """Join, and join again, until a signal asks to stop."""
    from muzero.cluster.tokens import Unreachable, require_token

    pause = FIRST_PAUSE
    while not node.stopping:
        try:
            require_token(options.address, options.insecure)
            print(f"joining {printable(options.address)}", flush=True)
            node.run(["--address", options.address, *described(options)])
            pause = FIRST_PAUSE
        except Unreachable as error:
            print(f"{error}; waiting for it", flush=True)
        node.woken.wait(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    return 128 + node.stopping


def described(options: argparse.Namespace) -> list[str]:
    """What this machine gives, as options of `ray start`."""
    given = {"--num-cpus": options.cpus, "--num-gpus": options.gpus, "--node-ip-address": options.node_ip_address}
    return [word for name, value in given.items() if value is not None for word in (name, str(value))]


class Node:
    """Ray on this machine, as a process that ends with this one."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.stopping = 0  # the signal that asks to stop
        self.woken = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: object) -> None:
        self.stopping = number
        self.woken.set()
        if self.child is not None:
            self.child.terminate()

    def run(self, words: list[str]) -> int:
        """`ray start` with these words, until it ends.

        Raises:
            ConfigError: if there is no such command.
        """
        ray = shutil.which("ray", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
        if ray is None:
            raise ConfigError(["there is no command ray beside this one; install muzero in an environment of its own"])
        # A group of its own: of a signal to this one's group it is told by this process, once.
        self.child = subprocess.Popen([ray, "start", "--block", *words], start_new_session=True)
        if self.stopping:
            self.child.terminate()
        while self.child.poll() is None:
            try:
                self.child.wait(ENDING if self.stopping else None)
            except subprocess.TimeoutExpired:
                self.child.kill()
        return self.child.returncode


main = guarded(worker_command)

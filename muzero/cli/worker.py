"""muzero-worker: a node of a cluster, or its head, until it is stopped."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from muzero.cli.exits import guarded
from muzero.cli.parser import Parser, number
from muzero.config import ConfigError
from muzero.util.text import printable

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0  # seconds until the cluster is tried again
ENDING = 10.0  # seconds that Ray gets to end
STARTING = 0.3  # seconds between checks whether the head is ready
SHOWN = 20  # lines of Ray's output, where it fails
# Ray takes 50 seconds to notice a node that fell silent; with these, about ten.
HEALTH = {"PERIOD_MS": "1000", "TIMEOUT_MS": "3000", "FAILURE_THRESHOLD": "3", "INITIAL_DELAY_MS": "1000"}


def worker_command(arguments: Sequence[str] | None = None) -> int:
    """Run muzero-worker until it is stopped; returns its exit code."""
    parser = Parser(prog="muzero-worker", description="Give this machine to a Ray cluster, so that actors run on it.")
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="join the cluster of this head, and join it again whenever it is lost"
    )
    parser.add_argument("--head", action="store_true", help="start a new cluster with this machine as its head")
    parser.add_argument("--port", type=number, default=6379, metavar="N", help="port of the head (default 6379)")
    parser.add_argument("--node-ip-address", metavar="IP", help="the address at which other machines reach this one")
    parser.add_argument("--cpus", type=number, metavar="N", help="cores to offer (default all)")
    parser.add_argument("--gpus", type=number, metavar="N", help="GPUs to offer (default all)")
    parser.add_argument(
        "--insecure", action="store_true", help="ask for no token: anyone who can connect controls the cluster"
    )
    options = parser.parse_args(arguments)
    if bool(options.address) == options.head:
        parser.error("choose one: --address HOST:PORT joins a cluster, --head starts one")
    if not 0 < options.port < 65_536:
        parser.error(f"--port {options.port}: expected 1 to 65535")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled" if options.insecure else "token"}
    node = Node()
    return lead(node, options) if options.head else follow(node, options)


def lead(node: Node, options: argparse.Namespace) -> int:
    """Run the head until it is stopped."""
    from muzero.cluster.host import reachable
    from muzero.cluster.tokens import check_token, ensure_token, token_file

    if not options.insecure:
        path = ensure_token()
        check_token()
        if path is not None:
            print(f"new token in {printable(str(path), 300)}")
    place = own_address(options), options.port
    shown = f"[{place[0]}]:{place[1]}" if ":" in place[0] else f"{place[0]}:{place[1]}"
    if reachable(place):
        raise ConfigError([f"a process already listens at {shown}: stop it, or choose another --port"])
    secret = "" if options.insecure else f", after copying {printable(str(token_file()), 300)} there (mode 0600)"
    flag = " --insecure" if options.insecure else ""

    def announce() -> bool:
        if not reachable(place):
            return False
        print(
            f"the head is ready at {shown}; stopping this process stops the cluster\n"
            f"on every other machine{secret}:\n  muzero-worker --address {shlex.quote(shown)}{flag}\n"
            f"to train:\n  muzero-train --ray-address {shlex.quote(shown)}{flag} --game GAME",
            flush=True,
        )
        return True

    os.environ |= {f"RAY_health_check_{name.lower()}": value for name, value in HEALTH.items()}
    head = ["--head", "--port", str(options.port), "--include-dashboard", "false"]
    code = node.run([*head, *described(options)], announce)
    return 128 + node.stopping if node.stopping else code


def own_address(options: argparse.Namespace) -> str:
    """This machine's address, as other machines reach it."""
    if options.node_ip_address:
        return options.node_ip_address
    import ray

    return ray.util.get_node_ip_address()


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
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, self._stop)

    def _stop(self, number: int, frame: object) -> None:
        self.stopping = number
        self.woken.set()
        if self.child is not None:
            self._end(self.child)

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        """Ask Ray to end; kill what it started if it does not, as a signal early in its start can be lost."""
        child.terminate()
        later = threading.Timer(ENDING, kill_group, (child,))
        later.daemon = True
        later.start()

    def run(self, words: list[str], announce: Callable[[], bool] | None = None) -> int:
        """Run `ray start` until it ends; its output, which advises other commands, is shown only where it fails.

        Args:
            words: its arguments.
            announce: called repeatedly until it returns True.

        Returns:
            The exit code.

        Raises:
            ConfigError: if the command is not installed.
        """
        from muzero.cluster.tokens import ray_command

        ray = ray_command()
        if ray is None:
            raise ConfigError(["the `ray` command was not found next to muzero-worker: pip install ray"])
        with tempfile.TemporaryFile() as output:
            # A group of its own: this process alone passes signals on, once.
            self.child = subprocess.Popen(
                [ray, "start", "--block", *words], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
            if self.stopping:
                self._end(self.child)
            while self.child.poll() is None:
                try:
                    self.child.wait(STARTING if announce else None)
                except subprocess.TimeoutExpired:
                    if announce is not None and not self.stopping and announce():
                        announce = None
            if self.child.returncode and not self.stopping:
                output.seek(0)
                lines = output.read().decode("utf-8", "replace").strip().split("\n")[-SHOWN:]
                print("Ray has ended:", *(printable(line, 300) for line in lines), sep="\n  ", flush=True)
        return self.child.returncode


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a group of its own, and the group."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


main = guarded(worker_command)

"""A session of Ray: one on this machine, closed to everybody else, or one of a cluster that runs already."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from muzero.cluster.tokens import TOKEN_HELP, check_token, forget_token, write_token
from muzero.config import ConfigError
from muzero.util.text import printable

LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # at 0, Ray listens on 127.0.0.1 only; a test lists the sockets
CHECK_EVERY, CHECK_SECONDS, MOST_CHECKS = 2.0, 3.0, 2  # of the head: period, limit, failures in a row


class Unreachable(ConfigError):
    """Nobody is there."""


class Session:
    """Ray, connected."""

    def __init__(self, address: str, cpus: float, gpus: float, store_bytes: int, insecure: bool = False) -> None:
        """address: of a cluster's head, HOST:PORT; empty: a cluster of this machine alone, with so many CPUs and GPUs.

        Raises:
            ConfigError: if it cannot be reached, or does not ask for a token.
        """
        self.folder: str | None = None
        self.reaper: subprocess.Popen[bytes] | None = None
        self.environment = dict(os.environ)
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # Ray's newer behaviour: it leaves CUDA's devices alone
        try:
            if address:
                self._join(address, insecure)
            else:
                self._start(cpus, gpus, store_bytes)
            self._quiet()
        except BaseException:
            self.close()
            raise

    def _start(self, cpus: float, gpus: float, store_bytes: int) -> None:
        if "ray" in sys.modules and sys.modules["ray._private.ray_constants"].ENABLE_RAY_CLUSTER:
            raise ConfigError([f"ray was imported before the actors were started; set {LOOPBACK}=0 before that"])
        self.folder = tempfile.mkdtemp(prefix="muzero-")  # 0700, and short: names of sockets have to fit
        reaper = [sys.executable, "-S", "-E", str(Path(__file__).with_name("reaper.py")), self.folder]
        self.reaper = subprocess.Popen(reaper, stdin=subprocess.PIPE, start_new_session=True)
        os.environ |= {LOOPBACK: "0", "RAY_AUTH_MODE": "token"}
        os.environ.pop("RAY_AUTH_TOKEN", None)
        os.environ.pop("RAY_ADDRESS", None)
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(write_token(Path(self.folder) / "token"))
        import ray

        forget_token()
        ray.init(
            address="local",
            num_cpus=max(1, int(cpus + 0.999)),
            num_gpus=int(gpus + 0.999),
            object_store_memory=store_bytes,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=f"{self.folder}/ray",  # which Ray opens to everybody; the folder around it stays closed
        )

    def _join(self, address: str, insecure: bool) -> None:
        require_token(address, insecure)
        import ray

        forget_token()
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ConfigError([f"--ray-address {printable(address)}: {error}"]) from error

    @staticmethod
    def _quiet() -> None:
        """Ray prints a paragraph for every process that dies, into the live line; the pool says it in a line."""
        from ray._private import worker

        if hasattr(worker, "print_to_stdstream"):
            worker.print_to_stdstream = lambda *_, **__: None

    def watch_head(self, on_loss: Callable[[], None], on_check: Callable[[], None]) -> HeadWatch:
        """Have a thread ask for the head: on_check is called whenever it is there, on_loss when it is gone."""
        import ray

        return HeadWatch(ray.get_runtime_context().gcs_address, on_loss, on_check)

    def close(self) -> None:
        """Leave the cluster; of one that was started here nothing stays."""
        if "ray" in sys.modules:
            import ray

            ray.shutdown()
        if self.reaper is not None and self.reaper.stdin is not None:
            self.reaper.stdin.close()
            self.reaper.wait()
        for name in set(os.environ) | set(self.environment):
            if name.startswith("RAY_") and name != LOOPBACK:  # which is read when ray is imported, once
                restore(name, self.environment.get(name))


def restore(name: str, value: str | None) -> None:
    """An environment variable as it was."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


class HeadWatch:
    """Tries again and again whether the head of the cluster still takes connections.

    Ray itself ends the process without a word a minute after the head is gone: that is the time to save in.
    """

    def __init__(self, address: str, on_loss: Callable[[], None], on_check: Callable[[], None]) -> None:
        host, port = address.rsplit(":", 1)
        self.place, self.on_loss, self.on_check = (host.strip("[]"), int(port)), on_loss, on_check
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, name="head watch", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        failures = 0
        while not self.stopped.wait(CHECK_EVERY):
            failures = 0 if reachable(self.place) else failures + 1
            if failures == MOST_CHECKS:
                self.on_loss()
                return
            if failures == 0 and not self.stopped.is_set():
                self.on_check()

    def stop(self) -> None:
        """Nobody wants to know any more."""
        self.stopped.set()
        self.thread.join(CHECK_SECONDS + 1)


def reachable(place: tuple[str, int]) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection(place, CHECK_SECONDS):
            return True
    except OSError:
        return False


def require_token(address: str, insecure: bool) -> None:
    """Refuse a cluster that cannot be reached, or that lets anybody in.

    Raises:
        ConfigError: saying which, and the remedy.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ConfigError([f"{printable(address)} is no address; expected HOST:PORT, as in 10.0.0.1:6379"])
    if not reachable((host.strip("[]"), int(port))):
        raise Unreachable([f"nobody listens at {printable(address)}; is the head of the cluster running?"])
    if insecure:
        return
    os.environ["RAY_AUTH_MODE"] = "token"
    check_token()
    if answers(address, RAY_AUTH_MODE="disabled"):
        problem = f"the cluster at {address} asks for no token: whoever reaches it can run anything there"
        raise ConfigError([f"{problem}; start it with RAY_AUTH_MODE=token (muzero-worker --head), or add --insecure"])
    if not answers(address):
        raise ConfigError([f"the cluster at {address} does not accept the token; {TOKEN_HELP}"])


def answers(address: str, **environment: str) -> bool:
    """Whether a cluster's head answers somebody with these variables."""
    ray = shutil.which("ray", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    command = [ray or "ray", "health-check", "--address", address, "--skip-version-check"]
    result: Any = subprocess.run(command, env=os.environ | environment, capture_output=True, check=False)
    return result.returncode == 0

"""A session of Ray, as a driver sees it: on this machine, closed to others, or on a cluster that already runs."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from muzero.actors.tasks import LostCluster, NoCluster
from muzero.cluster.reaper import end, members
from muzero.cluster.remote import Raised, versions
from muzero.cluster.tokens import require_token, write_token
from muzero.config import ConfigError
from muzero.util.messages import pack, unpack
from muzero.util.text import printable

LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # at 0, Ray listens on 127.0.0.1 only; a test lists the sockets
START_SECONDS, ATTEMPTS = 240.0, 3  # until Ray must have started on this machine
CLOSE_SECONDS = 15.0  # for Ray to end
LATE = "timed out"  # part of Ray's messages about processes that are slow to start
LONGEST_BASE = 22  # bytes of a folder for sessions: Ray appends 85 for its sockets, whose names are limited to 107


class CallFailed(RuntimeError):
    """A call of a remote object failed.

    kind: "raised" by the method; "died" or "unavailable", of its process; "full", of the object store; or "failed".
    """

    def __init__(self, kind: str, text: str, cause: bytes | None = None) -> None:
        super().__init__(text)
        self.kind, self.cause = kind, cause


class Session:
    """Ray, by way of a process beside the driver; see `muzero.cluster.host`.

    `lost` says why Ray can no longer be reached; `cores` is the number of the cluster's cores.
    """

    def __init__(self, address: str, cpus: float, gpus: float, store_bytes: int, insecure: bool = False) -> None:
        """Connect.

        Args:
            address: HOST:PORT of a cluster's head; empty: start Ray on this machine.
            cpus: cores of Ray on this machine.
            gpus: its GPUs.
            store_bytes: size of its object store.
            insecure: whether to join a cluster that asks for no token.

        Raises:
            ConfigError: if the cluster cannot be reached, does not ask for a token or does not accept ours.
            NoCluster: if Ray does not start in time.
        """
        self.lost: str | None = None
        self.on_loss: Callable[[], None] = lambda: None  # called from a thread
        self.cores = 0.0
        self.numbers = count(1)
        self.pending: dict[int, Future[Any]] = {}
        self.noting, self.sending = threading.Lock(), threading.Lock()  # of `pending`, of what is sent
        self.host: subprocess.Popen[bytes] | None = None
        self.link: Connection | None = None
        self.closing = False
        if address:
            require_token(address, insecure)
        self.folder = private_folder()
        reaper = [sys.executable, "-S", "-E", str(Path(__file__).with_name("reaper.py")), self.folder]
        self.reaper = subprocess.Popen(reaper, stdin=subprocess.PIPE, start_new_session=True)
        self.environment = self._environment(address, insecure)
        try:
            self._start(address=address, cpus=cpus, gpus=gpus, store_bytes=store_bytes, folder=self.folder)
        except BaseException:
            self.close()
            raise
        self.reader = threading.Thread(target=self._read, name="Ray's answers", daemon=True)
        self.reader.start()

    def _environment(self, address: str, insecure: bool) -> dict[str, str]:
        """The variables of the host's process, which Ray's processes on this machine inherit."""
        made = os.environ | {
            "MUZERO_SESSION": self.folder,  # the reaper finds processes by this
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # Ray's newer behaviour: it leaves CUDA's devices alone
            "RAY_gcs_server_port_wait_time_s": "120",  # of a loaded machine, instead of 30
            "PYTHONPATH": os.pathsep.join(package_path()),
        }
        if not address:
            made |= {LOOPBACK: "0", "RAY_AUTH_MODE": "token"}
            made["RAY_AUTH_TOKEN_PATH"] = str(write_token(Path(self.folder) / "token"))
            return {name: text for name, text in made.items() if name not in ("RAY_AUTH_TOKEN", "RAY_ADDRESS")}
        return made if insecure else made | {"RAY_AUTH_MODE": "token"}

    def _start(self, **settings: Any) -> None:
        """Start the host.  Where Ray did not come up in time, as on a loaded machine, it is tried again."""
        began, problem = time.monotonic(), None
        for _ in range(ATTEMPTS):
            problem = self._try(settings, began + START_SECONDS)
            if problem is None:
                return
            if settings["address"]:
                raise ConfigError([f"--ray-address {printable(settings['address'])}: {problem}"])
            if LATE not in problem or time.monotonic() > began + START_SECONDS:
                break
        advice = "is the machine overloaded? --actors 0 plays in this process, without Ray"
        raise NoCluster(f"Ray did not start: {problem} ({time.monotonic() - began:.0f} s); {advice}")

    def _try(self, settings: dict[str, Any], until: float) -> str | None:
        """Start the host once.  Returns what went wrong; nothing of it is left then."""
        link, other = Pipe()
        with tempfile.TemporaryFile() as errors, other:
            self.host = subprocess.Popen(
                [sys.executable, "-m", "muzero.cluster.host", str(other.fileno())],
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=self.environment,
                cwd=self.folder,  # Ray lets actors import from here first: not from a clone of this project
                start_new_session=True,
            )
            other.close()  # so that the end of the host ends the stream
            link.send(settings)
            try:
                answer = link.recv() if link.poll(max(0.0, until - time.monotonic())) else ("failed", LATE)
            except EOFError:
                errors.seek(0)
                answer = ("failed", f"its process ended: {last_line(errors.read())}")
        if answer == ("ready",):
            self.link = link
            return None
        link.close()
        end([self.host.pid, *(pid for pid in members(self.folder) if pid != self.reaper.pid)])
        self.host.wait()
        return str(answer[1])

    # --- calls ---------------------------------------------------------------------------------------------------

    def make(self, options: dict[str, Any], made: Callable[..., Any], *arguments: Any) -> int:
        """Ask for an object in a process of Ray.

        Args:
            options: of Ray's actor.
            made: the class, importable on every node.
            arguments: of the class.

        Returns:
            The object's key, for `call` and `kill`.
        """
        key = next(self.numbers)
        making = pack((made, arguments))
        self._send("make", key, options, (versions(), os.getcwd(), making))
        return key

    def call(self, key: int, method: str, *arguments: Any, with_weights: bool = False) -> Future[Any]:
        """Call a method of a remote object.

        Args:
            key: of the object.
            method: its name.
            arguments: of the method.
            with_weights: whether the newest weights follow as one more argument, a `Published`.

        Returns:
            The result to come, or a `CallFailed` or `LostCluster`.
        """
        return self._ask("call", key, method, pack(arguments), with_weights)

    def put(self, weights: Any) -> None:
        """Publish weights: calls from now on get these.

        Raises:
            CallFailed: if the object store is full; the older ones stay.
            LostCluster: if Ray is gone.
        """
        self._ask("put", pack(weights)).result()

    def kill(self, key: int, restart: bool = False) -> None:
        """End a remote object's process; restart: have Ray start another with the same object."""
        self._send("kill", key, restart)

    def _ask(self, name: str, *rest: Any) -> Future[Any]:
        number, future = next(self.numbers), Future[Any]()
        with self.noting:
            self.pending[number] = future
        self._send(name, number, *rest)
        if self.lost is not None:  # it may have been lost before the future was noted
            self._fail_pending()
        return future

    def _send(self, *message: Any) -> None:
        if self.link is None:
            return
        with suppress(OSError), self.sending:  # the host may be gone: the reader says so
            self.link.send(message)

    # --- answers -------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Take answers until the host ends."""
        assert self.link is not None
        reason = "Ray on this machine has ended (was it killed for lack of memory?), and with it all actors"
        while True:
            try:
                name, *rest = self.link.recv()
            except (EOFError, OSError):
                break
            if name == "cores":
                (self.cores,) = rest
            elif name == "lost":
                (reason,) = rest
            else:
                self._settle(name, *rest)
        if not self.closing:
            self.lost = reason
            self._fail_pending()
            self.on_loss()

    def _settle(self, name: str, number: int, *rest: Any) -> None:
        with self.noting:
            future = self.pending.pop(number)
        if name == "error":
            future.set_exception(CallFailed(*rest))
            return
        try:
            result = None if rest[0] is None else unpack(rest[0])
        except Exception as error:  # as where a class exists on one side only
            future.set_exception(CallFailed("failed", f"the result cannot be unpacked: {error}"))
            return
        if isinstance(result, Raised):
            future.set_exception(CallFailed("raised", result.text, result.cause))
        else:
            future.set_result(result)

    def _fail_pending(self) -> None:
        with self.noting:
            pending, self.pending = self.pending, {}
        for future in pending.values():
            future.set_exception(LostCluster(self.lost))

    def close(self) -> None:
        """Leave the cluster; of one that was started here nothing stays."""
        self.closing = True
        if self.host is not None and self.link is not None:
            self._send("close")
            with suppress(subprocess.TimeoutExpired):  # the reaper ends it then
                self.host.wait(CLOSE_SECONDS)
        assert self.reaper.stdin is not None
        self.reaper.stdin.close()
        self.reaper.wait()
        if self.host is not None:
            self.host.wait()
        if self.link is not None:
            self.reader.join()
            self.link.close()


def private_folder() -> str:
    """A new folder that only its owner can enter, short enough for the names of Ray's sockets.

    Raises:
        ConfigError: if no such folder can be made.
    """
    places = [tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp", "/var/tmp"]
    for place in places:
        if place.startswith("/") and len(os.fsencode(place)) <= LONGEST_BASE and os.access(place, os.W_OK | os.X_OK):
            return tempfile.mkdtemp(prefix="muzero-", dir=place)  # mode 0700
    problem = f"no folder for Ray's sockets: none of {', '.join(filter(None, places))} is writable"
    raise ConfigError([f"{problem} and at most {LONGEST_BASE} bytes long; set TMPDIR to one that is"])


def package_path() -> list[str]:
    """PYTHONPATH for other processes: as here, after the folder of this package if that is not an installed one."""
    root = str(Path(__file__).parents[2])
    installed = [*site.getsitepackages(), site.getusersitepackages()]
    own = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return own if root in [*installed, *own] else [root, *own]


def last_line(output: bytes) -> str:
    """The last line of a process's output, safe to print."""
    lines = output.decode("utf-8", "replace").strip().split("\n")
    return printable(lines[-1], 300) or "without a message"

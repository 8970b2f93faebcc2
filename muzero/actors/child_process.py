"""An actor of a `LocalPool` in a forked process, which ends with the process that made it, however that ends.

Forking takes milliseconds, and the child finds the modules, settings and output of its parent.  It has one thread, see
`muzero.inference.forking`, and uses no GPU.  It ignores the signals with which a user stops a run: its parent decides.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import socket
import sys
import traceback
import warnings
from collections import deque
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, NamedTuple
from weakref import WeakSet

import numpy as np
import torch
from safetensors import numpy as safetensors

from muzero import build
from muzero.actors.in_process import Given, InProcess, Raised
from muzero.actors.tasks import Played, Result, Weights
from muzero.config import Config
from muzero.data.plans import StoredPositions
from muzero.data.segment_format import Layout
from muzero.interfaces import GameSpec
from muzero.util.messages import pack, unpack
from muzero.util.signals import SIGNALS
from muzero.util.tensors import on_host

GRACE = 10.0  # seconds for a child that is asked to end
SMALL = 65_536  # bytes of a message that a link takes whether or not the child reads
LOOK = 1.0  # seconds without an answer after which a child is looked after
PR_SET_PDEATHSIG = 1  # of prctl(2)

_links: WeakSet[Connection] = WeakSet()  # to all children of this process: a new child closes its copies


class Died(Exception):
    """A child process ended; the message says how."""


class InMemory(NamedTuple):
    """Arrays in a file in memory, which parent and child have open under the same number."""

    file: int
    size: int

    def __call__(self) -> dict[str, np.ndarray]:
        return safetensors.load(os.pread(self.file, self.size, 0))


class InMessage(NamedTuple):
    """Arrays as they are sent where no file can hold them."""

    content: bytes

    def __call__(self) -> dict[str, np.ndarray]:
        return safetensors.load(self.content)


class Files:
    """Two files in memory, used in turn: one can be written while the child still has to read the other."""

    def __init__(self, name: str) -> None:
        self.files = [os.memfd_create(f"{name} {number}") for number in range(2)]

    def put(self, arrays: dict[str, np.ndarray]) -> Given:
        """Write arrays.  The child must have read those of the time before the last."""
        self.files.reverse()
        content = safetensors.save(arrays)
        try:
            os.ftruncate(self.files[0], len(content))
            os.pwrite(self.files[0], content, 0)
        except OSError:  # a limit of the size of files (ulimit -f) is one of those in memory, too
            return InMessage(content)
        return InMemory(self.files[0], len(content))

    def close(self) -> None:
        """Free the memory, once the child has ended."""
        for file in self.files:
            os.close(file)
        self.files = []


class ChildProcess:
    """An actor that works while its caller does something else; see `InProcess` for the methods."""

    def __init__(self, config: Config, slot: int = 0) -> None:
        self.config, self.slot = config, slot
        self.weights, self.positions = Files("weights"), Files("positions")
        self.unanswered = 0  # calls whose answer `receive` has not returned
        self.early = deque[bytes]()  # answers that were read before they were asked for
        self.link: Connection | None = None
        self.process: int | None = None

    def start(self, incarnation: int) -> GameSpec:
        """Begin new games in a new process.

        Raises:
            Died: if it ends at once.
            EnvironmentFault: if an environment does not work.
            OSError: if there can be no more processes.
        """
        here, there = (Connection(end.detach()) for end in socket.socketpair())
        parent = os.getpid()
        flush()  # or both processes would print what waits
        with warnings.catch_warnings():
            # Python warns of threads, which are missing in the child: it has one by `muzero.inference.forking`.
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
        if process == 0:
            here.close()
            live(parent, there, self.config, self.slot, incarnation)
        there.close()
        self.link, self.process = here, process
        self.unanswered = 1  # what it says first
        self.early.clear()
        _links.add(here)
        while (spec := self.receive(LOOK)) is None:
            pass
        if isinstance(spec, Raised):
            raise spec.error
        return spec

    def put(self, weights: Weights) -> Given:
        """Make weights ready to be sent; see `Files.put`."""
        return self.weights.put(on_host(weights))

    def put_positions(self, positions: StoredPositions) -> Given:
        """Make positions ready to be sent; see `Files.put`."""
        return self.positions.put(positions._asdict())

    def send(self, method: str, *arguments: Any) -> None:
        """Call a method; it returns at once, or where the message is large, once the calls before are answered."""
        assert self.link is not None
        content = pack((method, *arguments))
        with suppress(EOFError, OSError):  # of a child that has died: `receive` says so
            # While it sends an answer, a child reads nothing: both would wait for the other.
            while len(content) > SMALL and len(self.early) < self.unanswered and self._readable(math.inf):
                self.early.append(self.link.recv_bytes())
            self.link.send_bytes(content)
        self.unanswered += 1

    def receive(self, timeout: float) -> Any:
        """The next answer, or None if it is not there in time.

        Raises:
            Died: if the child has ended.
        """
        assert self.link is not None
        try:
            if not self.early and not self._readable(timeout):
                return None
            answer = self.early.popleft() if self.early else self.link.recv_bytes()
        except (EOFError, OSError):
            raise Died(self._end()) from None
        self.unanswered -= 1
        return unpack(answer)

    def _readable(self, timeout: float) -> bool:
        """Whether an answer is there in time.

        Raises:
            EOFError: if the child has ended.
        """
        assert self.link is not None
        # In steps: where a process that the child started holds its end of the link, that does not close.
        while not self.link.poll(min(timeout, LOOK)):
            if self._ended():
                raise EOFError
            if (timeout := timeout - LOOK) <= 0:
                return False
        return True

    def _ended(self) -> bool:
        """Whether the child has ended, which stays to be asked for."""
        assert self.process is not None
        try:
            return os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def _end(self) -> str:
        """End the child if it has not ended.  Returns how it ended."""
        assert self.process is not None and self.link is not None
        self.link.close()
        try:
            os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # raises for others than children
            os.kill(self.process, signal.SIGKILL)  # which does not change how a process ended that is ending
            code = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        except ChildProcessError:  # an environment in this process waited for it
            return "ended"
        finally:
            self.process = None
        if code >= 0:
            return f"ended with exit code {code}"
        hint = " (for lack of memory?)" if code == -signal.SIGKILL else ""
        return f"was ended by {signal.Signals(-code).name}{hint}"

    def close(self) -> None:
        """Let the child finish what it does and close its environments, and end it if that takes too long."""
        if self.process is not None and self.link is not None:
            with suppress(OSError, EOFError):
                with socket.socket(fileno=os.dup(self.link.fileno())) as end:
                    end.shutdown(socket.SHUT_WR)  # also where another process holds a copy of this end
                while self.link.poll(GRACE):
                    self.link.recv_bytes()
            self._end()
        self.weights.close()
        self.positions.close()


# --- in the child --------------------------------------------------------------------------------------------------


def live(parent: int, link: Connection, config: Config, slot: int, incarnation: int) -> None:
    """All that a child does; it does not return."""
    code = 1
    try:
        die_with(parent)
        for other in list(_links):
            other.close()
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, ignore)  # not SIG_IGN, which what an environment starts would inherit
        serve(link, config, slot, incarnation)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        flush()
        os._exit(code)


def die_with(parent: int) -> None:
    """Have the system kill this process when its parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before that
        os._exit(1)


def ignore(number: int, frame: Any) -> None:
    """Handle a signal by doing nothing."""


def serve(link: Connection, config: Config, slot: int, incarnation: int) -> None:
    """Answer calls, in their order, until the other end closes."""
    actor = InProcess(config, torch.device("cpu"), slot)
    try:
        spec = attempted(actor.start, incarnation)
        link.send_bytes(pack(spec))
        if isinstance(spec, Raised):
            return
        layout = Layout(spec, build.candidates(config, spec))
        with suppress(EOFError, ConnectionError):
            while True:
                method, *arguments = unpack(link.recv_bytes())
                answer = attempted(getattr(actor, method), *arguments)
                if isinstance(answer, Result) and isinstance(answer.found, Played):
                    answer = replace(answer, found=answer.found.packed(layout))
                flush()
                link.send_bytes(pack(answer))
    finally:
        actor.close()


def attempted(call: Any, *arguments: Any) -> Any:
    """What a call returns, or `Raised`, in a form that can be sent."""
    try:
        return call(*arguments)
    except BaseException as error:
        text = traceback.format_exc().strip()
        with suppress(AttributeError, TypeError):
            error.add_note(f"In the process that plays:\n{text}")
        try:
            unpack(pack(error))
        except Exception:  # as of an exception with arguments of its own
            return Raised(RuntimeError(f"the process that plays failed:\n{text}"))
        return Raised(error)


def flush() -> None:
    """Print what waits in buffers: of Python, and of libraries in C."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    ctypes.CDLL(None).fflush(None)

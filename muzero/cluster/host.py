"""The process that speaks to Ray for a driver.

Ray ends the process that is connected to it, without a word, as soon as its node on this machine (the raylet) is gone.
So the driver, which has weights to save, is not connected itself; when this process ends, the driver reads the end of
a stream.  Run as `python -m muzero.cluster.host FD`, where FD is its end of a socket pair.

Messages are tuples.  From the driver: the settings of `connect`, then
    ("make", key, options, arguments)    an actor of class `Remote`
    ("call", number, key, method, arguments, with_weights)
    ("put", number, value)               publish weights: bytes
    ("kill", key, restart)
    ("close",)
and to the driver:
    ("ready",) or ("failed", text)
    ("done", number, value), ("error", number, kind, text)
    ("cores", count)                     of the cluster, whenever the number changes
    ("lost", text)                       the last message
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

CHECK_EVERY, CHECK_SECONDS, MOST_CHECKS = 2.0, 3.0, 2  # of head and raylet: period, limit, failures in a row


def connect(address: str, cpus: float, gpus: float, store_bytes: int, folder: str) -> None:
    """Start Ray on this machine, or join a cluster.

    Args:
        address: of a cluster's head, HOST:PORT; empty: start Ray here.
        cpus: of Ray on this machine.
        gpus: likewise.
        store_bytes: size of its object store.
        folder: for its files.
    """
    import ray

    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        ray.init(address=address, **common)
        return
    ray.init(
        address="local",
        num_cpus=max(1, int(cpus + 0.999)),
        num_gpus=int(gpus + 0.999),
        object_store_memory=store_bytes,
        include_dashboard=False,
        _temp_dir=f"{folder}/ray",  # which Ray opens to everybody; the folder around it stays closed
        **common,
    )


class Host:
    """Carries out a driver's messages."""

    def __init__(self, link: Connection) -> None:
        self.link = link
        self.lock = threading.Lock()  # of what is sent
        self.actors: dict[int, Any] = {}
        self.box: list[Any] = []  # the reference to the newest weights; in a list, so that Ray passes it on as it is

    def send(self, *message: Any) -> None:
        """Send a message; a driver that is gone is noticed where messages are read."""
        with suppress(OSError), self.lock:
            self.link.send(message)

    def serve(self) -> None:
        """Carry out messages until the driver asks to close, or is gone."""
        steps = {"make": self.make, "call": self.call, "put": self.put, "kill": self.kill}
        while True:
            try:
                name, *rest = self.link.recv()
            except (EOFError, OSError):
                return
            if name == "close":
                return
            steps[name](*rest)

    def make(self, key: int, options: dict[str, Any], arguments: tuple[Any, ...]) -> None:
        """Ask Ray for an actor; it may wait for room."""
        import ray

        from muzero.cluster.remote import Remote

        self.actors[key] = ray.remote(Remote).options(**options).remote(*arguments)

    def call(self, number: int, key: int, method: str, arguments: bytes, with_weights: bool) -> None:
        """Call a method of an actor; the answer follows when there is one."""
        box = self.box if with_weights else []
        future = self.actors[key].call.remote(method, arguments, box).future()
        future.add_done_callback(lambda done: self.answer(number, done))

    def answer(self, number: int, done: Any) -> None:
        """Send what a call came to."""
        import ray.exceptions as errors

        error = done.exception()
        if error is None:
            self.send("done", number, done.result())
            return
        kinds = {errors.ActorDiedError: "died", errors.ActorUnavailableError: "unavailable"}
        kind = next((kind for of, kind in kinds.items() if isinstance(error, of)), "failed")
        self.send("error", number, kind, str(error))

    def put(self, number: int, value: bytes) -> None:
        """Publish weights.  Older ones are freed when the last call that has them is done."""
        import ray
        import ray.exceptions as errors

        try:
            self.box = [ray.put(value)]
        except (errors.OutOfDiskError, errors.ObjectStoreFullError) as error:
            self.send("error", number, "full", str(error))
        else:
            self.send("done", number, None)

    def kill(self, key: int, restart: bool) -> None:
        """Kill an actor's process; restart: Ray starts another one for the same actor."""
        import ray

        actor = self.actors[key] if restart else self.actors.pop(key)
        ray.kill(actor, no_restart=not restart)

    def watch(self) -> None:
        """Report the size of the cluster, and end this process when the head or the raylet is gone."""
        import ray

        context = ray.get_runtime_context()
        host, port = context.gcs_address.rsplit(":", 1)
        (node,) = (node for node in ray.nodes() if node["NodeID"] == context.get_node_id())
        places = {
            "the head of the Ray cluster": (host.strip("[]"), int(port)),
            "Ray's node on this machine (raylet)": (node["NodeManagerAddress"], node["NodeManagerPort"]),
        }
        failures, cores = dict.fromkeys(places, 0), -1.0
        while True:
            for name, place in places.items():
                failures[name] = 0 if reachable(place) else failures[name] + 1
                if failures[name] == MOST_CHECKS:
                    self.send("lost", f"{name} is gone, and with it all actors")
                    os._exit(0)  # Ray waits for what is gone
            if not any(failures.values()):
                found = ray.cluster_resources().get("CPU", 0.0)
                if found != cores:
                    cores = found
                    self.send("cores", cores)
            time.sleep(CHECK_EVERY)


def reachable(place: tuple[str, int]) -> bool:
    """Whether a process listens at a host and port."""
    try:
        with socket.create_connection(place, CHECK_SECONDS):
            return True
    except OSError:
        return False


def main(number: int) -> None:
    """Serve the driver at the other end of a file descriptor."""
    host = Host(Connection(number))
    settings = host.link.recv()
    try:
        connect(**settings)
    except Exception as error:
        host.send("failed", f"{type(error).__name__}: {error}")
        return
    host.send("ready")
    threading.Thread(target=host.watch, name="watch", daemon=True).start()
    host.serve()
    import ray

    ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))

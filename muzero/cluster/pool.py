"""A pool of actors on Ray: sends tasks, takes results, and starts failed actors again."""

from __future__ import annotations

import os
import queue
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from heapq import heappop, heappush
from itertools import count
from typing import Any

import numpy as np
import torch

from muzero import build
from muzero.actors import pending
from muzero.actors.actor import searched
from muzero.actors.pool import ActorPool
from muzero.actors.tasks import Evaluate, LostCluster, Play, Played, Reanalyse, Reanalysed, Result, Task, Weights, Work
from muzero.cluster.remote import RemoteActor
from muzero.cluster.session import CallFailed, Session
from muzero.cluster.supervision import Patience, Slot, counts, room
from muzero.cluster.weights import Publications
from muzero.config import Config
from muzero.data.segment_format import Layout
from muzero.interfaces import EnvironmentFault
from muzero.util.tensors import on_host

STORE_BYTES = 256 << 20  # of a session on this machine, at least: weights are few, results small
GRACE = 10.0  # seconds for tasks under way when a run is stopped
AUTO = -1
LONG_START = 30.0  # seconds without any actor after which a person should know


class RayPool(ActorPool):
    """Actors in several processes, on this machine or on a cluster."""

    def __init__(self, config: Config, session: Session | None = None) -> None:
        """session: of Ray, if there is one already.

        Raises:
            ConfigError: if the cluster cannot be reached or does not ask for a token.
        """
        self.config, self.settings = config, build.actor_settings(config)
        self.device = torch.device("cuda" if self.settings.gpus else "cpu")  # of an actor's model
        self.steps = config.table("run")["play"]
        self.game = build.spec(config)
        self.layout = Layout(self.game, build.candidates(config, self.game))
        self.kept = deque[Result]()  # of the run before a resume, whose games were played in its own process
        self.numbers = count(1)
        self.number = 0  # of the newest task
        self.events = queue.SimpleQueue[Any]()
        self.patience = Patience(self.settings.patience)
        self.weights = Publications()
        self.taken = 0  # results since the last publication
        self.unreported: list[str] = []
        self.tally: Counter[str] = Counter()
        self.waiting_reported = False
        self.last_error = "none"
        self.slots: list[Slot] = []
        self.alarms: list[tuple[float, int]] = []  # a heap: when to attend to which slot
        self.playing, self.hopeless = 0, False
        self._fill([Reanalyse] * self.settings.reanalyse)
        self._fill([Evaluate] * self.settings.evaluate)
        self.others = list(self.slots)
        self._fill([Play] * max(0, self.settings.count))
        if not self.settings.address:
            self._grow(len(os.sched_getaffinity(0)) - 1)  # one for the learner
        self.own = session is None
        cpus, gpus = (len(self.slots) * each for each in (self.settings.cpus, self.settings.gpus))
        self.session = session or Session(self.settings.address, cpus, gpus, STORE_BYTES, self.settings.insecure)
        self.seen = -1.0  # cores of the cluster, when they were last looked at
        self.began = time.monotonic()
        self.session.on_loss = self.wake

    def _fill(self, kinds: Sequence[type[Work]]) -> None:
        """Places for more actors, and the kind of work that each does."""
        new = [Slot(number, kind) for number, kind in enumerate(kinds, len(self.slots))]
        self.slots += new
        for slot in new:
            self._alarm(slot, 0.0)

    def _grow(self, cores: float) -> None:
        """Add the actors for which this many cores have room, where their number is "auto"."""
        if self.settings.count == AUTO:
            self._fill([Play] * room(self.slots, cores, self.settings.cpus))

    # --- weights -------------------------------------------------------------------------------------------------

    def due(self, version: int) -> bool:
        """Once per round: after as many results as there are actors that play."""
        return not self.weights.versions or (version != self.version and self.taken >= self.playing)

    def publish(self, weights: Weights, version: int) -> None:
        self.taken = 0
        try:
            self.session.put(on_host(weights))
        except CallFailed as problem:
            if not self.weights.versions:
                raise
            self.unreported.append(f"newer weights could not be published, the older ones stay: {problem}")
        else:
            self.weights.add(version)
            self.version = version

    @property
    def searched(self) -> int:
        return searched(self.device)

    def age(self, version: int) -> int:
        return self.weights.age(version)

    # --- work ----------------------------------------------------------------------------------------------------

    def next_result(self, timeout: float) -> Result | None:
        if self.kept:
            return self.kept.popleft()
        until = time.monotonic() + timeout
        while True:
            now = self._tend()
            try:
                event = self.events.get(timeout=max(0.0, min(until, self.alarms[0][0] if self.alarms else until) - now))
            except queue.Empty:
                if time.monotonic() >= until:
                    return None
                continue
            if event is None:
                return None
            if (result := self._settle(*event)) is not None:
                return result

    def request(self, kind: type[Work], make: Callable[[], Work]) -> bool:
        now = time.monotonic()
        depth = self.settings.in_flight if kind is not Evaluate else 1
        for slot in self.others:
            if slot.kind is kind and self.weights.versions and slot.free(now, depth):
                work = make()
                # What lies on this process's GPU cannot be sent to another.
                self._send(slot, Reanalyse(work.positions.on_host()) if isinstance(work, Reanalyse) else work, now)
                return True
        return False

    def _tend(self) -> float:
        """Do all that is due now, for the slots whose time has come."""
        if self.session.lost is not None:
            raise LostCluster(self.session.lost)
        if self.hopeless:
            raise EnvironmentFault(f"no actor works any more; the last error: {self.last_error}")
        now = time.monotonic()
        if self.settings.address and self.session.cores != self.seen:
            self.seen = self.session.cores
            self._grow(self.seen)
        while self.alarms and self.alarms[0][0] <= now:
            self._attend(self.slots[heappop(self.alarms)[1]], now)
        if not self.waiting_reported and now > self.began + LONG_START and not self.playing:
            self.waiting_reported = True
            self.unreported.append(f"no actor has started yet: they wait for room on {self.session.cores:g} cores")
        return now

    def _alarm(self, slot: Slot, at: float) -> None:
        """Have a slot attended to at a time."""
        heappush(self.alarms, (at, slot.number))

    def _attend(self, slot: Slot, now: float) -> None:
        """Ask a slot's actor whether it is there, end it if it hangs, give it work."""
        if not slot.called:
            if now >= slot.not_before:
                self._call(slot)
            else:
                self._alarm(slot, slot.not_before)
            return
        patience = self.patience.seconds() if slot.kind is not Evaluate else float("inf")  # which is of whole games
        if slot.alive and slot.flying and now >= slot.since + patience:
            self._end(slot, now)
        while slot.kind is Play and self.weights.versions and slot.free(now, self.settings.in_flight):
            self._send(slot, Play(self.steps), now)
        if slot.alive and slot.flying and slot.watched_until <= now:
            slot.watched_until = slot.since + patience
            self._alarm(slot, slot.watched_until)

    def _call(self, slot: Slot) -> None:
        """Ask an actor whether it is there; one that is waiting for room in the cluster answers when it has some."""
        if slot.actor is None:
            slot.actor = self._make(slot)
        slot.called = True
        self._await(slot, None, self.session.call(slot.actor, "where"))

    def _make(self, slot: Slot) -> int:
        """Ask for an actor.  Returns its key in the session."""
        cpus, gpus = self.settings.cpus, self.settings.gpus
        options = {"num_cpus": cpus, "num_gpus": gpus, "max_restarts": -1, "max_task_retries": 0}
        place = self.device.type, max(1, int(cpus))
        return self.session.make(options, RemoteActor, self.config.to_toml(), slot.number, *place)

    def _send(self, slot: Slot, work: Work, now: float) -> None:
        self.number = number = next(self.numbers)
        task = Task(number, self.version, work)
        slot.send(task, now)
        self.tally["submitted"] += 1
        self._await(slot, task, self.session.call(slot.actor, "work", task, with_weights=True))

    def _await(self, slot: Slot, task: Task | None, future: Future[Any]) -> None:
        """Have the result, or the error, come in as an event."""
        generation = slot.generation
        future.add_done_callback(lambda done: self.events.put((slot, generation, task, done)))

    def _settle(self, slot: Slot, generation: int, task: Task | None, future: Any) -> Result | None:
        """Account for a call that ended.  Returns the result of a task; None where there is none.

        task: None if the actor was only asked whether it is there.
        """
        now, error = time.monotonic(), future.exception()
        self._alarm(slot, now)  # at the next `next_result`: first its result is learned from
        if error is not None:
            if task is not None:
                del slot.flying[task.number]
                self.tally["failed"] += 1
            self._fail(slot, generation, error, now)
            return None
        if task is None:
            if generation == slot.generation:
                slot.answered(now, future.result())
                self._count()
            return None
        found = future.result().found
        took = slot.finish(task.number, now, not isinstance(found, Played) or len(found.episodes) > 0)
        if slot.kind is not Evaluate:
            self.patience.finish(took)
        self.taken += slot.kind is Play
        self.tally["acknowledged"] += 1
        return future.result()

    def _fail(self, slot: Slot, generation: int, error: BaseException, now: float) -> None:
        kind = error.kind if isinstance(error, CallFailed) else "failed"
        if generation == slot.generation and kind == "died":
            self.session.kill(slot.actor)  # for good, if it is not: a new one takes its place
            slot.actor = None
        counts = slot.fail(now, generation, kind == "unavailable", kind == "raised")
        self._count()
        if not counts:
            return
        self.tally["deaths"] += 1
        self.last_error = str(error)
        if slot.deaths == 1 or slot.given_up:
            state = "; it keeps failing and is tried once a minute" if slot.given_up else "; it is started again"
            text = self.last_error if self.tally["deaths"] == 1 else self.last_error.strip().split("\n")[-1]
            self.unreported.append(f"actor {slot.number} ({slot.where}) failed{state}: {text}")

    def _count(self) -> None:
        """How many play, and whether any may again."""
        players = [slot for slot in self.slots if slot.kind is Play]
        self.playing = sum(slot.alive for slot in players)
        self.hopeless = all(slot.given_up for slot in players)

    def _end(self, slot: Slot, now: float) -> None:
        """Kill an actor that hangs: Ray starts it again, and its tasks fail."""
        self.tally["hung"] += 1
        seconds = now - slot.since
        slot.since = now
        self.unreported.append(f"actor {slot.number} ({slot.where}) gave no answer for {seconds:.0f} s and is killed")
        self.session.kill(slot.actor, restart=True)

    # --- the rest ------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, float]:
        return counts(self.slots, self.tally)

    @property
    def lost(self) -> bool:
        return self.session.lost is not None

    def wake(self) -> None:
        self.events.put(None)

    def drain(self) -> list[Result]:
        until, found = time.monotonic() + GRACE, list(self.kept)
        self.kept.clear()
        while any(slot.flying and slot.kind is Play for slot in self.slots):
            try:
                event = self.events.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if event is not None and (result := self._settle(*event)) is not None:
                found.append(result)
        return found

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, described = pending.packed(self.kept, self.layout)
        return arrays, {"incarnation": self.number, "pending": described}

    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any], incarnation: int) -> bool:
        """Games are never brought back: those of the run before ended with its actors.  Their results are."""
        self.kept = deque(pending.kept(pending.among(arrays), values, self.layout))
        self.numbers = count(max(values["incarnation"] + 1, incarnation))
        return False

    def forget_plans(self) -> None:
        self.kept = deque(result for result in self.kept if not isinstance(result.found, Reanalysed))

    def close(self) -> None:
        if self.own:
            self.session.close()
            return
        for slot in self.slots:
            if slot.actor is not None:
                self.session.kill(slot.actor)

"""How much experience one driver takes in: simulated actors, which hand over recorded segments and search nothing.

    muzero-bench ingest [--table TABLE] [--game atari/pong] [--actors 1000] [--seconds 3] [--rounds 5]

door: segments from records to log and replay, in one process.  ray: the same as orders over Ray, for so many simulated
actors, two orders each under way.  batch: training batches drawn from a full replay.  learner: updates, as a run of the
game makes them.  weights: from the learner to an actor.
"""

import cProfile
import pstats
import statistics
import struct
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from rich.table import Table

from muzero import build
from muzero.actors.local import LocalPool
from muzero.actors.tasks import Played, Result
from muzero.cli.parser import Parser
from muzero.cli.tables import terminal
from muzero.config import parse_settings
from muzero.data.experience import Experience
from muzero.data.segment_format import Layout
from muzero.data.segment_log import SegmentLog
from muzero.training.updates import Updates

GAMES = ["gym/CartPole-v1", "board/connect_four", "atari/pong"]
RECORDED = 1500  # rows of each game
IDENTITY = struct.Struct("<qqqq")  # the beginning of a record
PER_ORDER = 4  # segments


def configured(game, *settings):
    return build.configure(game, [parse_settings(["planner.simulations=2", "run.games=8", *settings])])


def recorded(game):
    """Records of played segments, and the rows of each."""
    config = configured(game)
    pool = LocalPool(config, torch.device("cpu"))
    layout, found, rows = Layout(pool.spec), [], 0
    while rows < RECORDED:
        for segment in pool.next_result(0).found.segments:
            found.append((layout.pack(segment), len(segment)))
            rows += len(segment)
    pool.close()
    return pool.spec, found


def renumbered(record, number):
    """The same segment of another game."""
    return IDENTITY.pack(0, 0, number, 0) + record[IDENTITY.size :]


class Door:
    """A log and a replay, filled with recorded segments."""

    def __init__(self, spec, found, folder):
        self.spec, self.found = spec, found
        config = configured(spec.name, "replay.capacity=20000")
        self.size = build.objective(config, spec, build.model(config, spec)).window
        self.experience = Experience(build.replay(config, spec, 0), SegmentLog(folder, spec))
        self.taken = self.rows = self.bytes = 0

    def receive(self, records):
        self.experience.receive(records)
        self.taken += len(records)
        self.bytes += sum(map(len, records))

    def step(self):
        """Store the next recorded segment under a new number; old files of the log are removed."""
        record, rows = self.found[self.taken % len(self.found)]
        self.rows += rows
        self.receive([renumbered(record, self.taken)])
        if self.taken % 200 == 0:
            self.experience.log.drop_before(self.experience.oldest.file)

    def report(self, seconds):
        """Segments, rows and megabytes per second: as records, and as arrays."""
        raw = self.rows * Layout(self.spec).row_bytes
        return [self.taken / seconds, self.rows / seconds, self.bytes / seconds / 1e6, raw / seconds / 1e6]


def timed(action, seconds):
    """Calls in so many seconds, and the seconds."""
    began, calls = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        action()
        calls += 1
    return calls, spent


def door(spec, found, seconds):
    with tempfile.TemporaryDirectory() as folder:
        place = Door(spec, found, Path(folder) / "log")
        _, spent = timed(place.step, seconds)
        place.experience.close()
        return place.report(spent)


def batch(spec, found, seconds):
    """Batches of 256 per second, and their megabytes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Door(spec, found, Path(folder) / "log")
        while place.rows < 20_000:
            place.step()
        calls, spent = timed(lambda: place.experience.replay.sample(256, place.size), seconds)
        _, window = place.experience.replay.sample(256, place.size)
        place.experience.close()
        size = sum(tensor.nbytes for tensor in window.tensors().values())
        return [calls / spent, 1e3 * spent / calls, calls / spent * size / 1e6]


def learner(spec, found, seconds):
    """Updates per second, and the steps per second that they are owed for."""
    config, device = configured(spec.name), build.device("auto")
    torch.set_num_threads(config.table("run")["threads"])
    model = build.model(config, spec)
    learner = build.learner(config, model, build.objective(config, spec, model), device)
    with tempfile.TemporaryDirectory() as folder:
        place = Door(spec, found, Path(folder) / "log")
        while place.rows < 5_000:
            place.step()
        updates = Updates(learner, place.experience.replay)
        updates.make(0.5)  # the first one makes room
        calls, spent = timed(lambda: updates.make(0.5), seconds)
        place.experience.close()
    torch.set_num_threads(1)
    return [calls / spent, calls / spent / config.table("run")["updates_per_step"]]


class Simulated:
    """Many actors in one process: what is asked for is there at once."""

    def __init__(self, found):
        self.found, self.made = found, 0

    def where(self):
        return "simulated, process 0"

    def work(self, task, published):
        records = []
        for _ in range(PER_ORDER):
            record, _ = self.found[self.made % len(self.found)]
            records.append(renumbered(record, task.number * PER_ORDER + len(records)))
            self.made += 1
        return Result(task.number, task.version, Played(records, []))

    def fetch(self, published):
        began = time.perf_counter()
        for array in published.get().values():
            torch.tensor(array)
        return time.perf_counter() - began


def ray_pool(spec, found, actors):
    """A pool whose actors are simulated by two processes."""
    from muzero.cluster.pool import RayPool

    class SimulatedPool(RayPool):
        def _make(self, slot):
            if not hasattr(self, "processes"):
                self.processes = [self.session.make({"num_cpus": 0}, Simulated, found) for _ in range(2)]
            return self.processes[slot.number % 2]

    pool = SimulatedPool(configured(spec.name, f"actors.count={actors}", "actors.cpus=0.01"))
    pool.publish({"weights": np.zeros(10, np.float32)}, 0)
    return pool


def through_ray(spec, found, seconds, actors, profile=False):
    """Orders per second, then what `door` reports, then seconds of the driver's processor per 1,000 orders."""
    with tempfile.TemporaryDirectory() as folder:
        place, pool = Door(spec, found, Path(folder) / "log"), ray_pool(spec, found, actors)
        mean_rows = statistics.mean(rows for _, rows in found)

        def take():
            if (result := pool.next_result(1.0)) is not None:
                place.receive(result.found.segments)
                place.rows += mean_rows * len(result.found.segments)

        try:
            while pool.counts()["actors/alive"] < actors:
                take()
            place.taken = place.rows = place.bytes = 0
            watch, before = cProfile.Profile(), time.process_time()
            watch.enable() if profile else None
            _, spent = timed(take, seconds)
            watch.disable()
            if profile:
                pstats.Stats(watch).sort_stats("cumulative").print_stats(25)
            orders, used = place.taken / PER_ORDER, time.process_time() - before
        finally:
            pool.close()
            place.experience.close()
        return [orders / spent, *place.report(spent), 1e3 * used / orders]


def weights(session, megabytes, rounds):
    """Milliseconds to put weights of a size, and for an actor to have them."""
    arrays = {f"{number}": np.random.default_rng(0).random(int(megabytes * 25_000), np.float32) for number in range(10)}
    actor, found = session.make({"num_cpus": 0}, Simulated, []), []
    for _ in range(rounds + 1):  # the first one makes room
        began = time.perf_counter()
        session.put(arrays)
        put = time.perf_counter() - began
        found.append((put, session.call(actor, "fetch", with_weights=True).result()))
    session.kill(actor)
    return [1e3 * statistics.median(times) for times in zip(*found[1:], strict=True)]


def main(arguments):
    """Measure the stages that experience passes in the driver, and print their rates as tables."""
    parser = Parser(prog="muzero-bench ingest", description="How much experience one driver takes in.")
    parser.add_argument("--table", action="append", choices=["door", "ray", "batch", "learner", "weights"])
    parser.add_argument("--game", action="append")
    parser.add_argument("--actors", type=int, action="append", help="simulated (default 1, 10, 100, 1000)")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="where the driver's time goes, over Ray")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    chosen = options.table or ["door", "ray", "batch", "learner", "weights"]
    games = {game: recorded(game) for game in options.game or GAMES} if chosen != ["weights"] else {}
    size = ["segments/s", "rows/s", "MB/s as records", "MB/s as arrays"]
    tables = {
        "door": Table("game", *size, title="door: one process"),
        "ray": Table("game", "actors", "orders/s", *size, "driver's s per 1,000 orders", title="ray"),
        "batch": Table("game", "batches/s", "ms", "MB/s", title="batches of 256"),
        "learner": Table("game", "updates/s", "steps/s that they are for", title="learner"),
        "weights": Table("MB", "ms to put", "ms until an actor has them", title="weights"),
    }

    def row(table, words, measure):
        rounds = [measure() for _ in range(options.rounds)]
        tables[table].add_row(*words, *(f"{statistics.median(column):,.4g}" for column in zip(*rounds, strict=True)))

    for game, (spec, found) in games.items():
        for table, measure in {"door": door, "batch": batch, "learner": learner}.items():
            if table in chosen:
                row(table, [game], lambda m=measure, s=spec, f=found: m(s, f, options.seconds))
        for actors in (options.actors or [1, 10, 100, 1000]) if "ray" in chosen else []:
            parts = (spec, found, options.seconds, actors, options.profile)
            row("ray", [game, f"{actors:,}"], lambda p=parts: through_ray(*p))
    if "weights" in chosen:
        from muzero.cluster.session import Session

        session = Session("", 1, 0, 2 << 30)
        for megabytes in (0.2, 5, 30, 100):
            tables["weights"].add_row(
                f"{megabytes}", *(f"{t:.3g}" for t in weights(session, megabytes, options.rounds))
            )
        session.close()
    for table in chosen:
        terminal().print(tables[table])

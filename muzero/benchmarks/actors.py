"""Self-play in this process and with actors on Ray, side by side: environment steps per second without a learner.

    muzero-bench actors [--game atari/pong] [--actors 1 --actors 2] [--seconds 15] [--rounds 5]

Every round measures all placements one after the other; what counts are medians over rounds and ratios within them.
"""

import statistics
import time

import numpy as np
import torch
from rich.table import Table

from muzero import build
from muzero.cli.parser import Parser
from muzero.cli.tables import terminal
from muzero.config import parse_settings
from muzero.data.segment_format import Layout
from muzero.training.placement import gather

GAMES = ["board/connect_four", "atari/pong"]


def measured(game, actors, seconds, settings):
    """Environment steps per second of a pool."""
    config = build.configure(game, [parse_settings([f"actors.count={actors}", "actors.overlap=off", *settings])])
    pool = gather(config, torch.device("cpu"))
    try:
        layout = Layout(pool.spec)
        weights = build.model(config, pool.spec, 0).state_dict()
        pool.publish({name: tensor.numpy() for name, tensor in weights.items()}, 0)
        per_order = config.table("run")["games"] * config.table("run")["play"]
        started = set()
        while len(started) < max(actors, 1):  # everybody has played once: nothing is being built any more
            result = pool.next_result(1.0)
            for segment in result.found.segments if result else []:
                number = layout.unpack(segment).id if isinstance(segment, bytes) else segment.id
                started.add(number.actor)
        began, orders = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            result = pool.next_result(1.0)
            if result is not None:
                orders += 1
                for segment in result.found.segments:  # as the driver would, so that its part is paid for
                    if isinstance(segment, bytes):
                        layout.unpack(segment)
                    else:
                        layout.pack(segment)
        return orders * per_order / (time.perf_counter() - began)
    finally:
        pool.close()


def main(arguments):
    """Measure self-play in this process and on Ray, and print steps per second as a table."""
    parser = Parser(prog="muzero-bench actors", description="Self-play in process and with actors on Ray.")
    parser.add_argument("--game", action="append")
    parser.add_argument("--actors", type=int, action="append", help="how many; in process is always measured")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    counts = [0, *(options.actors or [1, 2])]
    table = Table("game", "placement", "steps/s", "of in process", "of 1 actor", title="self-play, medians of rounds")
    for game in options.game or GAMES:
        rounds = [
            [measured(game, count, options.seconds, options.set) for count in counts] for _ in range(options.rounds)
        ]
        rates = np.array(rounds)
        for place, count in enumerate(counts):
            name = f"{count} actors" if count > 1 else "1 actor" if count else "in process"
            ratios = [statistics.median(rates[:, place] / rates[:, base]) for base in (0, min(1, len(counts) - 1))]
            median = statistics.median(rates[:, place])
            table.add_row(game, name, f"{median:,.0f}", *(f"{ratio:.2f}" for ratio in ratios))
    terminal().print(table)

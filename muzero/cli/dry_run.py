"""muzero-train --dry-run: the plan of a run, with a reason for each choice, and what it will take."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import chdir, closing

from muzero import build
from muzero.config import Config
from muzero.config.schema import written
from muzero.config.shipped import CONFIGS
from muzero.data.recorded.reading import read
from muzero.training.forecast import Forecast, forecast
from muzero.util import memory
from muzero.util.text import printable, shell_word

WIDEST = 110  # columns
MEASURE = 1.0  # seconds of self-play, and of updates
PLANNED = {  # what the plan says beside what was chosen
    "game": ("discount",),
    "model": ("kind", "width", "channels", "blocks", "value_limit", "reward_limit", "atoms"),
    "planner": ("kind", "simulations"),
    "run": ("data", "updates", "steps", "seconds", "updates_per_step", "reanalyse_every", "games"),
    "replay": ("capacity",),
}
RECORDED = ("data", "updates", "reanalyse_every")  # of those, what says something where nothing is played
HEADS = ("policy_head", "value_head", "reward_head", "discount_head")


def dry_run(config: Config, notes: Sequence[str], words: Sequence[str]) -> int:
    """Print the plan of a run; nothing is trained and nothing is written.

    Args:
        config: of the run.
        notes: what the user should know of it.
        words: of the command, without --dry-run, which begin the run.
    """
    # Read before anything else: what does not fit is found at once.
    recorded = summary(config) if config.table("run")["data"] else []
    for line in [*notes, *recorded, *settings(config)]:
        print(line)
    sys.stdout.flush()
    for line in prediction(config, forecast(config, MEASURE)):
        print(line)
    print(f"nothing was trained; begin with: muzero-train {' '.join(map(shell_word, words))}")
    return 0


def summary(config: Config) -> list[str]:
    """What the recorded experience of a run holds."""
    with chdir("."), closing(build.games(config, 1, training=True)) as games:
        return [*read(config, games, build.candidates(config, games.spec)).notes]


def settings(config: Config) -> Iterator[str]:
    """The settings that decide most, each with its value, its source and its reason."""
    yield "settings:"
    recorded = bool(config.table("run")["data"])
    for table, keys in PLANNED.items():
        values = config.table(table)
        noted = [key for key in values if config.note(table, key) and key not in keys]
        for key in [*keys, *noted]:
            if not recorded and key in RECORDED:
                continue
            if key == "kind":
                value = config.kind(table)
            elif key in values:
                value = values[key]
            else:
                continue
            source, note = config.source(table, key).replace(f"{CONFIGS}/", "configs/"), config.note(table, key)
            name = f"{table}.{key}"
            yield from wrapped(f"  {name:<22}{written(value):<12}", f"from {source}" if note is None else note)


def prediction(config: Config, found: Forecast) -> Iterator[str]:
    """The network, and what the run will take."""
    spec = found.spec
    shape = "x".join(map(str, spec.observation))
    yield f"network: {sum(found.weights.values()):,} weights, for observations {shape} and {spec.actions.describe()}"
    body = {name: count for name, count in found.weights.items() if count and name not in HEADS}
    yield from wrapped("  parts               ", ", ".join(f"{name} {count:,}" for name, count in body.items()))
    atoms = config.table("model").get("atoms")
    heads = [f"policy {spec.actions.parameters:,}", f"discount {len(spec.discounts)}"]
    heads += [f"value and reward {atoms} atoms each"] if atoms else []
    yield f"  outputs of heads    {', '.join(heads)}"
    yield f"measured here in {2 * MEASURE:.0f} s, with untrained weights:"
    work, what = ("planning again ", "positions") if found.planned else ("self-play", "steps")
    yield f"  {work:<20}{found.steps_per_second:,.0f} {what} a second"
    yield f"  learning            {found.updates_per_second:,.1f} updates a second"
    replay, learner = (number / 1e6 for number in (found.replay_bytes, found.learner_bytes))
    yield f"memory: {replay:,.0f} MB of replay once it is full, {learner:,.1f} MB of weights, copies and optimiser"
    if found.replay_bytes > memory.limit() / 2:
        yield f"  that is much of the {memory.limit() / 1e9:,.1f} GB of this machine: lower replay.gigabytes"
    yield from _time(config, found)


def _time(config: Config, found: Forecast) -> Iterator[str]:
    how = "side by side" if found.overlap else "one after the other"
    yield f"time: about {duration(found.seconds)} of training"
    yield from wrapped(
        "  ",
        f"{duration(found.playing)} for {found.steps:,} {'plans' if found.planned else 'steps'} and "
        f"{duration(found.learning)} for {found.updates:,} updates, {how}; then "
        f"{build.settings(config).evaluation_games:,} games of evaluation",
    )
    if found.limit is not None and found.share < 1:
        share = f"{100 * found.share:.0f} %"
        yield f"  the time ends the run after about {share} of its steps: the learning rate falls with the time"
    if (count := config.table("actors")["count"]) != 0:
        yield f"  measured in one process: {'as many actors as cores' if count < 0 else f'{count} actors'} play faster"


def duration(seconds: float) -> str:
    """Seconds for a person: "40 s", "3 min", "2.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def wrapped(first: str, text: str) -> list[str]:
    """A text behind the beginning of its first line, as wide as the terminal; in a pipe on one line."""
    text = printable(text, 1000)
    if not sys.stdout.isatty():
        return [first + text]
    width = max(min(shutil.get_terminal_size().columns, WIDEST), len(first) + 24)
    indent = " " * len(first)
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)

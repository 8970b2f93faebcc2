"""Reads recorded experience for a run, all of it, before anything of it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from muzero.config import Config, ConfigError
from muzero.data.recorded.episodes import Source
from muzero.data.recorded.file import File
from muzero.data.recorded.minari_set import MinariSet
from muzero.data.recorded.run_log import RunLog
from muzero.data.replay import most_rows
from muzero.data.schema import Segment
from muzero.interfaces import Games
from muzero.util.text import printable

MINARI = "minari:"


def source(text: str) -> Source:
    """What a text names: "minari:ID", the folder of a run, or a file.

    Raises:
        ValueError: if there is nothing of that name.
    """
    if text.startswith(MINARI):
        return MinariSet(text.removeprefix(MINARI))
    path = Path(text)
    if path.is_dir():
        return RunLog(path)
    if not path.exists():
        raise ValueError(f"it does not exist; expected the folder of a run, a .npz file, or {MINARI}ID")
    if path.suffix != ".npz":
        raise ValueError("the file is not a .npz; expected a run, a .npz file, or minari:ID")
    return File(path)


@dataclass(frozen=True)
class Recording:
    """All experience of a source."""

    segments: Sequence[Segment]
    notes: Sequence[str]  # what the user should know, a summary first


def read(config: Config, games: Games, candidates: int) -> Recording:
    """What [run] data names, checked against the game and as segments of the run.

    Args:
        config: of the run.
        games: of the run; they translate observations and actions.
        candidates: actions that the planner weighs in a position.

    Raises:
        ConfigError: naming what does not fit and where, with the remedy.
        MissingExtra: if a package is missing that reads it.
    """
    run, replay, spec = config.table("run"), config.table("replay"), games.spec
    named = f"[run] data = {printable(run['data'], 500)!r} (from {config.source('run', 'data')})"
    capacity = most_rows(spec, candidates, replay["capacity"], replay["gigabytes"])
    most = min(config.table("selfplay")["segment_steps"], capacity)
    found, rows, steps, over, scores = [], 0, 0, 0, []
    try:
        if spec.two_player and not Path(run["data"]).is_dir():
            raise ValueError(f"{spec.name} is for two players, whose turns only a run records: expected its folder")
        origin = source(run["data"])
        for number, episode in enumerate(origin.episodes(games)):
            episode.check(spec)
            rows, steps, over = rows + len(episode) + 1, steps + len(episode), over + episode.over
            scores.append(float(episode.reward.sum()))
            if rows <= capacity:  # else it is refused; until then, count
                found += episode.segments(spec, candidates, number, most)
        if not steps:
            raise ValueError("it holds no steps; record some first")
        if rows > capacity:
            raise ValueError(
                f"its {rows:,} positions do not fit into the replay, which has room for {capacity:,}: set "
                f"replay.capacity={rows}, and replay.gigabytes (now {replay['gigabytes']:g}) if it limits that; or use "
                f"less of it"
            )
    except (ValueError, OSError) as error:
        raise ConfigError([f"{named}: {printable(str(error), 1000)}"]) from error
    ends = f"{over:,} of them over at their end, {len(scores) - over:,} cut short"
    summed = "" if spec.two_player else f"; sums of rewards from {min(scores):g} to {max(scores):g}"
    words = f"learning from {steps:,} recorded steps in {len(scores):,} episodes, {ends}{summed}; nothing is played"
    return Recording(found, [words, *origin.notes])

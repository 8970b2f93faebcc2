"""The experience of a run, read from its log, which is left as it is: the run may be learning meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muzero.data.recorded.episodes import Episode, Source
from muzero.data.schema import Segment
from muzero.data.segment_format import FORMAT, Damaged, Layout, records, unframe
from muzero.data.segment_log import MOST_HEADER, NAME
from muzero.interfaces import Games, GameSpec
from muzero.runs.folder import RunFolder
from muzero.util.files import open_regular


@dataclass
class RunLog(Source):
    """What the log of a run holds.

    Plans are left out: the run that learns makes its own.  Its discount may be another one.  Of a game that was under
    way, or of which segments are missing, what is there is an episode that was cut short.
    """

    run: Path

    def episodes(self, games: Games) -> Iterator[Episode]:
        folder = RunFolder(self.run).replay
        if not folder.is_dir():
            raise ValueError(f"{folder} is missing, which holds what a run has played; trained agents come without it")
        damaged, pieces = 0, {}
        for path in sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name)):
            with open(open_regular(path), "rb") as file:
                text = file.read()
            problems: list[int] = []
            for segment in segments(path, text, games.spec, problems):
                join(pieces.setdefault(segment.id[:3], []), segment)
            damaged += len(problems)
        if damaged:
            self.notes.append(f"{folder}: damaged in {damaged:,} places; the segments there are left out")
        for (actor, incarnation, game), found in pieces.items():
            for piece in found:
                name = f"game {game} of actor {actor}" + (f", incarnation {incarnation}" if incarnation else "")
                if (episode := joined(name, piece, games.spec)) is not None:
                    yield episode


def segments(path: Path, text: bytes, spec: GameSpec, problems: list[int]) -> Iterator[Segment]:
    """The segments of a file of a log; where it is damaged, the offset is added to `problems`.

    Raises:
        ValueError: if it is of another game.
    """
    try:
        header, _ = unframe(text, 0, MOST_HEADER)
    except Damaged:
        problems.append(0)
        return
    layout = layout_of(path, header, spec)
    for offset, payload in records(text, 0, layout.most_bytes, problems):
        if offset == 0:
            continue
        try:
            yield layout.unchecked(payload)
        except Damaged:
            problems.append(offset)


def layout_of(path: Path, header: bytes, spec: GameSpec) -> Layout:
    """The layout of a file, which another planner may have written.

    Raises:
        ValueError: if it is of another game.
    """
    expected = {"game": spec.name, "actions": spec.actions.mark}
    expected |= {"observation": list(spec.observation), "dtype": spec.dtype}
    try:
        there: Any = json.loads(header)
        candidates = there.pop("candidates", 0)
        fits = there.pop("format") in range(1, FORMAT + 1) and isinstance(candidates, int) and 0 <= candidates < 1 << 16
    except (ValueError, AttributeError, KeyError, TypeError):
        there, fits, candidates = header.decode("utf-8", "replace")[:500], False, 0
    if not fits or there != expected:
        raise ValueError(f"{path.name} is a log of {there}; this run is of {expected}: learn the same game")
    return Layout(spec, candidates)


def join(pieces: list[list[Segment]], segment: Segment) -> None:
    """Put a segment behind those of its game; where one is missing in between, a new piece begins."""
    last = pieces[-1][-1].id.sequence if pieces else None
    if last is not None and segment.id.sequence <= last:
        return  # a second copy
    if last is not None and segment.id.sequence == last + 1:
        pieces[-1].append(segment)
    else:
        pieces.append([segment])


def joined(name: str, piece: Sequence[Segment], spec: GameSpec) -> Episode | None:
    """The episode that segments make; None if they hold no step whose outcome is known."""
    columns = {key: np.concatenate([each.columns[key] for each in piece]) for key in NEEDED}
    steps = len(columns["action"]) - 1
    if not piece[-1].tail and columns["discount"][-1] == 0:  # of earlier versions: the last position is not there
        steps += 1
        for key in ("observation", "legal"):
            columns[key] = np.concatenate([columns[key], columns[key][-1:]])
    if steps < 1:
        return None
    scale = np.float32(max(abs(discount) for discount in spec.discounts))
    of_steps = {key: columns[key][:steps] for key in ("action", "reward", "planned")}
    return Episode(
        name=name,
        observation=columns["observation"],
        legal=columns["legal"],
        discount=np.sign(columns["discount"][:steps]) * scale,
        **of_steps,
    )


NEEDED = ("observation", "legal", "action", "reward", "discount", "planned")

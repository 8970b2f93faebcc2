"""Results of self-play and of plans made again that a checkpoint holds, because the run has not used them yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from muzero.actors.tasks import Played, Reanalysed, Result
from muzero.data import plans
from muzero.data.segment_format import Damaged, Layout
from muzero.play.selfplay import Episode
from muzero.runs.value_checks import brief, require_like, table, whole

PREFIX = "pending."
NAMES = ("records", "sizes", "scores", "steps")
COUNTS = ("segments", "episodes", "faults", "rejected")
PLANS = "plans."  # of names of arrays, after the prefix


def packed(results: Sequence[Result], layout: Layout) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Results of `Play` and `Reanalyse` as arrays and plain values."""
    values, records, episodes, planned = [], [], [], []
    for result in results:
        if isinstance(result.found, Reanalysed):
            planned.append(result.found)
            values.append({"version": result.version, "rows": len(result.found.numbers)})
            continue
        assert isinstance(result.found, Played)
        played = result.found.packed(layout)
        records += played.segments
        episodes += played.episodes
        counts = len(played.segments), len(played.episodes), played.faults, played.rejected
        described = {"version": result.version, "last_fault": played.last_fault}
        values.append(described | {"format": layout.header.decode()} | dict(zip(COUNTS, counts, strict=True)))
    if not values:
        return {}, []
    arrays = {
        "records": np.frombuffer(b"".join(records), np.uint8),
        "sizes": np.array([len(record) for record in records], np.int64),  # bytes of each record
        "scores": np.array([episode.score for episode in episodes], np.float64),
        "steps": np.array([episode.steps for episode in episodes], np.int64),
    }
    for name, array in vars(planned[0]).items() if planned else ():
        if array is not None:
            arrays[PLANS + name] = np.concatenate([vars(each)[name] for each in planned])
    return {PREFIX + name: array for name, array in arrays.items()}, values


def among(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of `packed` among others."""
    return {name: array for name, array in arrays.items() if name.startswith(PREFIX)}


def kept(arrays: dict[str, np.ndarray], values: dict[str, Any], layout: Layout) -> list[Result]:
    """The results that the state of a pool holds, of which `arrays` are `among`.

    An empty list where there are no arrays: all results were taken, the checkpoint is of an earlier version, or a run
    continues with its weights alone.
    """
    return unpacked(arrays, values["pending"], layout) if arrays else []


def unpacked(arrays: dict[str, np.ndarray], values: Any, layout: Layout) -> list[Result]:
    """The results of `packed`.

    Args:
        arrays: as `packed` gave them, perhaps among others.
        values: as `packed` gave them.
        layout: of the records.

    Raises:
        ValueError: naming what does not fit.
    """
    if not isinstance(values, list):
        raise ValueError(f"actor.pending: expected a list, got {brief(values)}")
    if not values:
        return []
    tables = [checked(f"actor.pending[{number}]", value, layout) for number, value in enumerate(values)]
    played = games([each for each in tables if "rows" not in each], arrays, layout)
    planned = plans_again([each["rows"] for each in tables if "rows" in each], arrays, layout)
    # Nothing asks for the numbers of their tasks.
    return [Result(0, each["version"], next(planned if "rows" in each else played)) for each in tables]


def games(tables: Sequence[dict[str, Any]], arrays: Mapping[str, np.ndarray], layout: Layout) -> Iterator[Played]:
    """The results of `Play` among those of `packed`.

    Args:
        tables: their plain values.
        arrays: as of `unpacked`.
        layout: of the records.

    Raises:
        ValueError: naming what does not fit.
    """
    segments, episodes = (sum(each[name] for each in tables) for name in ("segments", "episodes"))
    records, sizes, scores, steps = (arrays.get(PREFIX + name, np.empty(0)) for name in NAMES)
    require_like("pending.sizes", sizes, np.dtype(np.int64), (segments,))
    require_like("pending.scores", scores, np.dtype(np.float64), (episodes,))
    require_like("pending.steps", steps, np.dtype(np.int64), (episodes,))
    if (sizes < 0).any() or (sizes > records.size).any() or (steps < 0).any():
        raise ValueError(
            "pending.sizes and pending.steps: expected numbers from 0, and no size above that of all records"
        )
    require_like("pending.records", records, np.dtype(np.uint8), (int(sizes.sum()),))
    content, ends = records.tobytes(), np.cumsum(sizes)
    try:
        parts = iter([layout.unpack(content[end - size : end]) for end, size in zip(ends, sizes, strict=True)])
    except Damaged as error:
        raise ValueError("pending.records: a record is damaged, or of another game") from error
    ended = iter([Episode(float(score), int(count)) for score, count in zip(scores, steps, strict=True)])
    return iter(
        [
            Played(
                list(islice(parts, each["segments"])),
                list(islice(ended, each["episodes"])),
                each["faults"],
                each["rejected"],
                each["last_fault"],
            )
            for each in tables
        ]
    )


def plans_again(counts: Sequence[int], arrays: Mapping[str, np.ndarray], layout: Layout) -> Iterator[Reanalysed]:
    """The results of `Reanalyse` among those of `packed`.

    Args:
        counts: rows of each.
        arrays: as of `unpacked`.
        layout: of the game's segments.

    Raises:
        ValueError: naming what does not fit.
    """
    if not counts:
        return iter(())
    start = PREFIX + PLANS
    found = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
    numbers = found.pop("numbers", np.empty(()))
    require_like(f"{start}numbers", numbers, np.dtype(np.int64), (sum(counts),))
    if (numbers < 0).any():
        raise ValueError(f"{start}numbers: expected numbers from 0")
    plans.check(layout.columns, len(numbers), found)
    ends = np.cumsum(counts)
    parts = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
    return iter([Reanalysed(numbers[part], **{name: array[part] for name, array in found.items()}) for part in parts])


def checked(name: str, value: Any, layout: Layout) -> dict[str, Any]:
    """The plain values of one result.

    Raises:
        ValueError: naming what does not fit.
    """
    if isinstance(value, dict) and "rows" in value:
        found = table(name, value, "version")
        whole(f"{name}.rows", found["rows"], 1)
        whole(f"{name}.version", found["version"], -1)
        return found
    found = table(name, value, *COUNTS, "version", "last_fault", "format")
    for key in COUNTS:
        whole(f"{name}.{key}", found[key])
    whole(f"{name}.version", found["version"], -1)
    if not isinstance(found["last_fault"], str | None):
        raise ValueError(f"{name}.last_fault: expected a text, got {brief(found['last_fault'])}")
    if not isinstance(found["format"], str) or found["format"].encode() not in layout.headers:
        raise ValueError(f"{name}.format: expected one of {layout.headers}, got {found['format']!r:.300}")
    return found

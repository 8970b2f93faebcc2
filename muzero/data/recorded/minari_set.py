"""Recorded experience in a Minari data set on this machine; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from muzero.data.recorded.episodes import Episode, Source, native
from muzero.interfaces import Games
from muzero.util.extras import need
from muzero.util.text import nearest


@dataclass
class MinariSet(Source):
    """A Minari data set, by its id."""

    id: str

    def episodes(self, games: Games) -> Iterator[Episode]:
        need("h5py", f"minari:{self.id}", "h5py", "offline")  # which minari itself imports late
        minari = need("minari", f"minari:{self.id}", "minari", "offline")
        known = list(minari.list_local_datasets())
        if self.id not in known:
            close = nearest(self.id, known)
            hint = f"did you mean minari:{close[0]}?" if close else f"there are: {', '.join(known) or 'none'}"
            raise ValueError(f"no such data set on this machine; {hint}; minari download {self.id} may fetch it")
        for found in minari.load_dataset(self.id).iterate_episodes():
            name, length = f"episode {found.id}", len(found.rewards)
            observations = [part(found.observations, step) for step in range(rows(found.observations))]
            actions = [part(found.actions, step) for step in range(rows(found.actions))]
            ends = found.terminations, found.truncations
            if not length:
                raise ValueError(f"{name} has no steps; leave it out")
            yield native(games, name, observations, actions, found.rewards, *ends)


def rows(tree: Any) -> int:
    """Rows of an array, or of the arrays of a composed space."""
    if isinstance(tree, dict):
        return rows(next(iter(tree.values())))
    return rows(tree[0]) if isinstance(tree, tuple) else len(tree)


def part(tree: Any, step: int) -> Any:
    """What a space composed of dicts and tuples held at a step."""
    if isinstance(tree, dict):
        return {name: part(each, step) for name, each in tree.items()}
    return tuple(part(each, step) for each in tree) if isinstance(tree, tuple) else tree[step]

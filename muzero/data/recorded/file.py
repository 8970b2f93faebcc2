"""Recorded experience in a .npz file, whose format docs/offline.md describes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from muzero.data.recorded.episodes import Episode, Source, flags, native
from muzero.interfaces import Games
from muzero.util.files import open_regular

NEEDED = ("observations", "actions", "rewards", "terminations", "truncations")
OPTIONAL = ("legal",)


@dataclass
class File(Source):
    """A .npz file: the arrays of all episodes, one after the other.

    `actions`, `rewards`, `terminations` and `truncations` have a row for each step, and an episode ends with a step
    that is terminated or truncated.  `observations`, and `legal` where actions can be illegal, have a row more for each
    episode: its last position.
    """

    path: Path

    def episodes(self, games: Games) -> Iterator[Episode]:
        arrays = self._arrays()
        steps = len(arrays["rewards"])
        over, cut = (flags("the file", name, arrays[name]) for name in ("terminations", "truncations"))
        for name in ("actions", "terminations", "truncations"):
            if len(arrays[name]) != steps:
                raise ValueError(f"rewards has {steps:,} rows and {name} {len(arrays[name]):,}; expected as many")
        ends = np.flatnonzero(over | cut) + 1
        if steps and (not len(ends) or ends[-1] != steps):
            raise ValueError(
                f"the last step, {steps - 1:,}, ends no episode: set its truncation where the recording was cut"
            )
        for name in ("observations", *(name for name in OPTIONAL if name in arrays)):
            if len(arrays[name]) != steps + len(ends):
                expected = f"{steps + len(ends):,}: one for each of {steps:,} steps, and one more for each episode"
                raise ValueError(f"{name} has {len(arrays[name]):,} rows; expected {expected}")
        legal, columns = arrays.get("legal"), games.spec.actions.columns
        if legal is not None and (legal.dtype != bool or legal.shape[1:] != (columns,)):
            raise ValueError(f"legal is {legal.dtype} of shape {legal.shape}, expected bool [{len(legal)}, {columns}]")
        for number, (begin, end) in enumerate(pairwise([0, *ends.tolist()])):
            part, seen = slice(begin, end), slice(begin + number, end + number + 1)
            yield native(
                games,
                f"episode {number}",
                arrays["observations"][seen],
                arrays["actions"][part],
                arrays["rewards"][part],
                over[part],
                cut[part],
                None if legal is None else legal[seen],
            )

    def _arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name; nothing that is executed is read.

        Raises:
            ValueError: if it is a file of another kind, or an array is missing.
            OSError: if it cannot be read.
        """
        try:
            with open(open_regular(self.path.resolve()), "rb") as file, np.load(file, allow_pickle=False) as found:
                if not isinstance(found, np.lib.npyio.NpzFile):
                    raise ValueError("it holds one array")
                unknown = sorted(set(found.files) - {*NEEDED, *OPTIONAL})
                missing = [name for name in NEEDED if name not in found.files]
                if unknown or missing:
                    raise ValueError(f"it lacks {', '.join(missing) or 'nothing'}, and has {unknown} besides")
                arrays = {name: found[name] for name in found.files}
        except (ValueError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
            names = ", ".join(NEEDED)
            raise ValueError(
                f"it is not a .npz file with the arrays {names}, and legal where it is needed: {error}"
            ) from error
        scalars = [name for name, array in arrays.items() if not array.ndim]
        if scalars:
            raise ValueError(f"{scalars[0]} is one number, expected a row for each step")
        return arrays

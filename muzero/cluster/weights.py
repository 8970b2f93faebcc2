"""Weights in Ray's object store, which actors fetch by reference."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from muzero.actors.tasks import Weights


class Publications:
    """The newest weights, and which came before them."""

    def __init__(self) -> None:
        self.versions: list[int] = []  # the newest last
        self.box: list[Any] = []  # the reference to the newest; in a list, so that Ray passes it on as it is

    def put(self, weights: Weights, version: int) -> Exception | None:
        """Publish.  Where there is no room the older ones stay, and the error is returned.

        Older ones are freed when the last order that names them is done.
        """
        import ray.exceptions

        try:
            self.box = [ray.put(weights)]
        except (ray.exceptions.OutOfDiskError, ray.exceptions.ObjectStoreFullError) as error:
            if not self.box:
                raise
            return error
        self.versions.append(version)
        return None

    def age(self, version: int) -> int:
        """How many newer ones there are."""
        return len(self.versions) - bisect_right(self.versions, version)

"""Which weights were published when."""

from __future__ import annotations

from bisect import bisect_right


class Publications:
    """The versions of published weights, in order."""

    def __init__(self) -> None:
        self.versions: list[int] = []  # the newest last

    def add(self, version: int) -> None:
        """Note weights that actors get from now on."""
        self.versions.append(version)

    def age(self, version: int) -> int:
        """The number of publications after a version."""
        return len(self.versions) - bisect_right(self.versions, version)

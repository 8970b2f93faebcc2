"""Counts rewards and returns that a model cannot express: their targets are clamped, so it cannot learn them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from muzero.data.schema import Segment

TOLERANCE = 1e-3  # of a limit: search values and returns are rounded
GROWTH = 2.0  # times the largest number reported, after which a larger one is reported too


class Limits:
    """What was seen of the numbers that a model has a range for: "reward" and "value", the return from a position."""

    def __init__(self, ranges: Mapping[str, tuple[float, float]]) -> None:
        """ranges: the smallest and the largest number that the model can express, by name; see `WorldModel.ranges`."""
        self.ranges = dict(ranges)
        self.beyond = dict.fromkeys(self.ranges, 0)  # how many numbers were outside their range
        self.largest = dict.fromkeys(self.ranges, 0.0)  # the one of them that is farthest from 0
        self.reported = dict.fromkeys(self.ranges, 0.0)

    def see(self, segment: Segment) -> None:
        """Count the numbers of a segment that lie outside their range."""
        for name, (low, high) in self.ranges.items():
            numbers = segment.columns["reward"][: segment.steps] if name == "reward" else returns(segment)
            margin = TOLERANCE * max(abs(low), abs(high))
            outside = numbers[(numbers < low - margin) | (numbers > high + margin)]
            if len(outside):
                self.beyond[name] += len(outside)
                self.largest[name] = float(max(self.largest[name], *outside, key=abs))

    def counts(self) -> dict[str, float]:
        """Numbers outside their range so far, by the name of the metric."""
        return {f"clamped/{name}s": count for name, count in self.beyond.items()}

    def messages(self) -> list[str]:
        """What the user should know and was not reported yet, with the key to raise."""
        found = []
        for name, (low, high) in self.ranges.items():
            largest, reported = self.largest[name], self.reported[name]
            if self.beyond[name] and abs(largest) >= GROWTH * abs(reported):
                self.reported[name] = largest
                found.append(
                    f"{name}s beyond the model's range of {low:g} to {high:g} are clamped, so it cannot learn them: "
                    f"{self.beyond[name]:,} so far, the largest {largest:g}; "
                    f"set model.{name}_limit to {abs(largest):g} or more, or scale the rewards down"
                )
        return found


def returns(segment: Segment) -> np.ndarray:
    """[steps] of each step of a segment: its discounted rewards to the segment's end, and the search's value there."""
    columns, steps = segment.columns, segment.steps
    # A segment that is not cut ends with a step: the return from there is known only where that ends the game.
    total = float(columns["value"][-1])
    pairs = list(zip(columns["reward"][:steps].tolist(), columns["discount"][:steps].tolist(), strict=True))
    found = np.zeros(steps)
    for row in range(steps - 1, -1, -1):
        reward, discount = pairs[row]
        open_end = row == steps - 1 and not segment.tail and discount != 0
        total = total if open_end else reward + discount * total
        found[row] = total
    return found

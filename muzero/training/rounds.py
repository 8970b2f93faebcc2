"""The length of a run that learns from recorded experience: updates, granted a round at a time."""

from __future__ import annotations

from typing import Any

from muzero.runs.value_checks import whole

ROUND = 32  # updates, between which positions are planned, and the run is evaluated and saved


class Rounds:
    """How many updates may be made so far.  What an environment step is to a run that plays, an update is here."""

    def __init__(self, goal: int) -> None:
        """goal: updates of the whole run."""
        self.goal = goal
        self.granted = 0

    def begin(self) -> None:
        """Begin the next round."""
        self.granted = max(self.granted, min(self.goal, self.granted + ROUND))

    def state(self) -> int:
        """What `restore` needs."""
        return self.granted

    def check(self, value: Any) -> None:
        """Refuse what is not a state.

        Raises:
            ValueError: saying what was expected.
        """
        whole("rounds", value)

    def restore(self, value: int) -> None:
        """Continue in the round in which a state was taken."""
        self.granted = value

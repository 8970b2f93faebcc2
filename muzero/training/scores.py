"""How the latest games of self-play ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from muzero.play.selfplay import Episode
from muzero.runs.value_checks import number

GAMES = 100  # over which scores and lengths are averaged


class Scores:
    """Scores and lengths of the latest games of self-play: games that explore."""

    def __init__(self) -> None:
        self.scores: deque[float] = deque(maxlen=GAMES)
        self.lengths: deque[int] = deque(maxlen=GAMES)  # of this session alone

    def add(self, episodes: Iterable[Episode]) -> None:
        """Add the scores and lengths of finished games; the oldest ones make room."""
        for episode in episodes:
            self.scores.append(episode.score)
            self.lengths.append(episode.steps)

    @property
    def score(self) -> float | None:
        """The mean score; None before the first finished game."""
        return sum(self.scores) / len(self.scores) if self.scores else None

    @property
    def length(self) -> float | None:
        """The mean number of steps; None before the first finished game."""
        return sum(self.lengths) / len(self.lengths) if self.lengths else None

    def state(self) -> list[float]:
        """What `restore` needs: the scores, the oldest first."""
        return list(self.scores)

    def check(self, value: Any) -> None:
        """Refuse what is not a state of scores.

        Raises:
            ValueError: saying what was expected.
        """
        if not isinstance(value, list):
            raise ValueError(f"episodes: expected a list of scores, got {type(value).__name__}")
        for score in value:
            number("episodes", score)

    def restore(self, value: Sequence[float]) -> None:
        """Continue with scores that `state` returned; lengths are of this session alone."""
        self.scores.clear()
        self.scores.extend(value)

"""What a stored step consists of: the one list that self-play, segments, the log, the replay and windows read."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from muzero.interfaces import GameSpec


class Column(NamedTuple):
    """One named array of stored steps."""

    name: str
    shape: tuple[int, ...]  # of one row
    dtype: str
    of_step: bool = False  # describes the step taken from the position; meaningless in a row without a step
    absorbing: float | bool = 0  # value in the absorbing state after the end of a game

    def rows(self, *count: int) -> np.ndarray:
        """Zeros for `count` rows; several counts give several axes."""
        return np.zeros((*count, *self.shape), self.dtype)


@functools.cache  # asked for with every segment
def columns(spec: GameSpec, candidates: int = 0) -> tuple[Column, ...]:
    """The columns of a step of a game, in the order in which the log stores them.

    candidates: K, the actions that the planner weighs in a position; 0 where it weighs all, in order.
    """
    space = spec.actions
    weighed = (Column("candidates", (candidates, *space.shape), space.dtype),) if candidates else ()
    return (
        Column("observation", spec.observation, spec.dtype),
        Column("legal", (space.columns,), "bool"),
        Column("action", space.shape, space.dtype, of_step=True),
        Column("reward", (), "float32", of_step=True),
        Column("discount", (), "float32", of_step=True),
        Column("policy", (candidates or space.columns,), "float32"),  # the weights of the candidates
        *weighed,
        Column("value", (), "float32"),
        Column("planned", (), "bool", of_step=True, absorbing=True),  # false: the action was drawn at random
        Column("taught", (), "bool"),  # the policy is a training target; false where the search was cheap
    )


def row_bytes(spec: GameSpec, candidates: int = 0) -> int:
    """Bytes of one row of all columns."""
    return sum(column.rows(1).nbytes for column in columns(spec, candidates))


class SegmentId(NamedTuple):
    """The name of a segment; no two segments of a run share one."""

    actor: int
    incarnation: int
    game: int
    sequence: int


@dataclass(frozen=True)
class Segment:
    """Consecutive steps of one game.  Row t holds a position, the search's result there, and the step taken from it.

    If `tail` is true, the last row holds the last position of the game, from which no step was taken: its columns of
    the step (see `Column.of_step`) mean nothing.  Where the game is over there, and was not cut short, the row has no
    policy (all zeros) and the value 0.  Logs of earlier versions hold games that are over without such a row.
    """

    id: SegmentId
    version: int  # of the weights that played
    columns: dict[str, np.ndarray]  # by name, as `columns` lists them; each [T, *shape of a row]
    tail: bool

    def __len__(self) -> int:
        return len(self.columns["action"])

    @property
    def steps(self) -> int:
        """Number of environment steps in the segment."""
        return len(self) - self.tail

    def check(self, spec: GameSpec, candidates: int = 0) -> None:
        """Check names, shapes, dtypes, finite numbers and ranges against the game.

        Raises:
            ValueError: naming the segment, the column, what was found and what was expected.
        """
        where = f"segment {tuple(self.id)} of {spec.name}"
        expected = columns(spec, candidates)
        names = [column.name for column in expected]
        if sorted(self.columns) != sorted(names):
            raise ValueError(f"{where}: columns {', '.join(self.columns)}; expected {', '.join(names)}")
        length = len(self)
        if length == 0:
            raise ValueError(f"{where}: no rows")
        for column in expected:
            array, shape = self.columns[column.name], (length, *column.shape)
            if array.shape != shape or array.dtype != column.dtype:
                found = f"{array.dtype} {array.shape}"
                raise ValueError(f"{where}: {column.name} is {found}, expected {column.dtype} {shape}")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"{where}: {column.name} holds a number that is not finite")
        self._check_steps(spec, where)

    def _check_steps(self, spec: GameSpec, where: str) -> None:
        action, discount = self.columns["action"], self.columns["discount"][: self.steps]
        legal = self.columns["legal"].copy()
        legal[self.steps :] = True  # no action was taken there
        spec.actions.check(action, legal, where)
        if not np.isin(discount, np.array(spec.discounts, np.float32)).all():
            raise ValueError(f"{where}: a discount is not one of {spec.discounts}")
        if (discount[:-1] == 0).any():
            raise ValueError(f"{where}: the game ends before the segment's last step")
        if (self.columns["taught"] & ~self.columns["policy"].any(1)).any():
            raise ValueError(f"{where}: a position without a policy is marked as one that teaches it")
        ended = self.tail and self.steps and discount[-1] == 0
        if ended and (self.columns["policy"][-1].any() or self.columns["value"][-1] != 0):
            raise ValueError(f"{where}: the position after the end of the game has a policy, or a value other than 0")

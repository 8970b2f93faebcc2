"""Symmetries of board games: mirrored and rotated boards under which the rules are the same.

They are found from the rules alone.  Two copies of a game are played side by side so that the observation of one is
always the image of the other's; which action corresponds to which is read off the positions that they lead to.  So
nothing needs to be known about how a game numbers its actions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from muzero.interfaces import Rules, Symmetries

POSITIONS = 1000  # compared for one symmetry, at most
ENOUGH = 400  # positions to compare where no action is missing


def find(start: Rules, seed: int = 0) -> Symmetries | None:
    """The symmetries of the game that begins in a position; None if there are none.

    The observation must consist of planes [C, H, W].  Planes may change places: a board of Hex that is turned by 180
    degrees exchanges the stones that touch the northern edge for those that touch the southern one.  A symmetry is
    refuted by any difference in what is legal, who moves, what is won, or when a game ends, and also where no legal
    action can be told apart from the others by the position that it leads to.

    seed: of the games that are played; the same seed finds the same symmetries.
    """
    view, legal = start.view()
    if view.ndim != 3:
        return None
    identity = np.arange(view.size), np.arange(len(legal)), np.ones(len(legal), bool)
    found = [identity]
    for cells in images(*view.shape[1:]):
        pair = _Pair(cells, len(view))
        if pair.play(start, np.random.default_rng(seed)) and (planes := pair.planes()) is not None:
            source = planes[:, None] * len(cells) + cells
            found.append((source.ravel(), *pair.actions(len(legal))))
    return Symmetries(*(np.stack(each) for each in zip(*found, strict=True))) if len(found) > 1 else None


def images(height: int, width: int) -> list[np.ndarray]:
    """The rotations and reflections of a board of this size, without the one that changes nothing.

    Each is [height * width]: cell k of the image is cell number image[k] of the original.
    """
    cells = np.arange(height * width).reshape(height, width)
    turned = [np.rot90(cells, turns) for turns in range(4)]
    boards = [board for board in (*turned, *(each[:, ::-1] for each in turned)) if board.shape == cells.shape]
    different = {board.tobytes(): board.ravel() for board in boards}  # a board of one row has fewer
    return list(different.values())[1:]


@dataclass
class _Pair:
    """A position and its image, of two games played side by side, and what was learned about the symmetry so far."""

    cells: np.ndarray  # [H * W] of `images`
    count: int  # C, planes
    image: dict[int, int] = field(default_factory=dict)  # of each action that is known
    original: dict[int, int] = field(default_factory=dict)  # the inverse

    def __post_init__(self) -> None:
        self.same = np.ones((self.count, self.count), bool)  # plane i was always seen as plane j of the image

    def play(self, start: Rules, rng: np.random.Generator) -> bool:
        """Play random games; false as soon as the rules differ, or the image of no legal action is known."""
        actions = len(start.view()[1])
        compared = 0
        while compared < (ENOUGH if len(self.image) == actions else POSITIONS):
            left = right = start
            while compared < POSITIONS:
                compared += 1
                if not self._agree(left, right):
                    return False
                if left.over:
                    break
                known = [action for action in left.legal() if action in self.image]
                if not known:
                    return False
                action = known[rng.integers(len(known))]
                left, right = left.child(action), right.child(self.image[action])
        return True

    def _agree(self, left: Rules, right: Rules) -> bool:
        """Whether a position can be the image of another; learns about planes and actions from it."""
        if _outcome(left) != _outcome(right):
            return False
        ours, theirs = self._seen(left), _planes(right)
        self.same &= np.array([[one == other for other in theirs] for one in ours])
        if not (self.same.any(0).all() and self.same.any(1).all()):
            return False
        return left.over or self._match(left, right)

    def _match(self, left: Rules, right: Rules) -> bool:
        """Whether the legal actions correspond; learns those that only one action can correspond to."""
        ours, theirs = left.legal(), right.legal()
        if {self.image[a] for a in ours if a in self.image} != {b for b in theirs if b in self.original}:
            return False
        new = _by_successor(left, [a for a in ours if a not in self.image], self._seen)
        images = _by_successor(right, [b for b in theirs if b not in self.original], _planes)
        if {key: len(group) for key, group in new.items()} != {key: len(group) for key, group in images.items()}:
            return False
        for key, group in new.items():
            if len(group) == 1:
                self.image[group[0]], self.original[images[key][0]] = images[key][0], group[0]
        return True

    def _seen(self, position: Rules) -> list[bytes]:
        """The planes of a position, turned."""
        planes = position.view()[0]
        return [plane.tobytes() for plane in planes.reshape(len(planes), -1)[:, self.cells]]

    def planes(self) -> np.ndarray | None:
        """[C] which plane of the original each plane of the image is; None if they do not correspond one to one.

        Planes that never differed correspond in order.
        """
        chosen: dict[int, int] = {}
        for plane, same in enumerate(self.same):
            free = [other for other in np.flatnonzero(same).tolist() if other not in chosen]
            if not free:
                return None
            chosen[free[0]] = plane
        return np.array([chosen[plane] for plane in range(self.count)])

    def actions(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """[A] the image of each action, and whether it is known; those never seen take what is left, in order."""
        known = np.isin(np.arange(count), list(self.image))
        image = np.empty(count, np.int64)
        image[known] = [self.image[action] for action in sorted(self.image)]
        image[~known] = np.setdiff1d(np.arange(count), image[known])
        return image, known


def _planes(position: Rules) -> list[bytes]:
    """The planes of a position."""
    return [plane.tobytes() for plane in position.view()[0]]


def _by_successor(
    position: Rules, actions: list[int], seen: Callable[[Rules], list[bytes]]
) -> dict[tuple[object, ...], list[int]]:
    """Actions grouped by what they lead to; planes in any order, because they may change places."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for action in actions:
        child = position.child(action)
        groups.setdefault((_outcome(child), *sorted(seen(child))), []).append(action)
    return groups


def _outcome(position: Rules) -> tuple[object, ...]:
    """Whether the game is over, who moves, and what was won so far."""
    return position.over, None if position.over else position.to_move, *position.returns

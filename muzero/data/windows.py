"""Training windows: the rows along a game, from a sampled one on, and some before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from muzero.data import schema
from muzero.interfaces import GameSpec, Window, WindowSize

UNKNOWN = -1  # no row there: the game begins or ends, or continues in a segment that is not here
Rows = Mapping[str, Any]
"""The ring: the columns of `schema`, and the links "next", "previous" and "over"; row n at place n % length.

Columns are arrays; that of the observations may be `DeviceRows`.
"""


def window(
    rows: Rows,
    spec: GameSpec,
    numbers: np.ndarray,
    size: WindowSize,
    weight: np.ndarray,
    written: int,
    rng: np.random.Generator,
) -> Window:
    """The windows that begin at rows.

    Args:
        rows: the ring.
        spec: of the game.
        numbers: [B] of the sampled rows.
        size: how far the windows reach.
        weight: [B] importance weights.
        written: rows ever written; those that the ring still holds are here.
        rng: draws the actions past the end of a game.
    """
    length, space = len(rows["next"]), spec.actions
    before, first = retrace(rows, numbers, size.context, max(0, written - length))
    path, known, over = follow(rows, numbers, size.steps)
    there = np.ones(before.shape, bool)
    path, known, over = (np.hstack(pair) for pair in ((before, path), (there, known), (~there, over)))
    steps, observations = size.context + size.steps, size.context + size.observations
    places = path % length
    now, ahead, ended = places[:, :observations], places[:, :steps], over[:, :steps]
    arrays = {
        column.name: np.where(over_items(ended, column.shape), column.absorbing, rows[column.name][ahead])
        for column in schema.columns(spec)
        if column.of_step
    }
    # After the end of a game any action leads to the same absorbing state: random ones show that to the model.
    arrays["action"] = np.where(over_items(ended, space.shape), space.draw_any(ended.shape, rng), arrays["action"])
    arrays |= {name: rows[name][now] for name in ("observation", "policy", "candidates", "taught") if name in rows}
    begins = (rows["previous"][now] == UNKNOWN) & ~over[:, :observations]
    begins[:, : size.context + 1] = first
    led = rows["action"][rows["previous"][places[:, 0]] % length]
    arrays |= {
        "value": np.where(over, 0, rows["value"][places]),
        "first": begins,
        "before": np.where(over_items(first[:, 0], space.shape), space.none(len(numbers)), led),
        "known": known,
        "over": over,
        "weight": weight.astype(np.float32),
        "number": numbers,
        "age": written - 1 - numbers,
    }
    tensors = {
        name: array if isinstance(array, torch.Tensor) else torch.from_numpy(array) for name, array in arrays.items()
    }
    return Window(**tensors, context=size.context)


def over_items(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A mask of items of this shape, with an axis of length 1 for each of theirs."""
    return mask.reshape(*mask.shape, *(1 for _ in shape))


def follow(rows: Rows, numbers: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of the rows along each game [B, W + 1], and which of them are known, and past its end."""
    length = len(rows["next"])
    path = np.repeat(numbers[:, None], steps + 1, 1)
    known, over = np.ones(path.shape, bool), np.zeros(path.shape, bool)
    for k in range(steps):
        place = path[:, k] % length
        following = rows["next"][place]
        moves = following != UNKNOWN
        over[:, k + 1] = over[:, k] | (rows["discount"][place] == 0)
        known[:, k + 1] = known[:, k] & (moves | over[:, k + 1])
        path[:, k + 1] = np.where(moves, following, path[:, k])
        if not moves.any():  # every game ended: what follows repeats
            path[:, k + 2 :] = path[:, k + 1, None]
            over[:, k + 2 :], known[:, k + 2 :] = over[:, k + 1, None], known[:, k + 1, None]
            break
    return path, known, over


def retrace(rows: Rows, numbers: np.ndarray, context: int, oldest: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the C rows before each row [B, C], and which rows are the first of their game [B, C + 1].

    Before the first row of a game that is here, that row is repeated, as a first one: a model that observes it again
    begins again.
    """
    path = np.repeat(numbers[:, None], context + 1, 1)
    first = np.ones(path.shape, bool)
    for k in range(context, -1, -1):
        before = rows["previous"][path[:, k] % len(rows["next"])]
        first[:, k] = before < oldest  # UNKNOWN, or overwritten meanwhile
        if k:
            path[:, k - 1] = np.where(first[:, k], path[:, k], before)
    return path[:, :-1], first

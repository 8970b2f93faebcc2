"""Segments of random numbers."""

from dataclasses import replace

import numpy as np

from muzero.actions import Discrete
from muzero.data.schema import Segment, SegmentId
from muzero.interfaces import GameSpec

BOARD = GameSpec("board/tic_tac_toe", (4, 3, 3), "float32", Discrete(9), (-1.0, 0.0))
IMAGE = GameSpec("atari/pong", (2, 12, 12), "uint8", Discrete(6), (0.0, 0.99))
LINE = GameSpec("gym/CartPole-v1", (4,), "float32", Discrete(2), (0.0, 0.997))
SPECS = [BOARD, IMAGE, LINE]


def segment(spec, number, rng, tail=False):
    rows = int(rng.integers(1, 20))
    observation = rng.integers(0, 256, (rows, *spec.observation)) * (rng.random((rows, *spec.observation)) < 0.1)
    return Segment(
        id=SegmentId(0, 0, number, int(rng.integers(3))),
        version=number,
        columns={
            "observation": observation.astype(spec.dtype),
            "legal": np.ones((rows, spec.actions.columns), bool),
            "action": spec.actions.draw_any((rows,), rng),
            "reward": rng.normal(size=rows).astype(np.float32),
            "discount": np.full(rows, spec.discounts[-1] or spec.discounts[0], np.float32),
            "policy": rng.dirichlet(np.ones(spec.actions.columns), rows).astype(np.float32),
            "value": rng.normal(size=rows).astype(np.float32),
            "planned": rng.random(rows) >= 0.1,
            "taught": np.arange(rows) % 3 > 0,
        },
        tail=tail,
    )


def changed(segment, **columns):
    """The same segment with other columns."""
    return replace(segment, columns=segment.columns | columns)


def shifted(segment, new, rng, least=1):
    """The same segment with observations of which each has so many new planes, and at least so many rows."""
    rows = max(len(segment), least)
    columns = {name: np.resize(array, (rows, *array.shape[1:])) for name, array in segment.columns.items()}
    _, planes, *plane = columns["observation"].shape
    once = (256 * rng.random((planes + (rows - 1) * new, *plane))).astype(columns["observation"].dtype)
    columns["observation"] = np.stack([once[new * row : new * row + planes] for row in range(rows)])
    return replace(segment, columns=columns)


def assert_same(found, wanted):
    """Two segments are equal bit for bit."""
    for part in ("id", "version", "tail"):
        assert getattr(found, part) == getattr(wanted, part)
    assert list(found.columns) == list(wanted.columns)
    for name, array in found.columns.items():
        assert array.dtype == wanted.columns[name].dtype and array.shape == wanted.columns[name].shape, name
        assert array.tobytes() == wanted.columns[name].tobytes(), name


def some(spec, count, seed=0):
    rng = np.random.default_rng(seed)
    return [segment(spec, number, rng, tail=number % 3 == 2) for number in range(count)]


NUMBERED = GameSpec("line", (1,), "float32", Discrete(2), (0.0, 1.0))


def numbered(start, count, game=0, sequence=0, over=False, tail=False):
    """Rows whose observation, reward and value are their number in the game."""
    numbers = np.arange(start, start + count, dtype=np.float32)
    discount = np.ones(count, np.float32)
    if over:
        discount[-1] = 0
    return Segment(
        id=SegmentId(0, 0, game, sequence),
        version=0,
        columns={
            "observation": numbers[:, None].copy(),
            "legal": np.ones((count, 2), bool),
            "action": np.zeros(count, np.int64),
            "reward": numbers.copy(),
            "discount": discount,
            "policy": np.full((count, 2), 0.5, np.float32),
            "value": numbers + 100,
            "planned": np.ones(count, bool),
            "taught": np.ones(count, bool),
        },
        tail=tail,
    )

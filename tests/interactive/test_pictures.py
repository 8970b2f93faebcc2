"""Frames as characters."""

import numpy as np
import pytest
from rich.text import Text

from muzero.interactive.pictures import frame_of, half_blocks, shades

QUARTERS = np.zeros((8, 8, 3), np.uint8)
QUARTERS[:4, :4], QUARTERS[:4, 4:], QUARTERS[4:, :4] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def colours(text: Text):
    """[H, W, 3] of the pixels that a text draws."""
    assert set(text.plain) <= {"▀", "\n"}
    rows = []
    for line in text.split():
        cells = [
            (span.style.color.triplet, span.style.bgcolor.triplet)
            for span in line.spans
            for _ in range(span.start, span.end)
        ]
        rows += zip(*cells, strict=True)
    return np.array(rows)


def test_each_half_of_a_character_is_a_pixel():
    assert np.array_equal(colours(half_blocks(QUARTERS, 8)), QUARTERS)


@pytest.mark.parametrize("width", [2, 4, 16])
def test_a_frame_keeps_its_quarters_at_any_size(width):
    drawn = colours(half_blocks(QUARTERS, width))
    assert drawn.shape == (width, width, 3)
    half = width // 2
    corners = drawn[[0, 0, half, half], [0, half, 0, half]]
    assert corners.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]


def test_a_pixel_is_the_mean_of_those_it_stands_for():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (12, 20, 3), dtype=np.uint8)
    means = frame.reshape(6, 2, 10, 2, 3).astype(int).sum((1, 3)) // 4
    assert np.array_equal(colours(half_blocks(frame, 10)), means)


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (50, 3), (210, 160), (7, 11)])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (40, 5), (13, None), (200, 60)])
def test_a_frame_stays_within_its_place(shape, width, height):
    for draw in (half_blocks, shades):
        lines = draw(np.full((*shape, 3), 90, np.uint8), width, height).plain.split("\n")
        assert len({len(line) for line in lines}) == 1 and 1 <= len(lines[0]) <= width
        assert len(lines) <= (height or 10_000)


def test_what_is_bright_is_dense_without_colours():
    white = np.zeros((4, 4, 3), np.uint8)
    white[:, 2:] = 255
    assert shades(white, 4).plain == "  @@\n  @@"


@pytest.mark.parametrize("frame", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_not_a_frame_is_refused(frame):
    with pytest.raises(ValueError, match="expected uint8 of shape"):
        half_blocks(frame, 8)


def test_an_observation_shows_its_newest_frame():
    stack = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 5, 6), np.uint8)
    assert np.array_equal(frame_of(stack), np.full((5, 6, 3), 3))
    colour = np.arange(6, dtype=np.uint8)[:, None, None] * np.ones((1, 5, 6), np.uint8)
    assert (frame_of(colour) == (3, 4, 5)).all()
    assert frame_of(np.zeros(4, np.float32)) is None
    planes = np.zeros((2, 3, 3), np.float32)
    planes[0, 0, 0] = planes[1, 1, 1] = 1
    drawn = frame_of(planes)
    assert drawn[2, 2].sum() == 0 < drawn[0, 0].sum() and (drawn[0, 0] != drawn[1, 1]).any()
    depth = np.linspace(-1, 1, 9, dtype=np.float32).reshape(1, 3, 3)
    assert frame_of(depth)[0, 0, 0] == 0 and frame_of(depth)[2, 2, 0] == 255

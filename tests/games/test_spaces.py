"""Spaces of gymnasium as arrays: images, their channels and range, and members of composed spaces."""

import warnings

import numpy as np
import pytest
from gymnasium import spaces

from muzero.games.action_views import action_view
from muzero.games.errors import UnknownGame
from muzero.games.spaces import guess_channels, view

# --- images ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 12])
def test_channels_last_are_put_first_for_any_number_of_them(channels):
    space = spaces.Box(0, 255, (20, 24, channels), np.uint8)
    image, out = space.sample(), np.empty((channels, 20, 24), np.uint8)
    seen = view(space, "x")
    seen.write(image, out)
    assert (seen.shape, seen.dtype) == ((channels, 20, 24), "uint8")
    np.testing.assert_array_equal(out, image.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("shape", "place"),
    [
        ((4, 84, 84), "first"),
        ((84, 84, 4), "last"),
        ((111, 8, 8), "first"),  # more planes than squares in a row, as in chess
        ((8, 8, 111), "last"),
        ((6, 7, 2), "last"),
        ((2, 6, 7), "first"),
        ((3, 3, 2), None),  # two planes of a board of 3 x 3, or three colours
        ((3, 3, 20), None),
        ((8, 8, 8), None),
        ((3, 3, 3), None),
        ((20, 12, 24), None),
        ((8, 5, 8), None),
    ],
)
def test_where_channels_are_is_found_only_where_it_is_clear(shape, place):
    assert guess_channels(shape) == place


def test_unclear_channels_are_refused_until_they_are_given():
    space = spaces.Box(0, 255, (8, 8, 8), np.uint8)
    with pytest.raises(UnknownGame, match=r"\(8, 8, 8\) .*--set game.channels=first, or last"):
        view(space, "python/own:Env")
    image, out = space.sample(), np.empty((8, 8, 8), np.uint8)
    view(space, "x", "first").write(image, out)
    np.testing.assert_array_equal(out, image)
    view(space, "x", "last").write(image, out)
    np.testing.assert_array_equal(out, image.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("shape", "planes"),
    [((4, 20, 24, 3), (4, 3, 20, 24)), ((4, 3, 20, 24), (4, 3, 20, 24)), ((4, 20, 24, 1), (4, 1, 20, 24))],
)
def test_frames_in_front_become_planes_of_one_image(shape, planes):
    space = spaces.Box(0, 255, shape, np.uint8)
    frames, seen = space.sample(), view(space, "x")
    assert seen.shape == (planes[0] * planes[1], 20, 24)
    out = np.empty(seen.shape, np.uint8)
    seen.write(frames, out)
    expected = frames if shape == planes else frames.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(out, expected.reshape(seen.shape))


@pytest.mark.parametrize("shape", [(84, 84, 3, 4), (84, 84, 4, 1), (2, 2, 2, 2), (2, 4, 3, 16, 16)])
def test_stacks_of_another_order_are_refused_with_the_forms_that_work(shape):
    with pytest.raises(UnknownGame, match=r"expected .* frames \[N, C, H, W\] or \[N, H, W, C\]"):
        view(spaces.Box(0, 255, shape, np.uint8), "x")


@pytest.mark.parametrize("value", [300, -5, np.nan, 0.9, 1e30, -np.inf, 255.5, 2**40])
def test_an_image_out_of_range_is_refused_and_never_cast(value):
    space = spaces.Box(0, 255, (2, 2), np.uint8)
    out = np.full((1, 2, 2), 7, np.uint8)
    image = np.zeros((2, 2))
    image[1, 0] = value
    with warnings.catch_warnings(), pytest.raises(ValueError, match="expected whole numbers from 0 to 255"):
        warnings.simplefilter("error")
        view(space, "x").write(image, out)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool, np.uint16])
def test_an_image_of_whole_numbers_in_range_may_have_another_type(dtype):
    out = np.empty((1, 2, 2), np.uint8)
    view(spaces.Box(0, 255, (2, 2), np.uint8), "x").write(np.array([[0, 1], [1, 0]], dtype), out)
    assert out.tolist() == [[[0, 1], [1, 0]]]


# --- members of spaces -----------------------------------------------------------------------------------------------


COMPOSED = spaces.Dict(
    a=spaces.Discrete(3, start=1),
    b=spaces.Tuple((spaces.Box(-1, 1, (2,), np.float32), spaces.MultiDiscrete([2, 3]))),
    c=spaces.MultiBinary(2),
)
GOOD = {"a": 2, "b": (np.zeros(2, np.float32), np.array([1, 2])), "c": np.array([0, 1], np.int8)}
WRONG = [
    (COMPOSED, GOOD | {"a": 0}, r"observation\['a'\] is 0, expected whole numbers of Discrete\(3, start=1\)"),
    (COMPOSED, GOOD | {"a": 1.5}, r"observation\['a'\] is 1.5"),
    (COMPOSED, GOOD | {"b": (np.zeros(2),)}, r"observation\['b'\] is .* expected a tuple of 2 parts"),
    (
        COMPOSED,
        GOOD | {"b": (np.zeros(3), np.array([1, 2]))},
        r"observation\['b'\]\[0\] of shape \(3,\), expected \(2,\)",
    ),
    (COMPOSED, GOOD | {"b": (np.zeros(2), np.array([-1, 2]))}, r"observation\['b'\]\[1\] is array\(\[-1"),
    (COMPOSED, GOOD | {"c": np.array([0, 2])}, r"observation\['c'\] is"),
    (COMPOSED, {"a": 1}, "expected a dict with the keys a, b, c"),
    (COMPOSED, (1, 2), "expected a dict with the keys a, b, c"),
    (spaces.Box(0, 1, (2,)), (0.0, {"a": 1}), r"observation is \(0.0, \{'a': 1\}\), expected an array of numbers"),
    (spaces.Box(0, 1, (2,)), "ab", "observation is 'ab', expected an array of numbers"),
    (spaces.Box(0, 1, (2,)), np.zeros(2, complex), "expected an array of numbers"),
    (spaces.Box(0, 1, (2,)), ["1", "2"], "expected an array of numbers"),
    (spaces.Box(0, 1, (2,)), [[1], [1, 2]], "expected an array of numbers"),
    (spaces.Box(0, 1, (2,)), None, "expected an array of numbers"),
    (spaces.Discrete(3), "1", "observation is '1', expected an array of numbers"),
    (spaces.Discrete(3), 3, "observation is 3"),
    (spaces.Discrete(3), np.nan, "observation is nan"),
]


@pytest.mark.parametrize(("space", "value", "message"), WRONG, ids=range(len(WRONG)))
def test_a_value_that_is_not_of_its_space_is_named_with_its_part(space, value, message):
    seen = view(space, "x")
    with pytest.raises(ValueError, match=message):
        seen.write(value, np.empty(seen.shape, seen.dtype))


def test_a_value_of_a_composed_space_is_written_as_gymnasium_flattens_it():
    seen = view(COMPOSED, "x")
    out = np.empty(seen.shape, seen.dtype)
    seen.write(GOOD, out)
    np.testing.assert_array_equal(out, spaces.flatten(COMPOSED, GOOD))


def test_bounds_follow_images_and_composed_spaces():
    low = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    seen = view(spaces.Box(low, low + 1), "x", "last")
    np.testing.assert_array_equal(seen.bounds[0], low.transpose(2, 0, 1))
    assert view(COMPOSED, "x").bounds[0].shape == view(COMPOSED, "x").shape
    assert view(spaces.Box(-np.inf, np.inf, (2,)), "x").bounds is None


# --- recorded actions ------------------------------------------------------------------------------------------------

SPACES = {
    "discrete": (spaces.Discrete(3, start=-1), None, [-2, 2, 0.5, [0]]),
    "several": (spaces.MultiDiscrete([2, 3], start=[0, 5]), None, [[0, 4], [2, 5], [0], 1]),
    "switches": (spaces.MultiBinary((2, 2)), None, [[[0, 0], [0, 2]], [0, 0, 0, 0]]),
    "numbers": (
        spaces.Box(np.array([-2, 0], np.float32), np.array([2, 9], np.float32)),
        None,
        [[-2.1, 0], [np.nan, 0]],
    ),
    "whole numbers": (spaces.Box(0, 4, (2,), np.int64), None, [[5, 0]]),
    "bins": (spaces.Box(-2, 2, (2,)), 5, [[0.3, 0], [3, 0]]),
}


@pytest.mark.parametrize("name", SPACES)
def test_a_recorded_action_becomes_the_one_that_made_it_and_others_are_refused(name):
    space, bins, wrong = SPACES[name]
    seen, rng = action_view(space, "x", bins), np.random.default_rng(0)
    for action in seen.space.draw_any((20,), rng):
        native = seen.native(action)
        again = seen.own(native)
        np.testing.assert_array_equal(seen.native(again), native)
        if native.dtype.kind == "f":
            np.testing.assert_allclose(again, action, atol=1e-6)
    for action in wrong:
        with pytest.raises(ValueError, match="action"):
            seen.own(action)

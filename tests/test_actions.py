"""Action spaces: draws, checks, names, and how gymnasium's spaces become them."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from muzero.actions import Box, Discrete
from muzero.games.action_views import action_view
from muzero.games.errors import UnknownGame

SPACES = [Discrete(1), Discrete(5), Box(1), Box(3)]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_what_a_space_draws_passes_its_check(space):
    rng = np.random.default_rng(0)
    legal = np.ones((50, space.columns), bool)
    for actions in (
        space.draw(legal, rng),
        space.draw_any((50,), rng),
        space.none(50),
        space.pick(legal, rng.random(50)),
    ):
        assert actions.shape == (50, *space.shape) and actions.dtype == space.dtype
        space.check(actions, legal, "game")
    assert space.allows(legal).all()
    encoded = space.encode(torch.from_numpy(space.draw(legal, rng)))
    assert encoded.shape == (50, space.width) and encoded.dtype == torch.float32
    assert space.draw_any((4, 3), rng).shape == (4, 3, *space.shape)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_table_is_mixed_as_the_encoding_times_its_rows(space):
    action = torch.from_numpy(space.draw_any((6,), np.random.default_rng(0)))
    table = torch.randn(space.width, 2, 3)
    expected = torch.einsum("bw,wij->bij", space.encode(action), table)
    assert torch.allclose(space.mix(table, action), expected, atol=1e-6)


def test_only_legal_actions_are_drawn_and_each_of_them():
    space, rng = Discrete(4), np.random.default_rng(0)
    legal = np.tile(np.array([True, False, True, False]), (200, 1))
    assert set(space.draw(legal, rng).tolist()) == {0, 2}
    assert space.pick(legal[:4], np.array([0.0, 0.49, 0.5, 0.99])).tolist() == [0, 0, 2, 2]
    assert not space.allows(np.zeros((1, 4), bool))[0]


@pytest.mark.parametrize(
    ("space", "actions", "message"),
    [
        (Discrete(3), np.array([0, 3]), r"game: actions\[1\] = 3 is not legal"),
        (Discrete(3), np.array([0, 1]), r"game: actions\[1\] = 1 is not legal"),
        (Discrete(3), np.array([0.0, 1.0]), r"game: actions: expected int64 of shape \(2,\), got float64 \(2,\)"),
        (Box(1), np.array([[0.0], [1.5]], np.float32), r"game: actions\[1\] = \[1.5\] lies outside -1..1"),
        (Box(1), np.array([[np.nan], [0]], np.float32), r"game: actions\[0\] = \[nan\] lies outside -1..1"),
        (
            Box(2),
            np.zeros((2, 1), np.float32),
            r"game: actions: expected float32 of shape \(2, 2\), got float32 \(2, 1\)",
        ),
    ],
)
def test_a_wrong_action_is_refused_by_slot(space, actions, message):
    legal = np.ones((2, space.columns), bool)
    legal[1:, 1:2] = False
    with pytest.raises(ValueError, match=message):
        space.check(actions, legal, "game")


def test_discrete_actions_begin_at_the_start_of_their_space():
    found = action_view(spaces.Discrete(3, start=-1), "gym/x")
    assert found.space == Discrete(3) and [found.native(action) for action in range(3)] == [-1, 0, 1]


@pytest.mark.parametrize(
    "space",
    [
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiDiscrete([3, 2, 2], start=[1, 0, 5]),
        spaces.MultiDiscrete([[2, 2], [1, 3]]),
        spaces.MultiBinary(3),
        spaces.MultiBinary([2, 2]),
    ],
    ids=str,
)
def test_every_combination_of_parts_is_one_named_action(space):
    found = action_view(space, "gym/x")
    native = [found.native(action) for action in range(found.space.columns)]
    assert all(space.contains(action) for action in native)
    assert len({action.tobytes() for action in native}) == len(native) == len(set(found.space.names))
    for number, action in enumerate(native):
        assert found.space.name(number) == f"({','.join(map(str, action.ravel()))})"


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-2, 2, (1,)),
        spaces.Box(np.array([[0, -5]]), np.array([[1, 10]]), dtype=np.float64),
        spaces.Box(0, 255, (2,), np.uint8),
        spaces.Box(0, 2**53, (2,), np.int64),
    ],
    ids=str,
)
def test_real_valued_actions_reach_both_bounds_and_stay_between_them(space):
    found = action_view(space, "gym/x")
    size = int(np.prod(space.shape))
    assert found.space == Box(size)
    assert (found.native(np.full(size, -1, np.float32)) == space.low).all()
    assert (found.native(np.full(size, 1, np.float32)) == space.high).all()
    for action in found.space.draw_any((100,), np.random.default_rng(0)):
        assert space.contains(found.native(action))


@pytest.mark.parametrize(
    "space", [spaces.Box(-2, 2, (1,)), spaces.Box(np.array([0, -5.0]), np.array([1, 10.0]))], ids=str
)
def test_real_valued_actions_can_be_reduced_to_bins_that_reach_both_bounds(space):
    found, size = action_view(space, "gym/x", 5), space.shape[0]
    native = np.stack([found.native(action) for action in range(found.space.columns)])
    assert found.space.columns == 5**size and len(np.unique(native, axis=0)) == len(native)
    for number in range(size):
        np.testing.assert_allclose(np.unique(native[:, number]), np.linspace(space.low, space.high, 5)[:, number])
    assert found.space.name(0) == f"({','.join(f'{number:.3g}' for number in space.low)})"


@pytest.mark.parametrize(
    ("space", "bins", "reason"),
    [
        (spaces.Discrete(3), 5, "its actions .* can be listed already"),
        (
            spaces.Box(-1, 1, (3,)),
            9,
            "9 bins of 3 numbers have 729 combinations; the most is 512; set game.bins to at most 8",
        ),
        (spaces.Box(-1, 1, (20,)), 2, "1,048,576 combinations; the most is 512; leave game.bins out"),
    ],
)
def test_bins_that_cannot_be_used_are_refused_with_the_remedy(space, bins, reason):
    with pytest.raises(UnknownGame, match=f"gym/x cannot be played.*{reason}"):
        action_view(space, "gym/x", bins)


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        (spaces.Box(-np.inf, np.inf, (2,)), "have no bounds; give action_space finite bounds"),
        (spaces.Box(0, np.inf, (2,)), "have no bounds"),
        (spaces.Box(-np.inf, np.inf, (2,), np.int64), "have no bounds"),
        (spaces.Box(-(2**63), 2**63 - 1, (2,), np.int64), r"have bounds up to 9\.22337e\+18; the most is 9\.0072e\+15"),
        (spaces.Box(-1.7e308, 1.7e308, (2,), np.float64), r"have bounds up to 1\.7e\+308"),
        (spaces.MultiDiscrete([8, 8, 9]), "have 576 combinations; the most is 512"),
        (spaces.MultiBinary(10), "have 1,024 combinations; the most is 512"),
        (spaces.Box(-1, 1, (600,)), "have 600 numbers; expected 1 to 512"),
        (spaces.Dict(a=spaces.Discrete(2)), "expected Discrete, MultiDiscrete, MultiBinary or Box"),
        (spaces.Text(3), "expected Discrete, MultiDiscrete, MultiBinary or Box"),
        (None, "expected Discrete, MultiDiscrete, MultiBinary or Box"),
    ],
    ids=str,
)
def test_a_space_that_cannot_be_planned_is_refused_with_the_reason(space, reason):
    with pytest.raises(UnknownGame, match=f"gym/x cannot be played: .*{reason}"):
        action_view(space, "gym/x")

"""Windows under symmetries: against a loop over rows and cells, and drawn by the generator of the replay."""

import numpy as np
import pytest
import torch
from segments import BOARD, LINE, some

from muzero.data.replay import Replay
from muzero.data.schema import Segment, SegmentId
from muzero.interfaces import Symmetries, WindowSize

RANDOM = np.random.default_rng(5)
CELLS = np.stack([np.arange(36), *(RANDOM.permutation(36) for _ in range(3))])
IMAGES = np.stack([np.arange(9), *(RANDOM.permutation(9) for _ in range(3))])
ALL = Symmetries(CELLS, IMAGES, np.ones((4, 9), bool))
TURNED = ("observation", "policy", "action", "before")  # all other fields stay


def played(game):
    """A game of six steps with random numbers in every column."""
    rng, rows = np.random.default_rng(game), 7
    discount = np.full(rows, -1, np.float32)
    discount[5] = 0
    policy = rng.dirichlet(np.ones(9), rows).astype(np.float32)
    policy[-1] = 0
    value = rng.normal(size=rows).astype(np.float32)
    value[-1] = 0
    taught = np.arange(rows) % 2 == 0
    taught[-1] = False
    columns = {
        "observation": rng.normal(size=(rows, 4, 3, 3)).astype(np.float32),
        "legal": np.ones((rows, 9), bool),
        "action": rng.integers(9, size=rows),
        "reward": rng.normal(size=rows).astype(np.float32),
        "discount": discount,
        "policy": policy,
        "value": value,
        "planned": rng.random(rows) < 0.5,
        "taught": taught,
    }
    return Segment(SegmentId(0, 0, game, 0), 0, columns, tail=True)


def filled(symmetries=None, **settings):
    replay = Replay(BOARD, 0, 0, lambda: symmetries, capacity=1000, **settings)
    for game in range(20):
        replay.add(played(game))
    return replay


def turned(window, row, cells, image):
    """A row of a window under one symmetry, element by element."""
    found = {name: getattr(window, name)[row].clone() for name in TURNED}
    for position in range(window.observation.shape[1]):
        before, after = (each[position].flatten() for each in (window.observation[row], found["observation"]))
        for cell in range(36):
            after[cell] = before[cells[cell]]
        found["observation"][position] = after.view(4, 3, 3)
        for action in range(9):
            found["policy"][position, image[action]] = window.policy[row, position, action]
    for step in range(window.action.shape[1]):
        found["action"][step] = image[window.action[row, step]]
    if not window.first[row, 0]:
        found["before"] = torch.tensor(image[window.before[row]])
    return found


def test_each_row_is_shown_under_one_symmetry_and_nothing_else_changes():
    plain, shown = filled(), filled(ALL)
    which = []
    for _ in range(5):
        shown.rng.bit_generator.state = plain.rng.bit_generator.state  # the same rows
        (numbers, before), (same, after) = (each.sample(64, WindowSize(4, 3, 2)) for each in (plain, shown))
        assert (numbers == same).all() and after.over.any() and after.first.any()
        for name, field in before.tensors().items():
            assert field.dtype == after.tensors()[name].dtype
            if name not in TURNED:
                assert torch.equal(field, after.tensors()[name]), name
        for row in range(64):
            fits = []
            for cells, image in zip(CELLS, IMAGES, strict=True):
                wanted = turned(before, row, cells, image)
                fits.append(all(torch.equal(getattr(after, name)[row], wanted[name]) for name in TURNED))
            assert sum(fits) == 1
            which.append(fits.index(True))
    assert np.bincount(which, minlength=4) / len(which) == pytest.approx(0.25, abs=0.08)


def test_a_row_with_an_action_of_unknown_image_stays_as_it_is():
    replay = filled(Symmetries(CELLS, IMAGES, np.arange(9) != np.array([9, 4, 4, 4])[:, None]))
    for game in range(20):  # in every fourth game action 4 is weighed, in all others only taken
        replay.rows["policy"][game * 7 : game * 7 + 7, 4] *= game % 4 == 0
    action = replay.rows["action"].copy()
    action[6::7] = -1  # no step was taken there
    moved, bound = [], []
    for _ in range(20):
        numbers, window = replay.sample(64, WindowSize(2, 2))
        for row, number in enumerate(numbers):
            begin, end = number // 7 * 7, number // 7 * 7 + 6
            moved.append(not np.array_equal(window.observation[row, 0], replay.rows["observation"][number]))
            bound.append(4 in action[max(number - 1, begin) : min(number + 2, end)] or number // 7 % 4 == 0)
    moved, bound = np.array(moved), np.array(bound)
    assert 0.3 < bound.mean() < 0.7 and not moved[bound].any()
    assert moved[~bound].mean() == pytest.approx(0.75, abs=0.08)


def test_a_restored_replay_draws_the_same_symmetries():
    replay = filled(ALL)
    replay.sample(32, WindowSize(3, 2))
    arrays, values = replay.state()
    twin = Replay(BOARD, 99, 0, lambda: ALL, capacity=1000)
    twin.restore(arrays, values, [(game, played(game)) for game in range(20)])
    for _ in range(3):
        (numbers, one), (same, other) = (each.sample(32, WindowSize(3, 2)) for each in (replay, twin))
        assert (numbers == same).all()
        assert all(torch.equal(field, other.tensors()[name]) for name, field in one.tensors().items())


def test_without_symmetries_nothing_is_drawn_and_without_the_setting_none_are_sought():
    def refused():
        raise AssertionError("sought")

    replays = [filled(), Replay(BOARD, 0, 0, refused, capacity=1000, symmetries=False)]
    for game in range(20):
        replays[1].add(played(game))
    found = [replay.sample(32, WindowSize(3, 2))[1] for replay in replays]
    assert all(torch.equal(field, found[1].tensors()[name]) for name, field in found[0].tensors().items())
    assert replays[0].rng.bit_generator.state == replays[1].rng.bit_generator.state
    assert Replay(LINE, 0, 4, refused, capacity=1000).symmetries is None  # candidates are not all actions


def test_games_without_symmetries_sample_as_ever():
    replays = [Replay(LINE, 0, capacity=1000), Replay(LINE, 0, 0, lambda: None, capacity=1000)]
    for replay in replays:
        for segment in some(LINE, 9):
            replay.add(segment)
        replay.sample(16, WindowSize(3, 2))
    assert replays[0].rng.bit_generator.state == replays[1].rng.bit_generator.state

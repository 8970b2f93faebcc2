"""The contract of `Games`, checked for every source of games."""

import numpy as np
import pytest

from muzero.config.schema import parameters
from muzero.games.arcade import ArcadeGames
from muzero.games.board import BoardGames
from muzero.games.control import ControlGames
from muzero.games.minatar import MinatarGames
from muzero.games.python import PythonGames

CASES = [
    *[(BoardGames, name, {}) for name in ("tic_tac_toe", "othello", "dots_and_boxes", "go(board_size=5)", "nim")],
    (BoardGames, "othello_6x6", {"random_plies": 2}),
    (BoardGames, "connect_four", {"random_plies": 4}),
    (BoardGames, "cliff_walking", {}),
    *[(ControlGames, name, {}) for name in ("CartPole-v1", "FrozenLake-v1", "Blackjack-v1")],
    (ControlGames, "Acrobot-v1", {"max_steps": 25}),
    (ControlGames, "Taxi-v4", {"max_steps": 25, "action_mask": True}),
    (MinatarGames, "breakout", {"max_steps": 25}),
    (MinatarGames, "seaquest", {"stack": 3}),
    (ArcadeGames, "pong", {"max_frames": 120}),
    (ArcadeGames, "breakout", {"colour": True, "stack": 2, "sticky": 0.25}),
    (PythonGames, "sample_games:Corridor", {}),
    (PythonGames, "sample_games:Stones", {}),
]
SEEDS = np.array([3, -1, 2**40 + 3])
BATCH = len(SEEDS)
STEPS = 45


class Walk:
    """Random play in which a slot's moves follow from its seed and not from the other slots."""

    def __init__(self, games, seeds):
        self.rngs = [np.random.default_rng(abs(seed)) for seed in seeds.tolist()]
        self.games = games
        self.now = games.reset(seeds)

    def step(self):
        actions = [rng.choice(np.flatnonzero(legal)) for rng, legal in zip(self.rngs, self.now.legal, strict=True)]
        self.now = self.games.step(np.array(actions))
        return self.now

    def record(self, steps):
        return [self.now, *(self.step() for _ in range(steps))]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0].__name__}-{case[1]}")
def case(request):
    return request.param


@pytest.fixture(scope="module")
def shown(case):
    """What games are said to be, and all that one walk shows of them."""
    source, name, configuration = case
    games = source(name, BATCH, True, **configuration)
    yield games.spec, Walk(games, SEEDS).record(STEPS)
    games.close()


@pytest.fixture
def make(case):
    source, name, configuration = case
    built = []

    def build(batch=BATCH, training=True):
        built.append(source(name, batch, training, **configuration))
        return built[-1]

    yield build
    for games in built:
        games.close()


def assert_same(left, right, rows=slice(None)):
    for name in vars(left):
        a, b = getattr(left, name)[rows], getattr(right, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_arrays_have_the_shapes_and_types_of_the_contract(shown):
    (spec, walk), batch = shown, BATCH
    for now in walk:
        assert now.observation.shape == (batch, *spec.observation) and now.observation.dtype == spec.dtype
        assert now.legal.shape == (batch, spec.actions.columns) and now.legal.dtype == bool
        for name, dtype in (("reward", "f4"), ("discount", "f4"), ("first", "?"), ("truncated", "?")):
            assert getattr(now, name).shape == (batch,) and getattr(now, name).dtype == np.dtype(dtype), name
        assert np.isfinite(now.observation).all() and np.isfinite(now.reward).all()
        assert now.legal.any(1).all()


def test_discounts_are_ascending_and_no_others_occur(shown):
    spec, walk = shown
    assert list(spec.discounts) == sorted(set(spec.discounts))
    for now in walk:
        assert np.isin(now.discount[~now.first], np.array(spec.discounts, np.float32)).all()


def test_a_game_ends_once_and_the_next_step_begins_another(shown):
    spec, (before, *steps) = shown
    ends = 0
    assert before.first.all()
    for now in steps:
        np.testing.assert_array_equal(now.first, before.last)
        assert not (now.first & now.last).any()
        assert (now.reward[now.first] == 0).all() and (now.discount[now.first] == 1).all()
        assert now.legal[now.last].all()
        assert (now.discount[now.truncated] != 0).all()
        ends += now.last.sum()
        before = now
    assert ends or spec.name in ("board/othello", "gym/CartPole-v1", "minatar/seaquest")


def test_the_same_seeds_give_the_same_games(make):
    games = make()
    once, again, other = (Walk(g, SEEDS).record(STEPS) for g in (games, games, make()))
    for a, b, c in zip(once, again, other, strict=True):
        assert_same(a, b)
        assert_same(a, c)


def test_a_slot_does_not_depend_on_those_beside_it(make):
    together = Walk(make(), SEEDS).record(STEPS)
    for slot in range(len(SEEDS)):
        rows = slice(slot, slot + 1)
        for a, b in zip(together, Walk(make(batch=1), SEEDS[rows]).record(STEPS), strict=True):
            assert_same(a, b, rows)


def test_what_was_shown_does_not_change_later(make):
    walk = Walk(make(), SEEDS)
    shown = [(now, {name: array.copy() for name, array in vars(now).items()}) for now in walk.record(12)]
    for now, copy in shown:
        for name, array in copy.items():
            np.testing.assert_array_equal(getattr(now, name), array)


@pytest.mark.parametrize("steps", [0, 7, 41])
def test_restored_games_go_on_as_if_nothing_had_happened(make, steps):
    games = make()
    if not games.state():
        assert games.restore({}) is None
        return
    walk = Walk(games, SEEDS)
    walk.record(steps)
    state, other = games.state(), make()
    assert all(array.dtype == np.int64 and array.ndim == 1 for array in state.values())
    restored = other.restore(state)
    assert_same(walk.now, restored)
    for _ in range(20):
        now = walk.step()
        actions = np.array([actions[-1] if actions else 0 for actions in games._actions])
        assert_same(now, other.step(np.where(restored.last, 0, actions)))
        restored = now


def test_returns_and_lengths_stay_within_the_spec(make):
    games = make(training=False)
    low, high = games.spec.returns or (-np.inf, np.inf)
    total, steps = np.zeros(games.batch), np.zeros(games.batch)
    sign = np.ones(games.batch)
    for now in Walk(games, SEEDS).record(STEPS):
        total, steps = np.where(now.first, 0, total + sign * now.reward), np.where(now.first, 0, steps + 1)
        sign = np.where(now.first, 1, np.where(now.discount < 0, -sign, sign))
        assert (total[now.last] >= low).all() and (total[now.last] <= high).all()
        assert (steps <= (games.spec.max_steps or np.inf)).all()


def test_an_action_that_does_not_exist_is_named(make):
    games = make()
    legal = games.reset(SEEDS).legal.argmax(1)[:2]
    for wrong in (-1, 10**6):
        message = rf"{games.spec.name.split('(')[0]}.*actions\[2\] = {wrong} is not legal"
        with pytest.raises(ValueError, match=message):
            games.step(np.array([*legal, wrong]))


def test_actions_and_seeds_of_a_wrong_shape_are_refused(make):
    games = make()
    with pytest.raises(ValueError, match=r"seeds: expected int64 of shape \(3,\), got int64 \(2,\)"):
        games.reset(SEEDS[:2])
    games.reset(SEEDS)
    with pytest.raises(ValueError, match=r"actions: expected int64 of shape \(3,\), got float64 \(3,\)"):
        games.step(np.zeros(3))


def test_the_configuration_can_be_read_from_the_signature(make):
    found = parameters(type(make()))
    assert "discount" in found and not {"name", "batch", "training"} & set(found)

"""Positions that are planned again in a pool without Ray: in which order, by which weights, in either process."""

import json
import os
import signal

import numpy as np
import pytest
import torch

from muzero import build
from muzero.actors import actor
from muzero.actors.tasks import Evaluate, Played, Reanalyse, Reanalysed
from muzero.data.plans import StoredPositions
from muzero.interfaces import observe_first
from muzero.util.seeds import derive

LONG = 300.0  # seconds: no answer takes that long
GAMES = ["board/tic_tac_toe", "gym/CartPole-v1", "python/gated:Gated"]
BOTH = pytest.mark.parametrize("apart", [pytest.param(False, id="in_process"), pytest.param(True, id="child")])
SEVERAL = ["planner.kind=puct", "planner.inference=torch"]


@pytest.fixture(autouse=True)
def small_searches(monkeypatch):
    """In children that begin from now on too."""
    monkeypatch.setattr(actor, "SEARCHED", 8)


def weights(pool, seed):
    model = build.model(pool.place.config, pool.spec, seed)
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def positions(pool, first, count=20):
    rng, spec = np.random.default_rng(first), pool.spec
    observation = rng.integers(0, 2, (count, *spec.observation)).astype(spec.dtype)
    legal = np.ones((count, spec.actions.columns), bool)
    return StoredPositions(np.arange(first, first + count), observation, legal)


def rounds(pool, count, first=0, plans=lambda number: number % 2 == 0):
    """What a run asks of a pool: publish, request plans in some rounds, take a result; as bytes."""
    found = []
    for number in range(first, first + count):
        pool.publish(weights(pool, number), number)
        if plans(number):
            pool.request(Reanalyse, lambda number=number: Reanalyse(positions(pool, 100 * number)))
        found.append(plain(pool, pool.next_result(LONG)))
    return found


def plain(pool, result):
    if isinstance(result.found, Played):
        played = result.found.packed(pool.layout)
        return "played", result.version, tuple(played.segments), tuple(played.episodes)
    numbers, policy, value = result.found.numbers, result.found.policy, result.found.value
    return "planned", result.version, numbers.tolist(), policy.tobytes(), value.tobytes()


def test_plans_come_before_the_task_that_was_given_after_them(pool_of):
    pool = pool_of(False)
    found = [(kind, version) for kind, version, *_ in rounds(pool, 8)]
    # Rounds 0, 2 and 6 give plans and a task, or two; rounds 1 and 4 give nothing, as two tasks are under way.
    assert found == [
        ("planned", 0), ("played", 0), ("played", 0), ("planned", 2),
        ("played", 2), ("played", 3), ("played", 5), ("planned", 6),
    ]  # fmt: skip


@pytest.mark.parametrize("game", GAMES)
def test_a_child_plans_what_is_planned_in_this_process(pool_of, game):
    here, child = pool_of(False, game), pool_of(True, game)
    expected = rounds(here, 9)
    assert rounds(child, 9) == expected
    assert sum(kind == "planned" for kind, *_ in expected) >= 2


@BOTH
def test_plans_are_those_of_the_model_of_their_version(pool_of, apart):
    """Searches of eight rows; the last is filled up with the first ones."""
    pool = pool_of(apart, "gym/CartPole-v1", *SEVERAL)
    found = [each for each in rounds(pool, 6, plans=lambda number: True) if each[0] == "planned"]
    assert len(found) >= 2
    for _, version, numbers, policy, value in found:
        given = positions(pool, numbers[0])
        rng = np.random.default_rng(derive(build.settings(pool.place.config).seed, "reanalyse", 0, version, numbers[0]))
        model = build.model(pool.place.config, pool.spec, version).eval()
        planner, expected = build.planner(pool.place.config), []
        for rows in ([*range(8)], [*range(8, 16)], [*range(16, 20), *range(4)]):
            with torch.inference_mode():
                root = observe_first(model, torch.from_numpy(given.observation[rows]))
                expected.append(planner.plan(model, root, given.legal[rows], {}, np.ones(8, bool), rng, True)[0])
        assert numbers == given.numbers.tolist()
        assert policy == np.concatenate([each.weights for each in expected])[:20].tobytes()
        assert value == np.concatenate([each.value for each in expected])[:20].tobytes()


@BOTH
def test_positions_are_taken_once_before_each_task_of_play(pool_of, apart):
    pool, made = pool_of(apart), []

    def make():
        made.append(len(made))
        return Reanalyse(positions(pool, 0))

    pool.publish(weights(pool, 0), 0)
    assert not pool.request(Evaluate, lambda: Evaluate(1)) and made == []
    assert pool.request(Reanalyse, make) and not pool.request(Reanalyse, make)
    assert isinstance(pool.next_result(LONG).found, Reanalysed)
    assert not pool.request(Reanalyse, make)  # two tasks of play are under way
    assert isinstance(pool.next_result(LONG).found, Played)
    assert pool.request(Reanalyse, make) and made == [0, 1]


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False)])
@pytest.mark.parametrize("taken", [3, 4])
def test_a_pool_continues_with_the_plans_of_another(pool_of, first, second, taken):
    before, whole, after = pool_of(first), pool_of(False), pool_of(second)
    rounds(before, taken)
    expected = rounds(whole, 12)[taken:]
    arrays, values = before.state()
    values = json.loads(json.dumps(values))
    assert sorted("rows" in each for each in values["pending"]) == {3: [False, True], 4: [False, False]}[taken]
    after.check(arrays, values)
    assert after.restore(arrays, values, 0)
    assert rounds(after, 12 - taken, first=taken) == expected


def test_plans_are_forgotten_where_rows_have_other_numbers(pool_of):
    pool, again = pool_of(False), pool_of(False)
    rounds(pool, 3)
    assert again.restore(*pool.state(), 0)
    assert [type(result.found) for result in again.ready] == [Reanalysed, Played]
    again.forget_plans()
    assert [type(result.found) for result in again.ready] == [Played]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_plans_that_a_dying_child_has_not_made_are_made_by_the_next(pool_of, count):
    pool, here = pool_of(True), pool_of(False)
    for each in (pool, here):
        each.publish(weights(each, 0), 0)
        assert each.request(Reanalyse, lambda each=each: Reanalyse(positions(each, 300)))
        if each is pool:
            os.kill(pool.place.process, signal.SIGKILL)
    found = []
    while len(found) < count:
        if (result := pool.next_result(LONG)) is not None:
            found.append(result)
    assert plain(pool, found[0]) == plain(here, here.next_result(LONG)) and pool.deaths == 1
    assert all(isinstance(result.found, Played) for result in found[1:])


FORGED = {
    "rows that are missing": (lambda a, v: (a, [v[0] | {"rows": 21}, *v[1:]]), "pending.plans.numbers"),
    "rows below 1": (lambda a, v: (a, [v[0] | {"rows": 0}, *v[1:]]), "rows"),
    "a version below -1": (lambda a, v: (a, [v[0] | {"version": -2}, *v[1:]]), "version"),
    "no version": (lambda a, v: (a, [{"rows": 20}, *v[1:]]), "version missing"),
    "numbers below 0": (lambda a, v: (a | {"pending.plans.numbers": a["pending.plans.numbers"] - 999}, v), "from 0"),
    "numbers of floats": (lambda a, v: (a | {"pending.plans.numbers": np.arange(20.0)}, v), "pending.plans.numbers"),
    "values that are not finite": (lambda a, v: (a | {"pending.plans.value": np.full(20, np.nan)}, v), "not finite"),
    "policies of another game": (lambda a, v: (a | {"pending.plans.policy": np.ones((20, 9))}, v), "new plans"),
    "no policies": (lambda a, v: ({k: each for k, each in a.items() if k != "pending.plans.policy"}, v), "new plans"),
}


@pytest.mark.parametrize("case", FORGED)
def test_forged_plans_are_refused(pool_of, case):
    pool = pool_of(False)
    rounds(pool, 3)
    arrays, values = pool.state()
    pool.check(arrays, values)
    change, message = FORGED[case]
    forged, pending = change(arrays, values["pending"])
    with pytest.raises(ValueError, match=message):
        pool.check(forged, values | {"pending": pending})

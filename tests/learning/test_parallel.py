"""Several learners on one step: the same weights in all, and the step of one learner with all of the batch."""

import math
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from learners import results, together
from small_learning import CPU, SmallModel, SmallObjective, small_learner, windows

from muzero.actions import Discrete
from muzero.interfaces import GameSpec, Window
from muzero.learning import parallel
from muzero.learning.learner import Learner
from muzero.learning.parallel import ALONE
from muzero.models.spatial import SpatialModel
from muzero.models.vector import VectorModel
from muzero.objectives.value_equivalence import ValueEquivalence

VECTOR = GameSpec("vector", (5,), "float32", Discrete(2), (0.0, 0.99))
BOARD = GameSpec("board/small", (3, 3, 3), "float32", Discrete(9), (-1.0, 0.0), (-1.0, 1.0), 9)
UNROLL, N_STEP = 3, 2
SGD = {"optimizer": "sgd", "learning_rate": 0.05}


def batch(spec, rows, seed):
    """A batch of random experience that teaches every head."""
    rng, steps = torch.Generator().manual_seed(seed), UNROLL + N_STEP
    seen, policy = (rows, UNROLL + 1), torch.rand(rows, UNROLL + 1, spec.actions.columns, generator=rng)
    return Window(
        first=torch.zeros(seen, dtype=torch.bool),
        before=torch.zeros(rows, dtype=torch.int64),
        number=torch.arange(rows),
        age=torch.arange(rows),
        observation=torch.randn(*seen, *spec.observation, generator=rng),
        action=torch.randint(spec.actions.columns, (rows, steps), generator=rng),
        reward=torch.rand(rows, steps, generator=rng),
        discount=torch.full((rows, steps), spec.discounts[-1] or spec.discounts[0]),
        value=torch.rand(rows, steps + 1, generator=rng),
        policy=policy / policy.sum(-1, keepdim=True),
        known=torch.ones(rows, steps + 1, dtype=torch.bool),
        over=torch.zeros(rows, steps + 1, dtype=torch.bool),
        taught=torch.ones(seen, dtype=torch.bool),
        planned=torch.ones(rows, steps, dtype=torch.bool),
        weight=torch.rand(rows, generator=rng),
    )


def share(window, learners):
    """The rows of a batch that a learner takes."""
    rows = len(window.weight) // learners.size
    mine = slice(learners.rank * rows, (learners.rank + 1) * rows)
    return replace(window, **{name: tensor[mine] for name, tensor in window.tensors().items()})


def learned(learners, kind=VectorModel, spec=VECTOR, updates=4, **settings):
    """Weights by name after some updates, their digest, and figures of the last one."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = kind(spec)
    objective = ValueEquivalence(spec, model, unroll=UNROLL, n_step=N_STEP, consistency_weight=0)
    learner = Learner(
        model, objective, CPU, 0, learners, batch=12, precision="float32", target_every=2, warmup=0, **settings
    )
    for number in range(updates):
        update = learner.update(share(batch(spec, 12, number), learners), number / updates)
    tensors, _ = learner.state()
    found = {f"{group}/{name}": t.numpy().copy() for group, named in tensors.items() for name, t in named.items()}
    return found, parallel.digest(tensors), float(update.metrics["gradient"])


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(
    "settings",
    [SGD, SGD | {"average": 0.9}, SGD | {"clip": 0.1, "target_rate": 0.3}, {"optimizer": "adamw"}],
    ids=["sgd", "average", "clip", "adamw"],
)
def test_learners_make_the_step_of_one_with_all_of_the_batch(size, settings):
    # AdamW divides by the size of a gradient, which magnifies rounding where it is almost 0: differently on processors.
    tolerance = 1e-5 if settings["optimizer"] == "adamw" else 1e-6
    one, _, norm = learned(ALONE, **settings)
    several = results(lambda learners: learned(learners, **settings), size)
    assert len({mark for _, mark, _ in several}) == 1
    for found, _, of_all in several:
        assert of_all == pytest.approx(norm, rel=1e-5)
        for name, array in one.items():
            np.testing.assert_allclose(found[name], array, rtol=0, atol=tolerance, err_msg=name)


def test_learners_with_batch_norm_have_the_same_weights_and_running_means():
    one, _, _ = learned(ALONE, SpatialModel, BOARD)
    (first, mark, _), (second, other, _) = results(lambda learners: learned(learners, SpatialModel, BOARD))
    assert mark == other
    statistics = [name for name in first if "running_" in name]
    assert statistics
    for name in statistics:
        np.testing.assert_array_equal(first[name], second[name])
    # Each normalises over its own share, so this is not the step of one learner.
    assert any(not np.allclose(first[name], one[name], atol=1e-6) for name in one)


def test_running_means_are_those_of_all_of_the_batch():
    (window,) = windows(1)

    def mean(learners):
        learner = small_learner(learners=learners)
        learner.update(share(window, learners), 0.0)
        return learner.model.layers[1].running_mean.numpy().copy()

    for found in results(mean):
        np.testing.assert_allclose(found, mean(ALONE), rtol=0, atol=1e-6)


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_an_update_that_is_not_finite_in_one_learner_is_skipped_in_all(odd):
    first, second = windows(2)

    def skipping(learners):
        learner = small_learner(learners=learners)
        learner.update(share(first, learners), 0.0)
        before = parallel.digest(learner.state()[0])
        window = share(second, learners)
        if learners.rank == 1:
            window.reward.fill_(odd)
        finite = bool(learner.update(window, 0.0).finite)
        return finite, before == parallel.digest(learner.state()[0])

    assert results(skipping) == [(False, True)] * 2


def test_learners_draw_different_numbers():
    noise = results(lambda learners: small_learner(learners=learners).seed)
    assert len({*noise}) == 2 and noise[0] == small_learner().seed


def test_each_learner_takes_its_share_of_the_batch():
    made = results(lambda learners: Learner(SmallModel(), SmallObjective(), CPU, 0, learners, batch=64).batch)
    assert made == [32, 32]


def test_different_weights_are_noticed():
    def compare(learners):
        learners.require_same({"model": {"weight": torch.zeros(3)}})
        learners.require_same({"model": {"weight": torch.full((3,), float(learners.rank))}})

    for _, error in together(compare):
        assert error == "LostLearner: the weights of learner 1 are not those of learner 0"


def test_learners_at_different_points_notice_it():
    found = together(lambda learners: learners.gather(f"number {learners.rank}", 1.0))
    for rank, (_, error) in enumerate(found):
        assert error.endswith(f"learner {1 - rank} is not at the same point: learner {rank} exchanges number {rank}")


def test_numbers_of_all_learners_are_exact():
    numbers = results(lambda learners: learners.gather("counts", 2.0**48 - 1 - learners.rank, learners.rank), 3)
    assert numbers == [[(2.0**48 - 1 - rank, rank) for rank in range(3)]] * 3


@pytest.mark.parametrize("where", ["update", "exchange"])
def test_a_learner_that_dies_ends_the_others_with_an_error(where):
    (window,) = windows(1)

    def dying(learners):
        learner = small_learner(learners=learners)
        learner.update(share(window, learners), 0.0)
        if learners.rank == 1:
            os._exit(1)
        if where == "update":
            learner.update(share(window, learners), 0.0)
        learners.gather("counts", 1.0)

    (_, error), (_, died) = together(dying)
    assert died is None and error.startswith("LostLearner: learner 0 of 2 waits for another in vain")

"""The model, the objective and the learner on a corridor: signs, masks, ends, and that it learns what is there."""

import numpy as np
import pytest
import torch
from chain import DISCOUNT, ChainGames, ChainModel

from muzero.actions import Discrete
from muzero.data.replay import Replay
from muzero.interfaces import GameSpec, Window, observe_first
from muzero.learning.learner import Learner
from muzero.models.spatial import SpatialModel
from muzero.models.vector import VectorModel
from muzero.objectives.value_equivalence import ValueEquivalence
from muzero.planners.reactive import ReactivePlanner
from muzero.play.selfplay import SelfPlay

CPU = torch.device("cpu")
DRAWS = torch.Generator()
BOARD = GameSpec("board/small", (3, 3, 3), "float32", Discrete(9), (-1.0, 0.0), (-1.0, 1.0), 9)
IMAGE = GameSpec("image", (4, 96, 96), "uint8", Discrete(6), (0.0, 0.99))
VECTOR = GameSpec("vector", (5,), "float32", Discrete(2), (0.0, 0.99))


def window(spec, batch=4, unroll=3, n=2, observations=None, seed=0):
    """A window of random experience in which nothing ends."""
    rng = torch.Generator().manual_seed(seed)
    steps = unroll + n
    observations = observations or unroll + 1
    shape = (batch, observations, *spec.observation)
    return Window(
        first=torch.zeros(batch, observations, dtype=torch.bool),
        before=torch.zeros(batch, dtype=torch.int64),
        number=torch.arange(batch),
        age=torch.arange(batch),
        observation=torch.randint(0, 255, shape, generator=rng, dtype=torch.uint8).to(getattr(torch, spec.dtype)),
        action=torch.randint(spec.actions.columns, (batch, steps), generator=rng),
        reward=torch.zeros(batch, steps),
        discount=torch.full((batch, steps), spec.discounts[-1] or spec.discounts[0]),
        value=torch.rand(batch, steps + 1, generator=rng),
        policy=torch.full((batch, observations, spec.actions.columns), 1 / spec.actions.columns),
        known=torch.ones(batch, steps + 1, dtype=torch.bool),
        over=torch.zeros(batch, steps + 1, dtype=torch.bool),
        taught=torch.ones(batch, observations, dtype=torch.bool),
        planned=torch.ones(batch, steps, dtype=torch.bool),
        weight=torch.ones(batch),
    )


def replaced(original, **changes):
    return Window(**{**vars(original), **changes})


def parts(spec=VECTOR, **settings):
    torch.manual_seed(0)
    model = (SpatialModel if len(spec.observation) == 3 else VectorModel)(spec)
    return model, ValueEquivalence(spec, model, **{"unroll": 3, "n_step": 2, **settings})


@pytest.mark.parametrize("spec", [VECTOR, BOARD, IMAGE], ids=lambda spec: spec.name)
@pytest.mark.parametrize("bootstrap", ["search", "target"])
def test_every_parameter_receives_a_gradient(spec, bootstrap):
    model, objective = parts(spec, bootstrap=bootstrap)
    for head in (model.policy_head, model.value_head, model.reward_head, model.discount_head):
        torch.nn.init.normal_(head.weight)  # zero heads pass no gradient on
    loss = objective(model, model, window(spec, observations=objective.window.observations), DRAWS)
    torch.stack([term.sum() for term in loss.terms.values()]).sum().backward()
    silent = [name for name, p in [*model.named_parameters(), *objective.named_parameters()] if p.grad is None]
    assert silent == []


def test_what_is_not_known_teaches_nothing():
    model, objective = parts()
    model.eval()
    whole = window(VECTOR)
    known = whole.known.clone()
    known[:, 2:] = False
    short = replaced(whole, known=known)
    odd = replaced(
        short,
        reward=torch.where(known[:, 1:], short.reward, 99.0),
        value=torch.where(known, short.value, 99.0),
        policy=torch.where(known[:, :4, None], short.policy, 0.9),
    )
    for name, term in objective(model, model, short, DRAWS).terms.items():
        assert torch.equal(term, objective(model, model, odd, DRAWS).terms[name]), name


def test_the_policy_is_learned_from_full_searches_only_and_the_value_from_all():
    model, objective = parts()
    model.eval()
    torch.nn.init.normal_(model.policy_head.weight)
    whole = window(VECTOR)
    taught = torch.rand(whole.taught.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    some = replaced(whole, taught=taught)
    odd = replaced(some, policy=torch.where(taught[:, :, None], some.policy, 0.9))
    terms, same = (objective(model, model, each, DRAWS).terms for each in (some, odd))
    assert torch.equal(terms["policy"], same["policy"])
    full, cheap = (objective(model, model, replaced(whole, taught=each), DRAWS).terms for each in (taught, ~taught))
    all_of_them = objective(model, model, whole, DRAWS).terms
    assert torch.equal(all_of_them["value"], terms["value"])
    # A position that does not teach counts as 0, so the parts add up to the whole.
    torch.testing.assert_close(full["policy"] + cheap["policy"], all_of_them["policy"])
    assert (full["policy"] > 0).any() and (cheap["policy"] > 0).any()


def test_after_the_end_value_and_reward_are_zero_and_no_policy_is_taught():
    model, objective = parts()
    whole = window(VECTOR)
    over = whole.over.clone()
    over[:, 1:] = True
    ended = replaced(
        whole, over=over, discount=torch.zeros_like(whole.discount), value=torch.where(over, 0.0, whole.value)
    )
    ended.reward[:, 0] = 1
    target = objective.value_target(model, ended)
    assert torch.equal(target[:, 0], torch.ones(4)) and (target[:, 1:] == 0).all()
    odd = replaced(ended, policy=torch.where(over[:, :4, None], 0.9, ended.policy))
    assert torch.equal(
        objective(model, model, odd, DRAWS).terms["policy"], objective(model, model, ended, DRAWS).terms["policy"]
    )
    before = objective(model, model, ended, DRAWS).terms["value"].sum()
    with torch.no_grad():
        model.value_head.bias += torch.nn.functional.one_hot(torch.tensor(25), 51) * 5.0  # the atom at 0
    assert objective(model, model, ended, DRAWS).terms["value"].sum() < before


def test_returns_to_the_end_of_a_board_game_carry_alternating_signs():
    model, objective = parts(BOARD, n_step=0)
    made = window(BOARD, n=9)
    over = made.over.clone()
    over[:, 4:] = True
    reward, discount = torch.zeros_like(made.reward), made.discount.clone()
    reward[:, 3], discount[:, 3:] = 1, 0
    ended = replaced(made, over=over, reward=reward, discount=discount, value=torch.where(over, 0.0, made.value))
    assert objective.value_target(model, ended)[0].tolist() == [-1, 1, -1, 1]


def test_the_target_model_is_asked_where_the_bootstrap_is_its_value():
    _, objective = parts(bootstrap="target")
    other, _ = parts()
    with torch.no_grad():
        other.value_head.bias[-1] = 100.0  # a model that finds everything worth 300
    made = window(VECTOR, observations=objective.window.observations)
    target = objective.value_target(other, made)
    assert torch.allclose(target, torch.full_like(target, 300 * 0.99**2), rtol=1e-3)


@pytest.mark.parametrize("bootstrap", ["search", "target"])
def test_targets_of_older_rows_bootstrap_earlier_as_written_out_in_a_loop(bootstrap):
    _, objective = parts(bootstrap=bootstrap, n_step=3, age_steps=10)
    other, _ = parts()
    torch.nn.init.normal_(other.value_head.weight)
    made = window(VECTOR, batch=5, n=3, observations=objective.window.observations)
    made = replaced(made, age=torch.tensor([0, 9, 10, 25, 1000]), reward=torch.rand(made.reward.shape))
    made.known[1, 5:], made.planned[0, 1] = False, False  # a cut, and an action drawn at random
    value = made.value
    if bootstrap == "target":
        fresh = [other.predict(observe_first(other, made.observation[:, k])).value.mean for k in range(1, 7)]
        value = torch.where(made.known, torch.stack([value[:, 0], *fresh], 1), value).detach()
    found = objective.value_target(other, made)
    for row, steps in enumerate([3, 3, 2, 1, 1]):
        for k in range(4):
            expected, factor = 0.0, 1.0
            for step in range(k, k + steps):
                if not (made.planned[row, step] and made.known[row, step + 1]):
                    break
                expected, factor = expected + factor * made.reward[row, step], factor * made.discount[row, step]
            else:
                step = k + steps
            if made.known[row, k]:
                assert found[row, k].item() == pytest.approx(float(expected + factor * value[row, step]), rel=1e-4)


def test_rows_of_no_age_and_of_no_setting_have_the_same_targets():
    made = replaced(window(VECTOR), age=torch.zeros(4, dtype=torch.int64))
    plain, aged = (parts(age_steps=steps) for steps in (0, 10**9))
    targets = [objective.value_target(model, made) for model, objective in (plain, aged)]
    assert torch.equal(*targets)


def test_the_model_expects_a_game_to_go_on_before_it_learned_anything():
    for spec in (VECTOR, BOARD):
        model, _ = parts(spec)
        latent = model.observe({}, torch.zeros(1), torch.zeros(1, *spec.observation), torch.ones(1))
        _, transition = model.imagine(latent, torch.zeros(1, dtype=torch.int64))
        going = spec.discounts[-1] or spec.discounts[0]
        assert transition.discount.mean.item() == pytest.approx(going, rel=0.05)
        assert transition.reward.mean.item() == pytest.approx(0, abs=1e-4)


def test_untrained_heads_say_nothing():
    model, _ = parts()
    prediction = model.predict({"state": torch.rand(3, 128)})
    assert (prediction.policy.parameters == 0).all() and prediction.value.mean.abs().max() < 1e-4


def test_a_gradient_that_is_not_finite_changes_nothing_and_is_counted():
    model, objective = parts()
    learner = Learner(model, objective, CPU, 0)
    learner.update(window(VECTOR), 0.0)
    before = {name: tensor.clone() for name, tensor in learner.model.state_dict().items()}
    made = window(VECTOR)
    made.reward[0, 0] = torch.nan
    learner.count(bool(learner.update(made, 0.0).finite))
    assert learner.skipped == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in learner.model.state_dict().items())


def test_it_learns_where_an_environment_switched_gradients_off():
    learner = Learner(*parts(), CPU, 0)
    before = [parameter.detach().clone() for parameter in learner.model.parameters()]
    with torch.no_grad():
        assert learner.update(window(VECTOR), 0.0).finite
    assert any(not torch.equal(now, then) for now, then in zip(learner.model.parameters(), before, strict=True))


def test_the_slow_copy_follows_only_now_and_then():
    model, objective = parts()
    learner = Learner(model, objective, CPU, 0, target_every=2)

    def distance():
        pairs = zip(learner.model.parameters(), learner.target.parameters(), strict=True)
        return sum((a - b).abs().sum().item() for a, b in pairs)

    learner.update(window(VECTOR), 0.0)
    assert distance() > 0
    learner.update(window(VECTOR), 0.0)
    assert distance() == 0


def test_the_learning_rate_rises_and_then_falls_along_a_cosine():
    model, objective = parts()
    learner = Learner(model, objective, CPU, 0, learning_rate=1.0, warmup=9, final_rate=0.1)
    assert learner.rate(0.0) == pytest.approx(0.1)
    learner.updates = 100
    assert [learner.rate(p) for p in (0.0, 0.5, 1.0, 7.0)] == pytest.approx([1.0, 0.55, 0.1, 0.1])
    learner.hold = 0.6
    assert [learner.rate(p) for p in (0.0, 0.6, 0.8, 1.0, 7.0)] == pytest.approx([1.0, 1.0, 0.55, 0.1, 0.1])
    learner.hold = 1.0
    assert [learner.rate(p) for p in (0.0, 0.99, 1.0)] == pytest.approx([1.0, 1.0, 1.0])


@pytest.mark.parametrize("spec", [BOARD, IMAGE, VECTOR], ids=lambda spec: spec.name)
def test_an_update_in_bfloat16_is_nearly_one_in_float32(spec):
    """Every weight gets a gradient, in nearly the same direction; losses and statistics are float32."""
    norms, gradients = [], []
    for precision in ("float32", "bfloat16"):
        model, objective = parts(spec, bootstrap="target", latent_weight=1.0, consistency_weight=1.0)
        for head in (model.policy_head, model.value_head, model.reward_head, model.discount_head):
            torch.nn.init.normal_(head.weight, std=0.1)
        learner = Learner(model, objective, CPU, 0, precision=precision, clip=0.0)
        assert learner.bfloat16 == (precision == "bfloat16")
        made = window(spec, 16, observations=objective.window.observations)
        update = learner.update(made, 0.0)
        assert update.finite and all(metric.dtype == torch.float32 for metric in update.metrics.values())
        assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in learner.parameters)
        assert {t.dtype for t in learner.model.state_dict().values()} <= {torch.float32, torch.int64}
        gradients.append(torch.cat([p.grad.flatten() for p in learner.parameters]))
        norms.append(update.metrics)
    for name, metric in norms[0].items():
        assert norms[1][name].item() == pytest.approx(metric.item(), rel=0.05, abs=0.01), name
    # Batch norms over 16 rows of noise, eleven in a row, multiply what rounding changes.
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.9


def test_auto_learns_in_bfloat16_where_there_are_convolutions_and_instructions(monkeypatch):
    for has in (False, True):
        monkeypatch.setattr("muzero.learning.precision.device_has_bfloat16", lambda device, has=has: has)
        assert Learner(*parts(BOARD), CPU, 0).bfloat16 == has
        assert not Learner(*parts(VECTOR), CPU, 0).bfloat16


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_restored_learner_goes_on_exactly(optimizer):
    def make():
        return Learner(*parts(IMAGE, unroll=1, n_step=1), CPU, 0, optimizer=optimizer, target_every=3)

    learner, twin = make(), make()
    for seed in range(2):
        learner.update(window(IMAGE, 2, 1, 1, seed=seed), 0.0)
    tensors, values = learner.state()
    twin.restore({name: {k: t.clone() for k, t in group.items()} for name, group in tensors.items()}, values)
    for seed in range(2, 5):
        for which in (learner, twin):
            which.update(window(IMAGE, 2, 1, 1, seed=seed), 0.1)
    for left, right in zip(learner.state()[0].values(), twin.state()[0].values(), strict=True):
        assert left.keys() == right.keys()
        assert all(torch.equal(left[name], right[name]) for name in left)


def test_a_model_learns_the_corridor_from_random_play():
    """Reward, end and value of every cell, against their exact values under the random policy."""
    cells = 4
    games = ChainGames(8, cells)
    actor = SelfPlay(games, ChainModel(cells), ReactivePlanner(), 0)
    replay = Replay(games.spec, 0, capacity=10_000)
    for segment in actor.play(400).segments:
        replay.add(segment)
    torch.manual_seed(0)
    model = VectorModel(games.spec, width=32, hidden=32, value_limit=2.0, reward_limit=2.0)
    objective = ValueEquivalence(games.spec, model, unroll=3, n_step=0, value_weight=1.0)
    learner = Learner(model, objective, CPU, 0, batch=64, learning_rate=3e-3)
    for update in range(400):
        learner.update(replay.sample(64, objective.window)[1], update / 400)
    model.eval()
    with torch.inference_mode():
        latent = model.observe({}, torch.zeros(3), torch.eye(cells)[:3], torch.ones(3))
        following, transition = model.imagine(latent, torch.ones(3, dtype=torch.int64))
        assert transition.reward.mean.tolist() == pytest.approx([0, 0, 1], abs=0.1)
        assert transition.discount.mean.tolist() == pytest.approx([DISCOUNT, DISCOUNT, 0], abs=0.1)
        assert model.predict(latent).value.mean.numpy() == pytest.approx(random_values(cells)[:3], abs=0.1)
        assert model.predict(following).value.mean.numpy() == pytest.approx([*random_values(cells)[1:3], 0], abs=0.12)


def random_values(cells):
    """Values of the cells where both directions are equally likely."""
    value = np.zeros(cells)
    for _ in range(1000):
        for cell in range(cells - 1):
            right = 1.0 if cell == cells - 2 else DISCOUNT * value[cell + 1]
            value[cell] = 0.5 * (right + DISCOUNT * value[max(cell - 1, 0)])
    return value

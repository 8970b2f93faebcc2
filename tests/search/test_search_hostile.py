"""Hostile arguments are accepted or refused by name; nothing crashes.  Also run with sanitizers."""

import os
import re

import numpy as np
import pytest

from muzero import _tree, search

B, A = 3, 5
ANSWER = ("reward", "discount", "value", "prior_logits")


class Own(Exception):
    """Raised by hostile objects; it must reach the caller unchanged."""


class Raises:
    def __index__(self):
        raise Own

    __float__ = __array__ = __len__ = __iter__ = __bool__ = __index__


class CannotBeShown:
    def __repr__(self):
        raise Own


class Lies:
    """Claims to be anything, and is something else."""

    def __index__(self):
        return 10**30

    def __float__(self):
        return float("nan")

    def __array__(self, dtype=None, copy=None):
        return np.zeros((B, A), object)

    def __getattr__(self, name):
        return self


class Array(np.ndarray):
    """An array whose Python attributes are all wrong."""

    def __getitem__(self, key):
        raise Own

    __repr__ = __str__ = lambda self: "everything"
    shape = property(lambda self: (10**9, 10**9))


class Evaluation(tuple):
    def __len__(self):
        return 400

    def __getitem__(self, key):
        raise Own


SCALARS = [None, True, False, 0, 1, -1, 3, 2**31, 2**63, 2**64, 10**400, -(2**70), 0.5, -0.0, 1e308, 5e-324]
SCALARS += [float("nan"), float("inf"), 1 + 2j, np.float32(0.5), np.int8(3), np.uint64(2**64 - 1), np.bool_(True)]
SCALARS += [np.array(3), np.array(0.5), np.datetime64("now"), "siblings", "tree", "", "\ud800", b"tree", bytearray(9)]
SCALARS += [(), (0, 1), (1, 0), (float("nan"), 1), (0, "x"), [], [1, 2], {}, set(), range(3), slice(2), object(), int]
SCALARS += [Raises(), CannotBeShown(), Lies(), Evaluation((1, 2, 3, 4)), memoryview(b"12345678"), lambda: 1, Ellipsis]
DTYPES = ["f4", "f4", "f4", ">f4", "f2", "f8", "g", "c8", "i1", "u8", "i4", "?", "?", "U3", "S4", "O", "M8[s]", "f4,i4"]
SHAPES = [(B,), (B, A), (B, A), (), (0,), (B, 0), (0, A), (B, A, 1), (A, B), (B + 1,), (1, A), (1,) * 30]
NUMBERS = [0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45, 2.5, 1e16]


def misaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    raw[...] = array
    return raw


LAYOUTS = [
    lambda array: array,
    np.asfortranarray,
    lambda array: array.T,
    lambda array: array[::-1],
    lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    lambda array: np.broadcast_to(array[:1], array.shape),
    lambda array: np.ma.masked_array(array, array == array),
    lambda array: array.view(Array),
    lambda array: array.view(np.recarray),
    lambda array: memoryview(array),
    lambda array: array.tolist(),
    misaligned,
]


def pick(rng, things):
    return things[rng.integers(len(things))]


def hostile(rng):
    """Anything, often nearly right."""
    if rng.random() < 0.4:
        return pick(rng, SCALARS)
    numbers = rng.choice(NUMBERS, size=pick(rng, SHAPES)) if rng.random() < 0.5 else np.zeros(pick(rng, SHAPES))
    dtype = pick(rng, DTYPES)
    with np.errstate(all="ignore"):
        array = np.zeros(numbers.shape, dtype) if dtype in ("U3", "S4", "M8[s]", "f4,i4") else numbers.astype(dtype)
    array.flags.writeable = bool(rng.random() < 0.5)
    try:
        return pick(rng, LAYOUTS)(array)
    except (ValueError, IndexError, TypeError):  # not every layout suits every array
        return array


def logits(rng):
    return rng.normal(size=(B, A)).astype(np.float32)


def legal(rng):
    mask = rng.random((B, A)) < 0.6
    mask[:, 2] = True
    return mask


def answer(rng):
    reward, value = rng.normal(size=(2, B)).astype(np.float32)
    return reward, rng.choice([-1, 0, 1], B).astype(np.float32), value, logits(rng)


ROOTS = {
    "prior_logits": logits,
    "value": lambda rng: answer(rng)[2],
    "simulations": lambda rng: int(rng.integers(1, 6)),
}
SIZES = {"max_depth": lambda rng: pick(rng, [None, 1, 3]), "threads": lambda rng: int(rng.integers(1, 3))}
PUCT = {
    **ROOTS,
    "legal": legal,
    "c_init": lambda rng: 1.25,
    "c_base": lambda rng: 19652.0,
    "normalize": lambda rng: pick(rng, ["siblings", "tree", (0.0, 1.0)]),
    **SIZES,
}
GUMBEL = {
    **ROOTS,
    "legal": legal,
    "noise": logits,
    "considered": lambda rng: 4,
    "value_scale": lambda rng: 0.1,
    "visit_offset": lambda rng: 50.0,
    "rescale": lambda rng: True,
    "least_range": lambda rng: 1e-8,
    **SIZES,
}
PATH = {"path": lambda rng: pick(rng, [None, *_tree.paths()])}
RANDOM = {"rng": lambda rng: np.random.default_rng(0)}
MIXING = {"fraction": lambda rng: 0.25, "alpha": lambda rng: 0.3}
SAMPLED = {"prior_logits": logits, "samples": lambda rng: 4, **RANDOM, "legal": legal, **MIXING}
PRIOR = {"policy_logits": logits, "sampling_logits": logits, "counts": lambda rng: np.ones((B, A), int)}
VISITS = {"visits": lambda rng: legal(rng).astype(np.int32), "temperature": lambda rng: 1.0, **RANDOM}
FUNCTIONS = [
    (search.dirichlet, {"prior_logits": logits, "legal": legal, **MIXING, **RANDOM}),
    (search.sample_action, VISITS),
    (search.sampled_prior, PRIOR),
]
SEARCHES = [
    (search.puct, _tree.puct, PUCT),
    (search.gumbel, _tree.gumbel, GUMBEL),
    (search.stochastic, _tree.stochastic, {**PUCT, "chance": lambda rng: 2}),
]


def arguments(rng, takes, chance):
    return {name: hostile(rng) if rng.random() < chance else make(rng) for name, make in takes.items()}


def evaluation(rng, made, chance=0.1):
    """What expand returns, hostile at times, for a search of `made` actions beyond the roots' own."""
    if rng.random() < chance:
        return hostile(rng)
    reward, discount, value, own = answer(rng)
    good = reward, discount, value, np.concatenate([own, np.zeros((B, made), np.float32)], axis=1)
    parts = tuple(hostile(rng) if rng.random() < chance / 2 else part for part in good)
    return Evaluation(parts) if rng.random() < chance else parts


def call_a_function(rng):
    function, takes = pick(rng, FUNCTIONS)
    assert np.isfinite(function(**arguments(rng, takes, 0.25))[0]).any()


def call_a_search(rng):
    function, _, takes = pick(rng, SEARCHES)
    made = 2 if function is search.stochastic else 0
    given = arguments(rng, takes, 0.05)
    result = function(expand=lambda *edges: evaluation(rng, made), **given)
    np.testing.assert_array_equal(result.visits.sum(axis=1) > 0, True)
    assert np.isfinite(result.value).all() and np.isfinite(result.q).all() and np.isfinite(result.policy).all()


def call_a_sampled_search(rng):
    sampled = search.Sampled(expand=lambda *edges: evaluation(rng, 0), **arguments(rng, SAMPLED, 0.05))
    value = np.zeros(len(sampled.legal), np.float32)
    search.puct(sampled.prior_logits, value, sampled.expand, 4, legal=sampled.legal)


def call_methods(rng):
    """The methods of a search in any order, some refused, some not."""
    _, function, takes = pick(rng, SEARCHES)
    trees = function(**arguments(rng, {**takes, **PATH}, 0.02))
    readers = ["parent", "action", "visits", "value", "raw_value", "reward", "discount", "prior_logits", "children"]
    for _ in range(8):
        name = pick(rng, ["select", "select", "backup", "step", "step", "result", pick(rng, readers)])
        made = 2 if function is _tree.stochastic else 0
        given = (evaluation(rng, made, 0.3),) if name in ("backup", "step") else ()
        answered(lambda name=name, given=given: getattr(trees, name)(*given))


NAMES = {name for takes in (PUCT, GUMBEL, PATH, SAMPLED, PRIOR, VISITS, {"chance": 0}) for name in takes}
NAMED = re.compile(
    rf"(expand: )?({'|'.join(NAMES | set(ANSWER))})(\[\d+\])?:? |expand: expected|(select|step|backup|result): "
)


def answered(call):
    """Make a call that must work, refuse by name, or let a hostile object's own error through."""
    try:
        call()
    except Own:
        pass
    except (TypeError, ValueError, RuntimeError) as error:
        assert NAMED.match(str(error)), f"{type(error)}: {error}"


def call_with_hostile_arguments(calls, seed=0):
    """Make this number of calls."""
    for number in range(calls):
        rng = np.random.default_rng([seed, number])
        kind = pick(rng, [call_a_function, call_a_search, call_a_sampled_search, call_methods])
        try:
            answered(lambda kind=kind, rng=rng: kind(rng))
        except Exception as error:
            raise AssertionError(f"call {number} of seed {seed}, {kind.__name__}") from error


@pytest.mark.filterwarnings("ignore")  # of numpy, about what it is asked to hold
@pytest.mark.parametrize("calls", [2000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_hostile_arguments_are_accepted_or_refused_by_name(calls):
    call_with_hostile_arguments(int(os.environ.get("HOSTILE_CALLS", calls)))

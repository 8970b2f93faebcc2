"""What a search refuses: every wrong argument, by name."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muzero import search

B, A = 3, 5


def roots():
    return np.zeros((B, A), np.float32), np.zeros(B, np.float32)


def evaluation():
    return np.zeros(B, np.float32), np.ones(B, np.float32), np.zeros(B, np.float32), np.zeros((B, A), np.float32)


def both(**arguments):
    """The messages of both searches with these arguments; they must be refused alike."""
    logits, value = roots()
    common = {"prior_logits": logits, "value": value, "expand": lambda *edges: evaluation(), "simulations": 4}
    messages = []
    for function in (search.puct, search.gumbel):
        with pytest.raises((ValueError, TypeError)) as caught:
            function(**{**common, **arguments})
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    return messages[0]


def misaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
    return raw.view(array.dtype).reshape(array.shape)


LOGITS = np.zeros((B, A), np.float32)
WRONG_ARRAYS = {
    "float64": (LOGITS.astype(np.float64), "got float64 of shape (3, 5)"),
    "float16": (LOGITS.astype(np.float16), "got float16 of shape (3, 5)"),
    "big-endian": (LOGITS.astype(">f4"), "got >f4 of shape (3, 5)"),
    "list": (LOGITS.tolist(), "got <class 'list'>"),
    "nothing": (None, "got <class 'NoneType'>"),
    "one dimension": (LOGITS[0], "got float32 of shape (5,)"),
    "three dimensions": (LOGITS[None], "got float32 of shape (1, 3, 5)"),
    "Fortran order": (np.asfortranarray(LOGITS), "not C-contiguous and aligned"),
    "strided": (np.zeros((B, 2 * A), np.float32)[:, ::2], "not C-contiguous and aligned"),
    "misaligned": (misaligned(LOGITS), "not C-contiguous and aligned"),
}


@pytest.mark.parametrize("wrong", WRONG_ARRAYS)
def test_prior_logits_of_a_wrong_kind_are_refused(wrong):
    array, got = WRONG_ARRAYS[wrong]
    message = both(prior_logits=array)
    assert message.startswith("prior_logits: expected float32 of shape (batch, actions), got ") and got in message


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0)])
def test_an_empty_batch_or_no_actions_are_refused(shape):
    assert "prior_logits: expected float32 of shape (batch, actions)" in both(prior_logits=np.zeros(shape, np.float32))


@pytest.mark.parametrize("wrong", WRONG_ARRAYS)
@pytest.mark.parametrize("place", range(4))
def test_what_expand_returns_of_a_wrong_kind_is_refused(wrong, place):
    array, got = WRONG_ARRAYS[wrong]
    name = ["reward", "discount", "value", "prior_logits"][place]
    if place < 3 and wrong == "one dimension":
        array, got = np.zeros(B + 1, np.float32), "got float32 of shape (4,)"
    elif place < 3 and wrong in ("Fortran order", "strided", "misaligned"):
        array = misaligned(np.zeros(B, np.float32)) if wrong == "misaligned" else np.zeros(2 * B, np.float32)[::2]
    parts = list(evaluation())
    parts[place] = array
    message = both(expand=lambda *edges: tuple(parts))
    assert message.startswith(f"expand: {name}: expected float32 of shape")
    assert got in message


@pytest.mark.parametrize("returned", [None, 3, [1, 2, 3, 4], (), evaluation()[:3], (*evaluation(), 1)])
def test_expand_must_return_a_tuple_of_four(returned):
    assert "expand: expected the tuple (reward, discount, value, prior_logits)" in both(expand=lambda *edges: returned)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_with_their_row(bad):
    logits, value = roots()
    logits[2, 1], value[1] = bad, bad
    assert both(prior_logits=logits) == f"prior_logits[2] holds {float(bad)}; expected a finite number"
    assert both(value=value).startswith(f"value[1] holds {float(bad)}; expected a number from -1e+15 to 1e+15")
    for place, name in enumerate(["reward", "discount", "value", "prior_logits"]):
        if name == "prior_logits" and bad == -np.inf:
            continue  # marks an action that does not exist
        parts = evaluation()
        parts[place][2] = bad
        assert both(expand=lambda *edges, parts=parts: parts).startswith(f"expand: {name}[2] holds {float(bad)}")


def test_a_discount_beyond_one_is_refused_and_rounding_is_not():
    parts = evaluation()
    parts[1][1] = -1.5
    assert both(expand=lambda *edges: parts) == "expand: discount[1] holds -1.5; expected a number from -1.01 to 1.01"
    parts[1][1] = -1.0000001
    result = search.puct(*roots(), lambda *edges: parts, 4)
    assert result.tree.discount.min() == -1


def test_legal_must_be_a_mask_with_an_action_in_each_row():
    legal = np.ones((B, A), bool)
    legal[1] = False
    assert both(legal=legal) == "legal[1] allows no action"
    assert both(legal=legal.astype(np.uint8)).startswith("legal: expected bool of shape (3, 5), got uint8")
    assert both(legal=np.ones((B, A + 1), bool)) == "legal: expected bool of shape (3, 5), got bool of shape (3, 6)"
    assert "got <class 'list'>" in both(legal=[[True] * A] * B)


@pytest.mark.parametrize("simulations", [0, -1, 1_000_001, 2**70, -(2**70), 2.5, "4", True, None])
def test_simulations_must_be_an_integer_in_range(simulations):
    message = both(simulations=simulations)
    assert message == f"simulations: expected an integer from 1 to 1000000, got {simulations!r}"


def test_a_search_beyond_the_memory_limit_is_refused_before_it_allocates():
    logits, value = np.zeros((64, 362), np.float32), np.zeros(64, np.float32)
    message = both(prior_logits=logits, value=value, simulations=1_000_000)
    assert re.match(r"simulations: expected a search of at most 1073741824 bytes, got 64 trees of 1000001", message)


@pytest.mark.parametrize("depth", [0, -3, 1.5, "deep"])
def test_max_depth_must_be_a_positive_integer(depth):
    assert both(max_depth=depth).startswith("max_depth: expected an integer from 1 to 1000000, got ")


WRONG_OPTIONS = [
    (search.puct, {"c_init": -1}, "c_init: expected a number from 0 to 1000000, got -1"),
    (search.puct, {"c_init": float("nan")}, "c_init: expected a number from 0 to 1000000, got nan"),
    (search.puct, {"c_init": "much"}, "c_init: expected a number from 0 to 1000000, got 'much'"),
    (search.puct, {"c_base": 0.0}, "c_base: expected a number from 1 to 1e+12, got 0.0"),
    (search.puct, {"normalize": "sibling"}, "normalize: expected 'siblings', 'tree' or (low, high), got 'sibling'"),
    (search.puct, {"normalize": None}, "normalize: expected 'siblings', 'tree' or (low, high), got None"),
    (search.puct, {"normalize": (0.0,)}, "normalize: expected 'siblings', 'tree' or (low, high), got (0.0,)"),
    (search.puct, {"normalize": (1.0, 1.0)}, "normalize: expected (low, high) with low < high"),
    (search.puct, {"normalize": (0.0, float("inf"))}, "normalize[1]: expected a number"),
    (search.gumbel, {"considered": 0}, "considered: expected an integer from 1 to 1000000, got 0"),
    (search.gumbel, {"value_scale": -0.1}, "value_scale: expected a number from 0 to 1000000, got -0.1"),
    (search.gumbel, {"visit_offset": float("inf")}, "visit_offset: expected a number from 0 to 1000000, got inf"),
    (search.gumbel, {"rescale": 1}, "rescale: expected a bool, got 1"),
    (search.gumbel, {"least_range": 0.0}, "least_range: expected a number from 1e-08 to 1000000, got 0"),
    (
        search.gumbel,
        {"noise": np.zeros((B, A))},
        "noise: expected float32 of shape (3, 5), got float64 of shape (3, 5)",
    ),
    (search.gumbel, {"noise": np.full((B, A), np.nan, np.float32)}, "noise[0] holds nan; expected a number from"),
]


@pytest.mark.parametrize(("function", "options", "message"), WRONG_OPTIONS)
def test_options_out_of_range_are_refused(function, options, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        function(*roots(), lambda *edges: evaluation(), 4, **options)


def test_dirichlet_refuses_what_it_cannot_mix():
    logits, rng, legal = roots()[0], np.random.default_rng(0), np.ones((B, A), bool)
    legal[2] = False
    for arguments, message in [
        ((logits, None, 1.5, 0.3), "fraction: expected a number from 0 to 1, got 1.5"),
        ((logits, None, 0.25, 0.0), "alpha: expected a number above 0, got 0.0"),
        ((logits.astype(float), None, 0.25, 0.3), "prior_logits: expected float32 of shape"),
        ((logits, legal[:2], 0.25, 0.3), "legal: expected bool of shape (3, 5), got bool of shape (2, 5)"),
        ((logits, legal, 0.25, 0.3), "legal[2] allows no action"),
        ((np.full_like(logits, np.nan), None, 0.25, 0.3), "prior_logits[0] holds a number that is not finite"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            search.dirichlet(*arguments, rng)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_array_is_taken_or_refused_by_name(data):
    from hypothesis.extra import numpy as arrays

    def anything():
        dtype = data.draw(st.sampled_from(["f4", ">f4", "f8", "f2", "i8", "?", "c8", "U3", "O"]))
        shape = data.draw(st.sampled_from([(B,), (B, A), (), (0,), (B, A, 1), (A, B), (B + 1,)]))
        array = data.draw(arrays.arrays(np.dtype(dtype), shape) if dtype != "O" else st.just(np.empty(shape, object)))
        return data.draw(st.sampled_from([array, array.T, array[::-1] if array.ndim else array, array.tolist()]))

    parts = [anything() if data.draw(st.booleans()) else part for part in evaluation()]
    try:
        result = search.puct(*roots(), lambda *edges: tuple(parts), 3)
    except (ValueError, TypeError) as error:
        assert str(error).startswith("expand: ")
    else:
        assert np.isfinite(result.value).all() and (result.visits.sum(axis=1) == 3).all()


def test_an_evaluation_without_any_action_is_refused_with_its_row():
    def no_action(*edges):
        reward, discount, value, logits = evaluation()
        logits[1] = -np.inf
        return reward, discount, value, logits

    assert both(expand=no_action).startswith("expand: prior_logits[1] is -inf from 0 to 4, so that no action is left")


@pytest.mark.parametrize(("gone", "refused"), [(slice(0, 5), False), (slice(5, 8), True)])
def test_an_afterstate_needs_an_outcome_and_no_decision(gone, refused):
    def expand(parent, action, node):
        logits = np.zeros((3, 8), np.float32)
        logits[2, gone] = -np.inf
        return *evaluation()[:3], logits

    logits, value = roots()
    if not refused:
        search.stochastic(logits, value, expand, 1, 3)
        return
    with pytest.raises(ValueError, match=r"prior_logits\[2\] is -inf from 5 to 7, so that no action is left"):
        search.stochastic(logits, value, expand, 1, 3)


@pytest.mark.parametrize("chance", [0, -1, 2.0, None, True, "3", 2**70])
def test_chance_must_be_a_positive_integer(chance):
    with pytest.raises((TypeError, ValueError), match="chance: expected an integer from 1 to"):
        search.stochastic(*roots(), lambda *edges: evaluation(), 4, chance)


@pytest.mark.parametrize("threads", [0, -1, 257, 1.5, None, True])
def test_threads_must_be_a_positive_integer(threads):
    assert both(threads=threads).startswith("threads: expected an integer from 1 to 256, got ")

"""Free keys: a table of any names, which a constructor takes as one argument."""

import pickle
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_schema import SCHEMA

from muzero.config import ConfigError, Layer, merge, parse_settings, read_layer
from muzero.config.schema import NO_ARGUMENTS, Arguments


class Environment:
    def __init__(self, *, size: int = 3, kwargs: Arguments = NO_ARGUMENTS):
        self.size, self.kwargs = size, kwargs


FREE = {"game": Environment, "learner": SCHEMA["learner"]}


def test_free_keys_are_given_by_layers_one_by_one(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text('[game]\nsize = 4\n\n[game.kwargs]\nslippery = true\nmap = ["SF", "FG"]\n')
    given = parse_settings(["game.kwargs.slippery=false", "game.kwargs.rate=0.5", "game.kwargs.name=4x4"])
    config = merge([read_layer(path), given], FREE)
    made = config.construct("game")
    assert made.size == 4
    assert made.kwargs == {"slippery": False, "map": ("SF", "FG"), "rate": 0.5, "name": "4x4"}
    assert config.source("game", "kwargs") == "--set"
    assert merge([read_layer(path)], FREE).source("game", "kwargs") == f"{path}, line 4"


@pytest.mark.parametrize("form", ["[game.kwargs]\na = 1", "[game]\nkwargs = {a = 1}", "[game]\nkwargs.a = 1"])
def test_free_keys_can_be_written_in_every_form_of_toml(tmp_path, form):
    path = tmp_path / "my.toml"
    path.write_text(form)
    assert merge([read_layer(path)], FREE).table("game")["kwargs"] == {"a": 1}
    assert merge([parse_settings(["game.kwargs={a = 1}"])], FREE) == merge([read_layer(path)], FREE)


FREE_VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text().filter(lambda t: t != "none")
FREE_VALUES |= st.floats(allow_nan=False, allow_infinity=False)
FREE_NAMES = st.text(string.ascii_letters + "é", min_size=1) | st.sampled_from(["kind", "game"])


@given(st.dictionaries(FREE_NAMES, FREE_VALUES | st.lists(FREE_VALUES)))
@settings(deadline=None)
def test_free_keys_that_are_written_read_back_as_they_were(tmp_path_factory, kwargs):
    config = merge([Layer("a", {"game": {"kwargs": kwargs}})], FREE)
    path = tmp_path_factory.getbasetemp() / "free.toml"
    path.write_text(config.to_toml(), encoding="utf-8", newline="")
    again = merge([read_layer(path)], FREE)
    assert again == config and repr(again.table("game")) == repr(config.table("game"))
    assert pickle.loads(pickle.dumps(again.table("game"))) == config.table("game")


@pytest.mark.parametrize(
    "value", [3, [1], {"a b": 1}, {"a": float("nan")}, {"a": 2**70}, {"a": [float("inf")]}], ids=range(6)
)
def test_free_keys_that_toml_cannot_hold_are_refused(value):
    with pytest.raises(ConfigError, match="expected a table of numbers, strings, true or false"):
        merge([Layer("a", {"game": {"kwargs": value}})], FREE)


def test_an_unknown_key_beside_free_keys_says_where_it_may_belong():
    with pytest.raises(ConfigError) as caught:
        merge([parse_settings(["game.speed=1", "game.batch=1"])], FREE)
    takes, belongs = caught.value.problems
    argument = "for an argument of the environment use game.kwargs."
    assert takes == f"[game] Environment takes no 'speed'; {argument}speed; it takes size, kwargs (from --set)"
    assert f"'batch' belongs to [learner]; {argument}batch; it takes size, kwargs" in belongs

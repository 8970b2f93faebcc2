"""Configuration: layers, the schema that a signature is, and errors that help."""

import pickle
import string
from dataclasses import dataclass
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_schema import KEYS, PLAIN, SCHEMA, GumbelPlanner, Positive, PuctPlanner, configure, problems

from muzero.config import Config, ConfigError, Layer, Range, merge, parse_settings, read_layer
from muzero.config.schema import parameters

# --- layers --------------------------------------------------------------------------------------------------------


def test_code_defaults_are_the_lowest_layer():
    config = configure()
    assert config.table("planner") == vars(GumbelPlanner())
    assert config.kind("planner") == "gumbel"
    assert config.kind("learner") is None
    assert config.source("planner", "simulations") == config.source("planner", "kind") == "default"


def test_a_later_layer_wins_key_by_key_and_the_source_is_known():
    config = configure({"learner": {"batch": 1, "warmup": 7}}, {"learner": {"batch": 2}})
    assert config.table("learner")["batch"] == 2
    assert config.table("learner")["warmup"] == 7
    assert [config.source("learner", key) for key in ("batch", "warmup", "clip")] == ["b", "a", "default"]


def test_naming_another_kind_drops_the_keys_of_the_old_one():
    config = configure({"planner": {"simulations": 9, "considered": 8}}, {"planner": {"kind": "puct", "c_init": 2}})
    assert config.table("planner") == vars(PuctPlanner(c_init=2.0))
    assert config.source("planner", "kind") == "b"
    assert config.source("planner", "simulations") == "default"


def test_naming_the_kind_in_force_drops_nothing():
    config = configure({"planner": {"simulations": 9}}, {"planner": {"kind": "gumbel"}})
    assert config.table("planner")["simulations"] == 9


def test_construct_gives_positionals_from_code_and_keywords_from_the_table():
    config = configure({"model": {"blocks": 3, "channels": [8]}})
    model = config.construct("model", (3, 3), 9)
    assert (model.given, model.blocks, model.channels) == (((3, 3), 9), 3, (8,))
    assert config.construct("learner", "cpu") == ("cpu", 64)
    assert config.construct("planner") == GumbelPlanner()


def test_an_integer_is_a_float_and_none_is_a_word_and_an_array_is_a_tuple():
    config = configure({"learner": {"clip": 5, "betas": [0, 1]}, "planner": {"max_depth": "none"}})
    assert repr(config.table("learner")["clip"]) == "5.0"
    assert repr(config.table("learner")["betas"]) == "(0.0, 1.0)"
    assert config.table("planner")["max_depth"] is None


def test_settings_are_toml_values_or_bare_words():
    given = ["planner.c_init=2", "planner.kind=puct", "planner.normalize=[0, 1]", "run.name=a/b-c"]
    given.append('replay.compression="x=\\n"')
    config = merge([parse_settings(given)], SCHEMA)
    assert config.table("planner") == vars(PuctPlanner(c_init=2.0, normalize=(0.0, 1.0)))
    assert config.table("run")["name"] == "a/b-c"
    assert config.table("replay")["compression"] == "x=\n"
    assert config.source("run", "name") == "--set"


def test_settings_without_a_table_or_a_value_are_all_refused():
    with pytest.raises(ConfigError) as caught:
        parse_settings(
            ["batch=3", "learner.batch", "a.b.c.d=1", ".b=1", "a..b=1", "a.b=", 'a.b="x', "a.b=[1", "a.b=1\nc=2"]
        )
    assert len(caught.value.problems) == 9
    assert caught.value.problems[0] == "--set 'batch=3': expected table.key=value"


# --- errors --------------------------------------------------------------------------------------------------------


def test_a_table_is_refused_where_a_plain_value_belongs():
    assert (
        "[learner] batch = {x = 1} (from my.toml); expected an integer" in problems({"learner": {"batch": {"x": 1}}})[0]
    )
    assert problems({"learner": {"more": {"x": 1}}})[0].startswith("[learner] learner takes no 'more'")


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"planner": {"simulation": 1}},
            "[planner] GumbelPlanner takes no 'simulation'; did you mean 'simulations'? (from my.toml)",
        ),
        (
            {"planner": {"simulations": 0}},
            "[planner] simulations = 0 (from my.toml); expected an integer from 1 to 10000",
        ),
        ({"plannner": {}}, "no table [plannner] (from my.toml); did you mean [planner]?"),
        ({"planner": {"kind": "gumble"}}, '[planner] kind = "gumble" (from my.toml); did you mean "gumbel"?'),
        ({"planner": {"kind": 3}}, '[planner] kind = 3 (from my.toml); expected "gumbel" or "puct"'),
        ({"run": {"batch": 1}}, "[run] run takes no 'batch'; 'batch' belongs to [learner] (from my.toml)"),
        (
            {"run": {"lerning_rate": 1}},
            "[run] run takes no 'lerning_rate'; did you mean 'learning_rate' of [learner]? (from my.toml)",
        ),
        (
            {"planner": {"c_init": 1}},
            "[planner] GumbelPlanner takes no 'c_init'; 'c_init' belongs to kind = \"puct\" (from my.toml)",
        ),
        ({"learner": {"kind": "x"}}, "[learner] learner takes no 'kind'; "),
        ({"model": {"knd": "vector"}}, "[model] Model takes no 'knd'; did you mean 'kind'?"),
        ({"run": {"seed": True}}, "[run] seed = true (from my.toml); expected an integer of 64 bits"),
        ({"run": {"seed": 2**70}}, "expected an integer of 64 bits"),
        ({"run": {"seed": 1.0}}, "[run] seed = 1.0 (from my.toml); expected an integer"),
        ({"run": {"name": 1}}, '[run] name = 1 (from my.toml); expected a string in quotes or "none"'),
        ({"learner": {"clip": float("nan")}}, 'clip = nan (from my.toml); expected a finite number or "none"'),
        ({"replay": {"capacity": 0}}, "expected an integer of at least 1"),
        ({"learner": {"momentum": float("inf")}}, "expected a number from 0.0 to 1.0"),
        (
            {"learner": {"betas": [0.5]}},
            "[learner] betas = [0.5] (from my.toml); expected an array of 2: a finite number, ",
        ),
        ({"model": {"channels": [4, 0]}}, "expected an array, each part an integer from 1 to 10000"),
        ({"model": {"activation": "rleu"}}, 'expected one of "relu", "elu", "mish"'),
        ({"planner": {"rescale": 1}}, "expected true or false"),
    ],
)
def test_an_error_says_where_and_what_and_what_was_expected(tables, message):
    (problem,) = problems(tables)
    assert problem.startswith(message) or message in problem


def test_the_keys_of_an_unknown_kind_are_not_judged_until_a_kind_is_known():
    unknown = {"planner": {"kind": "gumble", "nonsense": 1}}
    assert len(problems(unknown, {"planner": {"more": 1}})) == 1
    assert len(problems(unknown, {"planner": {"kind": "puct", "more": 1}})) == 2


def test_an_error_survives_the_way_from_another_process():
    error = pickle.loads(pickle.dumps(ConfigError(["one", "two"])))
    assert (error.problems, str(error)) == (["one", "two"], "one\ntwo")


def test_an_overridden_mistake_is_still_a_mistake():
    assert len(problems({"learner": {"batch": 0}}, {"learner": {"batch": 1}})) == 1


WORDS = st.text(string.ascii_letters, min_size=1, max_size=12).filter(
    lambda word: word not in {*SCHEMA, *KEYS, *SCHEMA["planner"], "kind"}
)
FITS_NO_KEY = [float("nan"), float("-inf"), -(2**64), [True, "x", 0.5]]
MISTAKES = st.one_of(
    st.tuples(WORDS, st.just(""), st.none()),  # an unknown table
    st.tuples(st.sampled_from(PLAIN), WORDS, st.just(1)),  # an unknown key
    st.tuples(st.just("planner"), st.just("kind"), WORDS),
    st.sampled_from([(table, key) for table in PLAIN for key in parameters(SCHEMA[table])]).flatmap(
        lambda place: st.tuples(st.just(place[0]), st.just(place[1]), st.sampled_from(FITS_NO_KEY))
    ),
)


@given(st.lists(MISTAKES, min_size=1, max_size=8, unique_by=lambda mistake: mistake[:2]), st.randoms())
@settings(max_examples=1000, deadline=None)
def test_every_mistake_in_every_layer_is_listed_with_its_place_and_source(mistakes, rng):
    layers = [Layer(f"{number}.toml", {"model": {"blocks": 1}}) for number in range(3)]
    expected = []
    for table, key, value in mistakes:
        layer = rng.choice(layers)
        entries = layer.tables.setdefault(table, {})
        if key:
            entries[key] = value
        expected.append((f"[{table}]", key, f"(from {layer.source})"))
    found = problems(*layers)
    assert len(found) == len(mistakes)
    for parts in expected:
        assert any(all(part in problem for part in parts) for problem in found), parts


# --- writing and comparing -----------------------------------------------------------------------------------------


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = {
    "planner": {
        "kind": st.just("puct"),
        "c_init": NUMBERS | st.integers(-(2**63), 2**63 - 1),
        "normalize": st.sampled_from(["siblings", "tree"]) | st.tuples(NUMBERS, NUMBERS),
    },
    "model": {"channels": st.lists(st.integers(1, 10000)), "layer_norm": st.booleans()},
    "learner": {"clip": NUMBERS | st.sampled_from(["none"]), "learning_rate": st.floats(0, 1)},
    "replay": {"compression": st.text()},
    "run": {"name": st.text() | st.none(), "seed": st.integers(-(2**63), 2**63 - 1)},
}


@given(st.fixed_dictionaries({table: st.fixed_dictionaries({}, optional=VALUES[table]) for table in VALUES}))
@settings(deadline=None, max_examples=300)
def test_what_is_written_reads_back_as_an_equal_configuration(tmp_path_factory, tables):
    if "c_init" in tables["planner"] or "normalize" in tables["planner"]:
        tables["planner"]["kind"] = "puct"
    config = configure(tables)
    path = tmp_path_factory.getbasetemp() / "written.toml"
    path.write_text(config.to_toml(), encoding="utf-8", newline="")
    again = merge([read_layer(path)], SCHEMA)
    assert again == config
    assert [repr(again.table(name)) for name in SCHEMA] == [repr(config.table(name)) for name in SCHEMA]
    assert again.to_toml() == config.to_toml()
    assert again.difference(config) == []


def test_every_value_is_written_with_the_kind_first():
    text = merge([], {"planner": SCHEMA["planner"]}).to_toml()
    assert text == (
        '[planner]\nkind = "gumbel"\nsimulations = 50\nconsidered = 16\nvalue_scale = 0.1\n'
        'visit_offset = 50.0\nrescale = true\nmax_depth = "none"\n'
    )


def test_the_difference_names_both_values_but_not_those_that_may_differ():
    here = configure({"learner": {"batch": 128}, "run": {"seed": 1, "actors": 2}, "planner": {"kind": "puct"}})
    assert here.difference(configure(), ["run.actors"]) == [
        '[planner] kind = "puct" here, "gumbel" in the run',
        "[learner] batch = 128 here, 64 in the run",
        "[run] seed = 1 here, 0 in the run",
    ]
    assert here.difference(configure(), ["run", "learner.batch", "planner.kind"]) == []


# --- signatures ----------------------------------------------------------------------------------------------------


def no_default(*, batch: int): ...


def no_type(*, batch=1): ...


def a_dict(*, batch: dict[str, int] = {}): ...  # noqa: B006


def a_range_of_strings(*, batch: Annotated[str, Range(1)] = "x"): ...


def a_wrong_default(*, batch: Positive = 0): ...


def kind_as_a_key(*, kind: str = "x"): ...


@pytest.mark.parametrize(
    "constructor", [no_default, no_type, a_dict, a_range_of_strings, a_wrong_default, kind_as_a_key]
)
def test_a_constructor_that_cannot_be_configured_is_the_programmers_error(constructor):
    with pytest.raises(TypeError, match=constructor.__name__):
        merge([], {"table": constructor})


@dataclass(frozen=True)
class Half(GumbelPlanner):
    given: int = 0


def test_a_dataclass_inherits_its_keys_and_gives_its_positionals_by_code():
    assert list(parameters(Half)) == list(parameters(GumbelPlanner))
    config = merge([], {"planner": Half})
    assert isinstance(config, Config)
    assert config.construct("planner", 3).given == 3


def test_a_key_of_several_kinds_names_them_all():
    schema = {"planner": {"gumbel": GumbelPlanner, "puct": PuctPlanner, "plain": lambda: None}}
    with pytest.raises(ConfigError, match='; \'simulations\' belongs to kind = "gumbel" or "puct"'):
        merge([Layer("my.toml", {"planner": {"kind": "plain", "simulations": 2}})], schema)

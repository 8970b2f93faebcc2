"""Every mistake in a configuration is reported with its place, its source and what is expected."""

import os
import random
import stat
from typing import Annotated, Literal, get_args, get_origin

import pytest
import torch
from edits import one_edit
from segments import some

from muzero import build
from muzero.config import AtMost, ConfigError, Layer, Range, merge, parse_settings, read_layer
from muzero.config.schema import choices, parameters, written
from muzero.players import registry

CONSTRUCTORS = {  # (table, kind) -> constructor
    (table, kind): constructor
    for table, entry in build.SCHEMA.items()
    for kind, constructor in (entry.items() if isinstance(entry, dict) else [(None, entry)])
}
DEFAULTS = {table: next(c for (name, _), c in CONSTRUCTORS.items() if name == table) for table in build.SCHEMA}


def refused(*layers, bounds=()):
    with pytest.raises(ConfigError) as caught:
        merge([Layer("my.toml", layer) if isinstance(layer, dict) else layer for layer in layers], build.SCHEMA, bounds)
    return caught.value.problems


def sample(word, count, known):
    wrong = sorted({edit for edit in one_edit(word) if edit and edit not in known})
    return random.Random(word).sample(wrong, min(count, len(wrong)))


# --- one edit ------------------------------------------------------------------------------------------------------


def share_of_right_keys(count):
    right = tried = 0
    for (table, kind), constructor in CONSTRUCTORS.items():
        keys = [*parameters(constructor), *["kind"] * (kind is not None)]
        for key in keys:
            for wrong in sample(key, count, keys):
                entries = {wrong: 1} if kind is None else {"kind": kind, wrong: 1}
                (problem,) = refused({table: entries})
                right += f"did you mean {key!r}?" in problem
                tried += 1
    return right / tried


def test_a_key_of_any_table_with_one_edit_is_found():
    assert share_of_right_keys(25) >= 0.99


@pytest.mark.slow
def test_a_key_of_any_table_with_any_one_edit_is_found():
    assert share_of_right_keys(10**6) >= 0.99


def test_a_table_a_kind_a_choice_and_a_player_with_one_edit_are_found():
    found = []
    for table, entry in build.SCHEMA.items():
        found += [f"did you mean [{table}]?" in refused({wrong: {}})[0] for wrong in sample(table, 60, build.SCHEMA)]
        for kind in entry if isinstance(entry, dict) else ():
            found += [
                f'did you mean "{kind}"?' in refused({table: {"kind": wrong}})[0] for wrong in sample(kind, 60, entry)
            ]
    for (table, kind), constructor in CONSTRUCTORS.items():
        for key, parameter in parameters(constructor).items():
            words = choices(parameter.annotation)
            for wrong, right in ((wrong, word) for word in words for wrong in sample(word, 60, words)):
                problem = refused({table: {key: wrong} if kind is None else {"kind": kind, key: wrong}})[0]
                found.append(f'did you mean "{right}"?' in problem)
    players = [*registry.PLAYERS, *registry.PLAYERS_OF]
    for player in registry.PLAYERS:
        for wrong in sample(player, 60, players):
            with pytest.raises(ConfigError, match=f"did you mean {player}"):
                registry.player(wrong)
    assert sum(found) >= 0.95 * len(found) and len(found) > 1000


# --- a thousand mistakes -------------------------------------------------------------------------------------------


def bad_values(annotation):
    """Values that a parameter does not take, each a TOML value."""
    number = next((part for part in get_args(annotation) if get_origin(part) is Annotated), annotation)
    bounds = [part for part in get_args(number) if isinstance(part, Range)]
    outside = [bound.low - 1 for bound in bounds if bound.low is not None]
    outside += [bound.high + 1 for bound in bounds if bound.high is not None]
    if annotation is not str and get_origin(annotation) is not Literal:
        outside += ["no such word"]
    return [*outside, float("nan"), float("inf"), -float("inf"), [True, "x", 0.5], 2**64]


def mistake(rng):
    """Table, key, value, and what the error must say beside its place and source."""
    table = rng.choice(list(DEFAULTS))
    known = parameters(DEFAULTS[table])
    match rng.choice(["value"] * 4 + ["key", "table", "kind"]):
        case "key":
            return table, "q" + rng.choice(list(known)), 1, "did you mean"
        case "table":
            return "q" + table, rng.choice(list(known)), 1, "did you mean"
        case "kind" if isinstance(build.SCHEMA[table], dict):
            return table, "kind", "q", "expected"
    key = rng.choice(list(known))
    return table, key, rng.choice(bad_values(known[key].annotation)), known[key].expected


def mistakes(rng):
    """A few, of which none hides another; sometimes with a contradiction, as several places that are in it."""
    found = {}
    for table, key, value, said in (mistake(rng) for _ in range(rng.randint(1, 6))):
        here = [other for name, other in found if name == table]
        if not ("kind" in here or (key == "kind" and here) or table in [name for name, _ in found if name[0] == "q"]):
            found[table, key] = value, said
    bounds = [bound for bound in build.bounds(None) if isinstance(bound, AtMost)]
    contradiction = rng.choice(bounds) if rng.random() < 0.3 else None
    if contradiction is not None:
        places = [tuple(name.split(".")) for name in (contradiction.low, contradiction.high)]
        if any(place in found for place in places):
            return found, None
        found |= {place: (value, None) for place, value in zip(places, (400, 300), strict=True)}
    return found, contradiction


def laid(found, rng, path):
    """The entries written to a file or given by --set; returns the layers and where each entry stands."""
    lines, given, sources, tables = ["# mine"], [], {}, {}
    for (table, key), (value, _) in found.items():
        if rng.random() < 0.4:
            given.append(f"{table}.{key}={written(value)}")
            sources[table, key] = "(from --set)"
        else:
            tables.setdefault(table, {})[key] = value
    for table, entries in tables.items():
        lines += ["", f"[{table}]"]
        for key, value in entries.items():
            lines.append(f"{key} = {written(value)}")
            sources[table, key] = f"(from {path}, line {len(lines)})"
            sources.setdefault((table, ""), f"(from {path}, line {len(lines) - 1})")
    path.write_text("\n".join(lines))
    return [read_layer(path), parse_settings(given)], sources


def test_a_thousand_configurations_list_every_mistake_and_its_source(tmp_path):
    rng = random.Random(0)
    several = contradicting = 0
    for _ in range(1000):
        found, contradiction = mistakes(rng)
        layers, sources = laid(found, rng, tmp_path / "my.toml")
        problems = refused(*layers, bounds=build.bounds(None))
        expected = [(place, said) for place, (_, said) in found.items() if said is not None]
        assert len(problems) == len(expected) + (contradiction is not None), (found, problems)
        for (table, key), said in expected:
            source = sources[table, key]
            if table[0] == "q":  # a table is named once for each layer that has it
                source, key = sources.get((table, ""), source) if "line" in source else source, ""
            assert any(f"[{table}]" in p and key in p and source in p and said in p for p in problems), (table, key)
        if contradiction is not None:
            one, other = (tuple(name.split(".")) for name in (contradiction.low, contradiction.high))
            texts = (f"[{one[0]}] {one[1]} = 400", sources[one], f"[{other[0]}] {other[1]} = 300", sources[other])
            assert any(all(text in problem for text in texts) for problem in problems)
        several += len(found) > 1
        contradicting += contradiction is not None
    assert several > 500 and contradicting > 100


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["learner.batch=500", "replay.capacity=400"], "[learner] batch = 500 (from --set); expected at most [replay]"),
        (["actors.reanalyse=2"], "reanalyse = 2 (from --set) does nothing with [actors] count = 0 (from default): set"),
        (
            ["run.reanalysed_per_step=2", "actors.count=3"],
            "2.0 (from --set) cannot be used with [actors] count = 3 (from",
        ),
        (
            ["objective.age_steps=9", "objective.n_step=0"],
            "age_steps = 9 (from --set) does nothing with [objective] n_step",
        ),
        (["run.steps=10"], "[run] start = 1000 (from default); expected at most [run] steps = 10 (from --set)"),
        (["selfplay.segment_steps=400", "replay.capacity=300"], "segment_steps = 400 (from --set); expected at most"),
        (["replay.capacity=100", "learner.batch=x"], "an integer from 1 to 65536"),
        (["replay.capacity=300", "selfplay.segment_steps=400", "game.discount=2"], "a number from 0.001 to 1"),
    ],
)
def test_what_contradicts_itself_is_refused_with_both_sources(settings, message):
    with pytest.raises(ConfigError) as caught:
        build.configure("gym/CartPole-v1", [parse_settings(settings)])
    (problem,) = caught.value.problems
    assert message in problem


def test_long_segments_fit_a_small_replay_if_games_are_short():
    config = build.configure("board/tic_tac_toe", [parse_settings(["replay.capacity=500"])])
    assert config.table("selfplay")["segment_steps"] == 512
    build.configure("board/tic_tac_toe", [parse_settings(["learner.batch=500", "replay.capacity=500"])])


# --- files ---------------------------------------------------------------------------------------------------------


def file_refusal(path):
    with pytest.raises(ConfigError) as caught:
        read_layer(path)
    (problem,) = caught.value.problems
    assert str(path) in problem
    return problem


def test_a_huge_file_is_refused_by_its_size_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "huge.toml"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    assert "larger than 1,048,576 bytes" in file_refusal(path)


@pytest.mark.parametrize("nested", ["[" * 10_000 + "]" * 10_000, "[\n" * 10_000, "[1,\n" * 10_000 + "]" * 10_000])
def test_deep_nesting_is_refused_with_its_line(tmp_path, nested):
    path = tmp_path / "deep.toml"
    path.write_text(f"[learner]\nbatch = {nested}\n")
    assert ", line " in file_refusal(path)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "dangling", "loop", "nul"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path, kind):
    path = tmp_path / "my.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "nul":
        path = tmp_path / "my\0.toml"
    else:
        path.symlink_to({"device": "/dev/zero", "dangling": "nowhere.toml", "loop": path}[kind])
    assert "cannot read" in file_refusal(path)


def test_an_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text("")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert file_refusal(path) == f"cannot read {path}: Permission denied"
    path.chmod(stat.S_IRUSR)


ONE_ROW = ["learner.batch=1", "objective.unroll=1", "objective.consistency_weight=2"]


def test_one_row_for_the_consistency_loss_is_refused_before_the_run():
    with pytest.raises(ConfigError) as caught:
        build.configure("gym/Acrobot-v1", [parse_settings(ONE_ROW)])
    (problem,) = caught.value.problems
    assert problem.startswith("[learner] batch = 1 (from --set) with objective.unroll = 1 gives the consistency loss")
    assert "set learner.batch or objective.unroll to at least 2, or objective.consistency_weight = 0" in problem


@pytest.mark.parametrize("remedy", ["learner.batch=2", "objective.unroll=2", "objective.consistency_weight=0"])
def test_each_remedy_for_one_row_lets_the_run_learn(remedy):
    config = build.configure("gym/Acrobot-v1", [parse_settings([*ONE_ROW, remedy])])
    spec = build.spec(config)
    model = build.model(config, spec)
    learner = build.learner(config, model, build.objective(config, spec, model), torch.device("cpu"))
    replay = build.replay(config, spec, 0)
    for segment in some(spec, 5):
        replay.add(segment)
    _, window = replay.sample(learner.batch, learner.objective.window)
    assert learner.update(window, 0.0).finite


# --- games and devices ---------------------------------------------------------------------------------------------


UNKNOWN = [
    ("board/tic_tac_to", "nearest: board/tic_tac_toe", 3),
    ("gym/CartPole-v", "gym/CartPole-v1", 3),
    ("board/" + "x" * 5000, "is not known", 3),
    ("board/../control", "is not known", 3),
    ("board/\0", "is not known", 3),
    ("bord/tic_tac_toe", "nearest: board/tic_tac_toe", 1),  # whose settings these are is not known either
    ("tic_tac_toe", "nearest: board/tic_tac_toe", 1),
    ("nosuchgame", "games begin with board/", 1),
    ("board/", "games begin with board/", 1),
    ("", "games begin with board/", 1),
]


@pytest.mark.parametrize(("game", "message", "count"), UNKNOWN, ids=range(len(UNKNOWN)))
def test_an_unknown_game_names_the_nearest_beside_other_mistakes(game, message, count):
    pytest.importorskip("pyspiel")
    with pytest.raises(ConfigError) as caught:
        build.configure(game, [parse_settings(["learner.batch=0", "lerner.batch=1"])])
    first = caught.value.problems[0]
    assert message in first and "muzero-games lists what can be played" in first
    assert len(caught.value.problems) == count


def test_a_missing_gpu_is_said_and_nothing_else_is_used_instead(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device here; use --device cpu or auto"):
        build.device("cuda")
    assert build.device("auto") == build.device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert build.device("auto") == torch.device("cuda") != build.device("cpu")


@pytest.mark.parametrize("table", [{"run": {"game": "python/na\udcc3\udcaff:Nim"}}, {"model": {"width": "\udcff"}}])
def test_text_that_the_locale_does_not_know_is_refused(table):
    (problem,) = refused(table)
    assert "expected UTF-8 text: set a locale of UTF-8, such as LC_ALL=C.UTF-8" in problem
    assert problem.isascii()


def test_sums_of_rewards_longer_than_what_is_taught_are_refused():
    layer = parse_settings(["model.value_prefix=5", "objective.unroll=2"])
    with pytest.raises(ConfigError, match=r"value_prefix = 5 .*objective.unroll = 2 steps.* or objective.unroll to 5"):
        build.configure("minatar/breakout", [layer])
    build.configure("minatar/breakout", [parse_settings(["model.value_prefix=2", "objective.unroll=2"])])

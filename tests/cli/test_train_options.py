"""muzero-train: what a foreign run may do, what settings mean, and what the tool says about how to continue."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from muzero import build
from muzero.agent import Agent
from muzero.cli import train
from muzero.cli.evaluate.command import evaluate_command
from muzero.cli.report import report_command
from muzero.cli.train import train_command
from muzero.cli.tree import tree_command
from muzero.config import ConfigError, merge, parse_settings
from muzero.learning.parallel import ALONE
from muzero.runs.checkpoint import CheckpointError

MODULE = """
from pathlib import Path
Path("executed").touch()
from sample_games import Corridor
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current directory, with a module that leaves a file when it is imported."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foreign.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("foreign", None)


def run_folder(path, *settings):
    """A run's folder as far as commands read it before they load anything."""
    path.mkdir()
    (path / "config.toml").write_text(merge([parse_settings(settings)], build.SCHEMA).to_toml())
    return str(path)


PYTHON = ("run.game=python/foreign:Corridor", "game.kind=python")
DANGERS = [
    (PYTHON, '[run] game = "python/foreign:Corridor"', "--game python/foreign:Corridor"),
    (("run.opponent=gtp:touch executed",), "starts the command 'touch executed'", "--set run.opponent=random"),
    (("actors.address=10.0.0.1:6379",), "connects to a Ray cluster", "--ray-address 10.0.0.1:6379"),
    (("actors.insecure=true",), "[actors] insecure = true", "--insecure"),
]


@pytest.fixture
def learned(monkeypatch):
    """What would be learned, by a `learn` that only notes it."""
    seen = []
    monkeypatch.setattr(train, "learn", lambda *begun: seen.append(begun) or 0)
    return seen


@pytest.mark.parametrize(("settings", "named", "consent"), DANGERS, ids=["game", "opponent", "address", "insecure"])
def test_a_run_that_would_execute_something_is_resumed_with_consent_only(folder, learned, settings, named, consent):
    run = run_folder(folder / "foreign run", *settings)
    with pytest.raises(ConfigError) as caught:
        train_command(["--resume", run])
    assert named in str(caught.value) and "config.toml, line" in str(caught.value) and "--trust" in str(caught.value)
    assert not learned and not (folder / "executed").exists()
    assert train_command(["--resume", run, "--trust"]) == 0
    assert train_command(["--resume", run, *consent.split()]) == 0
    assert len(learned) == 2


def test_consent_to_one_setting_is_not_consent_to_another(folder, learned):
    run = run_folder(folder / "run", *PYTHON, "run.opponent=gtp:touch executed")
    with pytest.raises(ConfigError, match="starts the command"):
        train_command(["--resume", run, "--game", "python/foreign:Corridor"])
    with pytest.raises(ConfigError, match="is a run of python/foreign:Corridor, not of python/mine:Corridor"):
        train_command(["--resume", run, "--game", "python/mine:Corridor"])


READERS = {
    "eval": (evaluate_command, ["--games", "2"]),
    "tree": (tree_command, []),
    "load": (
        lambda words: Agent.load(words[0], trust="--trust" in words, game=words[2] if "--game" in words else None),
        [],
    ),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("game", ["foreign:Corridor", "os:abort", "http.server:test"])
def test_a_run_is_read_without_executing_its_game(folder, name, game):
    command, words = READERS[name]
    run = run_folder(folder / "run", f"run.game=python/{game}", "game.kind=python")
    with pytest.raises(ConfigError, match=f"imports the module '{game.split(':')[0]}'") as caught:
        command([run, *words])
    assert "--trust" in str(caught.value) and f"--game python/{game}" in str(caught.value)
    assert not (folder / "executed").exists()
    with pytest.raises(ConfigError, match=f"is a run of python/{game}, not of board/nim"):
        command([run, "--game", "board/nim", *words])
    for consent in (["--trust"], ["--game", f"python/{game}"]):  # next, the checkpoint is missed
        with pytest.raises(CheckpointError, match="holds no usable checkpoint"):
            command([run, *consent, *words])


def test_a_report_on_a_foreign_run_executes_nothing(folder):
    pytest.importorskip("matplotlib")
    run = run_folder(folder / "run", *PYTHON, "run.opponent=gtp:touch executed")
    assert report_command([run]) == 0
    assert not (folder / "executed").exists()


def test_a_kind_that_does_not_match_the_game_imports_nothing(folder):
    config = merge([parse_settings(["run.game=board/foreign:Corridor", "game.kind=python"])], build.SCHEMA)
    with pytest.raises(ConfigError, match='expected "board", as the game is board/foreign:Corridor'):
        build.spec(config)
    assert not (folder / "executed").exists()


def test_a_run_of_a_known_game_is_resumed_without_a_question(folder, learned):
    run = run_folder(folder / "run", "run.game=gym/CartPole-v1", "game.kind=gym", "run.opponent=mcts:10")
    assert train_command(["--resume", run]) == 0 and learned[0][2] == []


def test_trust_is_for_runs_that_are_resumed(capsys):
    with pytest.raises(SystemExit):
        train_command(["--game", "gym/CartPole-v1", "--trust"])
    assert "--trust is for a run that is resumed" in capsys.readouterr().err


# --- hints ---------------------------------------------------------------------------------------------------------


def finished(folder, *settings, two_player=False):
    config = merge([parse_settings(settings)], build.SCHEMA)
    spec = SimpleNamespace(two_player=two_player, max_steps=9)
    return SimpleNamespace(config=config, given=folder, spec=spec, learners=ALONE)


def test_hints_can_be_copied_into_a_shell_and_name_trust():
    own, known = finished(Path("my runs/it's"), *PYTHON), finished(Path("a/b"), two_player=True)
    assert train.resume_hint(own) == """resume it with: muzero-train --resume 'my runs/it'"'"'s' --trust"""
    assert train.evaluation_hint(own) == """evaluate it: muzero-eval 'my runs/it'"'"'s' --trust"""
    assert train.resume_hint(known) == "resume it with: muzero-train --resume a/b"
    assert train.evaluation_hint(known) == "evaluate it: muzero-eval a/b --against minimax"
    engine = finished(Path("a"), "run.opponent=gtp:gnugo", two_player=True)
    assert train.resume_hint(engine).endswith(" --trust") and "--trust" not in train.evaluation_hint(engine)


def test_hints_hold_no_control_characters():
    assert "\x1b" not in train.resume_hint(finished(Path("\x1b[2Jx")))


# --- explanations --------------------------------------------------------------------------------------------------


def explained(capsys, *words):
    assert train_command(["--explain", *words]) == 0
    return capsys.readouterr().out


def test_a_setting_is_explained_with_its_type_default_value_and_source(capsys):
    out = explained(capsys, "run.save_every", "--game", "gym/CartPole-v1", "--set", "run.save_every=7")
    assert out == (
        "run.save_every\n  environment steps between two checkpoints; of a run that learns from `data`, updates.\n"
        "  type     an integer of at least 1\n  default  20000\n  now      7 (from --set)\n"
    )
    out = explained(capsys, "run.steps", "--game", "gym/CartPole-v1")
    assert "now      10000 (from " in out and "CartPole-v1.toml, line " in out


def test_what_is_refused_is_explained_and_the_refusal_noted(capsys):
    played = ["planner.kind", "--game", "gym/Pendulum-v1", "--set"]
    out = explained(capsys, *played, "planner.kind=gumbel")
    explanation, note = out.split("\n\nnote: ")
    assert explanation.startswith("planner.kind\n") and 'now      "gumbel" (from ' in explanation
    assert note.startswith("a run with these settings is refused: ")
    # The note is wrapped, and where depends on the width of the terminal.
    assert " ".join(note.split()).endswith(" use --set planner.kind=mppi or cem or icem or sampled or reactive")
    assert "note:" not in explained(capsys, *played, "planner.kind=reactive")


def test_a_key_without_its_table_is_explained_in_every_kind(capsys):
    out = explained(capsys, "simulations", "--set", "planner.kind=puct")
    assert [line for line in out.splitlines() if line.startswith("planner")] == [
        'planner.simulations, where planner.kind = "gumbel"',
        'planner.simulations, where planner.kind = "puct"',
        'planner.simulations, where planner.kind = "sampled"',
    ]
    assert out.count("now ") == 1 and out.index("now ") > out.index('"puct"')


def test_a_table_and_all_tables_are_listed_with_every_key(capsys):
    assert "[actors]\n  count = 0 (from default)\n" in explained(capsys, "actors")
    out = explained(capsys)
    for table, entry in build.SCHEMA.items():
        assert f"[{table}]" in out
        for kind in entry if isinstance(entry, dict) else ():
            assert kind in out
    assert 'with kind = "atari" also: ' in out and "sticky" in out


def test_the_settings_of_a_run_are_explained_without_executing_it(folder, capsys):
    run = run_folder(folder / "run", *PYTHON, "run.steps=5")
    assert "now      5 (from " in explained(capsys, "run.steps", "--resume", run)
    assert not (folder / "executed").exists()


def test_a_kind_is_explained_and_a_misspelt_setting_is_found(capsys):
    assert 'one of "gumbel", "puct", "mppi", "cem", "icem", "sampled", "reactive"' in explained(capsys, "planner.kind")
    with pytest.raises(ConfigError, match=r"no such setting; did you mean planner\.simulations"):
        train_command(["--explain", "planner.simulatoins"])

"""A shell that asks a command gets the words that can follow: games, agents, runs, settings and what these can be."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from commands import code

from muzero import build
from muzero.cli.completion import SHELLS, commands, completion_command
from muzero.cli.completion_words import assigned, games, kept, runs
from muzero.cli.explain import settings

pytest.importorskip("argcomplete")
ROOT = Path(__file__).parents[2]


def asked(line, folder):
    """What a command answers to a shell, in a fresh process."""
    name, answer = line.split()[0].removeprefix("muzero-").replace("eval", "evaluate"), folder / "answer"
    answer.unlink(missing_ok=True)
    environment = os.environ | {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONPATH": str(ROOT),
    }
    program = [sys.executable, "-c", code(name)]
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return [word.rstrip() for word in answer.read_text().split("\013")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("shell")
    for name in ("board/first", "second"):
        (found / "runs" / name).mkdir(parents=True)
        (found / "runs" / name / "config.toml").touch()
    (found / "mine.toml").touch()
    return found


@pytest.mark.parametrize(
    ("line", "some", "other"),
    [
        ("muzero-train --set planner.", ["planner.kind=", "planner.simulations="], "model.width="),
        ("muzero-train --set planner.kind=", ["planner.kind=gumbel", "planner.kind=puct"], "planner.kind="),
        ("muzero-train --explain learner.", ["learner.batch"], "planner.kind"),
        ("muzero-train --device c", ["cpu", "cuda"], "auto"),
        ("muzero-train --config ", ["gpu/atari", "mine.toml", "runs/"], "answer"),
        ("muzero-train --resume ", ["latest", "runs/board/first"], "zoo/tic_tac_toe"),
        ("muzero-eval zoo/c", ["zoo/connect_four"], "zoo/breakout"),
        ("muzero-eval zoo/connect_four --against m", ["mcts:", "minimax:"], "random"),
        ("muzero-eval runs/", ["runs/board/first", "runs/second"], "zoo/breakout"),
        ("muzero-bench in", ["inference", "ingest"], "search"),
        ("muzero-completion ", list(SHELLS), "muzero"),
        ("muzero-export zoo/tic_tac_toe --on", ["--onnx"], "--game"),
    ],
)
def test_a_shell_is_answered(folder, line, some, other):
    found = asked(line, folder)
    assert set(some) <= set(found) and other not in found, found


def test_games_are_found_once_and_then_read(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "other"))
    monkeypatch.setattr("muzero.cli.completion_words._games", lambda: ["board/chess", "gym/CartPole-v1"])
    assert games("board/") == ["board/chess"] and games("gym/Cart") == ["gym/CartPole-v1"] and not games("nothing")
    monkeypatch.setattr("muzero.cli.completion_words._games", None)
    assert games("board/") == ["board/chess"]


def test_a_cache_that_is_damaged_or_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kept("words", lambda: ["a"]) == ["a"] == kept("words", lambda: ["b"])
    (file,) = (tmp_path / "muzero").iterdir()
    file.write_text("{")
    assert kept("words", lambda: ["c"]) == ["c"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert kept("words", lambda: ["d"]) == ["d"]


def test_every_setting_can_be_completed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kinds = {f"{table}.kind=" for table, kinds in build.SCHEMA.items() if isinstance(kinds, dict)}
    assert set(assigned("")) == {f"{one.name}=" for one in settings()} | kinds
    assert assigned("planner.rescale=") == ["planner.rescale=true", "planner.rescale=false"]


def test_every_command_is_completed_in_every_shell(monkeypatch, capsys):
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    found = [EntryPoint(name, value, "console_scripts") for name, value in scripts.items()]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [*found, EntryPoint("pip", "pip:main", group)])
    assert set(commands()) == set(scripts)
    for shell in SHELLS:
        assert completion_command([shell]) == 0
        printed = capsys.readouterr().out
        assert all(name in printed for name in scripts) and len(scripts) > 10


def test_folders_are_completed_without_hidden_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (".git", "one", "two"):
        (tmp_path / name).mkdir()
    found = runs("")
    assert "one/" in found and ".git/" not in found and "zoo/tic_tac_toe" in found

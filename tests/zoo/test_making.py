"""muzero-zoo makes an agent of a run, and every command that takes a run takes the agent."""

import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import sets
from edits import one_edit
from evaluating import evaluated

import muzero
from muzero.agent import Agent
from muzero.cli.evaluate.command import evaluate_command
from muzero.cli.games import games_command
from muzero.cli.train import train_command
from muzero.cli.tree import tree_command
from muzero.cli.zoo import zoo_command
from muzero.cli.zoo_agent import POINTS, published
from muzero.config import ConfigError
from muzero.report.agent_page import page, thinned
from muzero.runs import checkpoint, evaluations, json_lines, zoo
from muzero.runs.checkpoint import CheckpointError
from muzero.runs.folder import RunFolder

pytest.importorskip("pyspiel")

FILES = [
    "README.md",
    "checkpoints",
    "commands.jsonl",
    "config.toml",
    "entry.json",
    "evaluations.jsonl",
    "metrics.jsonl",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a run of tic-tac-toe and the agent zoo/small, which was made of it."""
    folder = tmp_path_factory.mktemp("place")
    settings = sets("run.evaluate_every=200", "run.save_every=200", "run.games=8")
    assert train_command(["--game", "board/tic_tac_toe", "--run", str(folder / "run"), *settings]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = ["--evaluate", "--against random --games 2", "--evaluate", "--against all"]
        assert zoo_command(["run", "--name", "small", *words]) == 0
    return folder


@pytest.fixture
def here(place, monkeypatch):
    """That folder as the working directory."""
    monkeypatch.chdir(place)
    return place


def test_an_agent_has_the_weights_settings_and_figures_of_the_run(here):
    run, agent = RunFolder(Path("run")), RunFolder(Path("zoo/small"))
    assert sorted(path.name for path in agent.path.iterdir()) == FILES
    assert agent.config.read_text() == run.config.read_text()
    newest, _ = checkpoint.latest(run.checkpoints)
    (only,) = checkpoint.listed(agent.checkpoints)
    found = checkpoint.verify(only)
    assert found.step == newest.step and found.manifest["seconds"] == newest.manifest["seconds"]
    there, model = newest.arrays("model"), found.arrays("model")
    assert there.keys() == model.keys() and all((there[name] == model[name]).all() for name in model)
    entry, state = checkpoint.parse(agent.entry), newest.state()
    assert entry["updates"] == state["learner"]["updates"] and entry["cpu_seconds"] == state["cpu_seconds"]
    assert [result["command"] for result in entry["results"]] == [
        "muzero-eval zoo/small --against random --games 2",
        "muzero-eval zoo/small --against all",
    ]
    first, second = (result["figures"] for result in entry["results"])
    assert first["games"] == 2 and second["lines"] == second["wins"] + second["draws"] + second["losses"]
    assert evaluations.read(agent.path) == evaluations.read(run.path)


def test_no_name_of_a_folder_is_published(here):
    for path in Path("zoo/small").rglob("*.*"):
        assert str(here).encode() not in path.read_bytes(), path
    machine = {"processor": "X", "cores": 2, "system": "Linux-6.1-x86_64-with-glibc2.36"}
    note = {"steps": 0, "command": "muzero-train --run 'my runs/a' --game x", "folder": "/home/me", "machine": machine}
    assert published(note) == {
        "steps": 0,
        "command": "muzero-train --game x",
        "machine": {"processor": "X", "cores": 2, "system": "Linux"},
    }


def test_the_page_says_what_the_data_says(here):
    text = Path("zoo/small/README.md").read_text()
    assert text == page(Path("zoo/small"), "zoo/small")
    entry = checkpoint.parse(Path("zoo/small/entry.json"))
    lines = entry["results"][1]["figures"]
    assert f"| `muzero-eval zoo/small --against all` | {lines['lines']:,} lines of play: {lines['wins']} won" in text
    assert f"{entry['updates']:,}" in text and f"{entry['cpu_seconds']:,.0f} of CPU" in text


def test_an_agent_plays_as_its_run_does(here, tmp_path):
    run, agent = Agent.load("run"), muzero.Agent.load("zoo/small")
    observation = np.random.default_rng(0).random((5, *agent.spec.observation), np.float32)
    assert (run.act(observation) == agent.act(observation)).all() and run.step == agent.step
    words = ["--against", "random", "--games", "4", "--openings", "2"]
    both = [evaluated(tmp_path, name, *words) for name in ("run", "zoo/small", "zoo/small:best@2", "zoo/small@0")]
    assert both[0]["wins"] == both[1]["wins"] and both[0]["mean_steps"] == both[1]["mean_steps"]


def test_commands_take_an_agent_where_they_take_a_run(here, tmp_path, monkeypatch, capsys):
    assert evaluate_command(["run", "--against", "zoo/small", "--games", "2"]) == 0
    assert evaluate_command(["ladder", "zoo/small", "--anchors", "random", "--games", "2"]) == 0
    assert train_command(["--resume", "zoo/small", "--explain", "planner.simulations"]) == 0
    assert "zoo/small/config.toml" in capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{move}\n" for move in range(9)) * 9))
    assert evaluate_command(["zoo/small", "--against", "human"]) == 0
    before = sorted(Path("zoo/small").rglob("*"))
    assert tree_command(["zoo/small", "--moves", "4"]) == 0
    assert "wrote the search tree to tree.html" in capsys.readouterr().out
    with pytest.raises(
        ConfigError, match="learn from scratch with: muzero-train --game board/tic_tac_toe --config zoo"
    ):
        train_command(["--resume", "zoo/small"])
    assert sorted(Path("zoo/small").rglob("*")) == before


def test_a_report_draws_the_curves_of_an_agent(here):
    pytest.importorskip("matplotlib")
    from muzero.cli.report import report_command

    assert report_command(["zoo/small"]) == 0
    text = Path("report/report.html").read_text()
    assert 'alt="evaluation' in text and "What could not be read" not in text and not Path("zoo/small/report").exists()


def test_the_working_directory_comes_before_the_package(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(zoo, "SHIPPED", place / "zoo")
    monkeypatch.chdir(tmp_path)
    assert Agent.load("zoo/small").folder == place / "zoo" / "small"
    assert zoo.names() == ["zoo/small"]
    shutil.copytree(place / "zoo" / "small", tmp_path / "zoo" / "other")
    assert zoo.names() == ["zoo/other", "zoo/small"]
    shutil.copytree(place / "zoo" / "small", tmp_path / "zoo" / "small")
    assert Agent.load("zoo/small").folder == Path("zoo/small")
    assert games_command(["small"]) == 0 and capsys.readouterr().out == "zoo/small\n"
    assert games_command([]) == 0 and "zoo/  trained agents" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["zoo/smal", "zoo/Smoll", "small", *(f"zoo/{word}" for word in [*one_edit("small")][:5])]
)
def test_a_misspelt_name_is_answered_with_the_near_ones(here, name):
    for call in (lambda: evaluate_command([name, "--against", "random"]), lambda: Agent.load(name)):
        with pytest.raises(ConfigError, match="did you mean zoo/small"):
            call()


def test_a_name_that_is_near_to_none_lists_all(here):
    with pytest.raises(ConfigError, match=r"no such run; trained agents: .*zoo/small"):
        evaluate_command(["zoo/entirely_else", "--against", "random"])


def test_a_damaged_agent_is_refused(here, tmp_path, monkeypatch):
    shutil.copytree("zoo", tmp_path / "zoo")
    monkeypatch.chdir(tmp_path)
    weights = next(Path("zoo/small").rglob("model.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        Agent.load("zoo/small")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--name", "small"], "zoo/small exists already"),
        (["run", "--name", "../x"], "is not the name of a folder"),
        (["run", "--name", "a/b"], "is not the name of a folder"),
        (["nothing"], "is not a run"),
        (["run", "--checkpoint", "7"], "does not hold 7"),
    ],
)
def test_what_cannot_be_made_an_agent_leaves_nothing_behind(here, words, message):
    before = sorted(Path("zoo").rglob("*"))
    with pytest.raises((ConfigError, CheckpointError), match=message):
        zoo_command(words)
    assert sorted(Path("zoo").rglob("*")) == before


def test_a_mistake_in_an_evaluation_is_found_before_any_is_carried_out(here, capsys):
    with pytest.raises(SystemExit):
        zoo_command(["run", "--name", "new", "--evaluate", "--positions all", "--evaluate", "--position 3"])
    assert "did you mean --positions?" in capsys.readouterr().err and not Path("zoo/new").exists()


def test_an_evaluation_that_fails_leaves_nothing_behind(here):
    with pytest.raises(ConfigError, match="nobody"):
        zoo_command(["run", "--name", "new", "--evaluate", "--against nobody"])
    assert not Path("zoo/new").exists()


@pytest.mark.parametrize(
    ("setting", "danger"),
    [("opponent = 'uci:stockfish'", "starts the command"), ("address = '10.0.0.1:6379'", "connects to a Ray cluster")],
)
def test_settings_that_execute_code_are_refused(here, tmp_path, setting, danger):
    shutil.copytree("run", tmp_path / "run")
    config = tmp_path / "run" / "config.toml"
    key = setting.split(" = ")[0]
    lines = [setting if line.startswith(f"{key} = ") else line for line in config.read_text().split("\n")]
    config.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=danger):
        zoo_command([str(tmp_path / "run"), "--name", "new"])


def test_weights_that_are_too_large_are_refused(here, monkeypatch):
    monkeypatch.setattr("muzero.cli.zoo.MOST_BYTES", 1000)
    with pytest.raises(ConfigError, match="expected at most 1,000"):
        zoo_command(["run", "--name", "new"])


def test_weights_in_16_bits_play_and_are_half_as_large(here):
    assert zoo_command(["run", "--half", "--name", "half", "--evaluate", "--against random --games 2"]) == 0
    whole, half = (next(Path("zoo", name).rglob("model.safetensors")) for name in ("small", "half"))
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    stored = checkpoint.verify(half.parent).arrays("model")
    model = Agent.load("zoo/half").player.model.model.state_dict()  # of one that averages over images of the board
    assert all((model[name].numpy() == array.astype(model[name].numpy().dtype)).all() for name, array in stored.items())
    assert {array.dtype.name for array in stored.values()} <= {"float16", "int64"}
    shutil.rmtree("zoo/half")


def test_curves_are_thinned_evenly_and_end_with_the_checkpoint():
    assert thinned(range(5), POINTS) == [0, 1, 2, 3, 4]
    assert thinned(range(101), 5) == [0, 25, 50, 75, 100]
    assert len(thinned(range(1000), POINTS)) == POINTS


def test_an_earlier_checkpoint_has_the_curves_until_then(here):
    step = checkpoint.step_of(checkpoint.listed(RunFolder(Path("run")).checkpoints)[0])
    assert zoo_command(["run", "--checkpoint", str(step), "--name", "early", "--evaluate", "--against all"]) == 0
    early = Path("zoo/early")
    assert Agent.load(early).step == step == max([0, *(each.step for each in evaluations.read(early))])
    assert all(row["steps"] <= step for row in json_lines.read(RunFolder(early).metrics))
    shutil.rmtree(early)


def test_json_is_all_that_a_program_needs(here):
    entry = json.loads(Path("zoo/small/entry.json").read_text())
    assert entry.keys() == {"updates", "cpu_seconds", "evaluated", "results"}
    assert entry["evaluated"].keys() == {"date", "commit", "versions", "machine"}


def test_agents_are_listed_with_their_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # nothing lies here: those of the package
    assert zoo_command([]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for name in zoo.names():
        entry = checkpoint.parse(RunFolder(zoo.located(Path(name))).entry)
        assert f"{name} " in printed and entry["results"]
        for result in entry["results"]:
            assert result["command"].removeprefix(f"muzero-eval {name} ") in printed
    assert "400 games: 381 won, 0 drawn, 19 lost" in printed


def test_an_agent_that_cannot_be_read_is_listed_as_such(tmp_path, monkeypatch, capsys):
    shutil.copytree(zoo.SHIPPED / "tic_tac_toe", tmp_path / "zoo" / "broken")
    (tmp_path / "zoo" / "broken" / "entry.json").write_text('{"results": [{"command": 1}]}')
    next((tmp_path / "zoo" / "broken" / "checkpoints").glob("*/MANIFEST.json")).write_text("\x1b[31m")
    monkeypatch.chdir(tmp_path)
    assert zoo_command([]) == 0
    printed = capsys.readouterr().out
    assert "cannot be read" in printed and "\x1b" not in printed and "zoo/connect_four" in printed


def test_options_for_making_an_agent_need_a_run(capsys):
    with pytest.raises(SystemExit):
        zoo_command(["--half"])
    assert "--half is for making an agent; name its RUN" in capsys.readouterr().err

"""muzero-train: what a run leaves, how it is resumed and changed, and what is refused."""

import json
import shutil

import numpy as np
import pytest
from commands import command, sets

from muzero.agent import Agent, CheckpointWarning
from muzero.runs import checkpoint


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A short run of tic-tac-toe, made by the command."""
    folder = tmp_path_factory.mktemp("run")
    result = command("train", "--game", "board/tic_tac_toe", "--run", "ttt", *sets(), folder=folder)
    assert result.returncode == 0, result.stderr
    return folder / "ttt"


def test_a_run_leaves_its_configuration_metrics_events_and_checkpoints(finished):
    assert (finished / "config.toml").is_file() and list(finished.glob("events.out.tfevents.*"))
    last = json.loads((finished / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["steps"] >= 600 and last["updates"] > 0
    found, problems = checkpoint.latest(finished / "checkpoints")
    assert found.step >= 600 and not problems
    assert json.loads((finished / "evaluation.json").read_text())["against random"]["games"] == 4


def test_an_agent_of_an_older_checkpoint_warns_of_the_damaged_one(finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    older, newest = checkpoint.listed(run / "checkpoints")[-2:]
    (newest / "model.safetensors").write_bytes(b"")
    for step in (None, "latest"):
        with pytest.warns(CheckpointWarning, match=f"{newest.name}/model.safetensors .*; step .* plays instead"):
            assert Agent.load(run, step=step).step == checkpoint.step_of(older)


def test_an_agent_plays_a_run_and_always_chooses_the_same(finished):
    pyspiel = pytest.importorskip("pyspiel")
    agent = Agent.load(finished)
    state = pyspiel.load_game("tic_tac_toe").new_initial_state()
    while not state.is_terminal():
        action = agent.choose(state)
        assert action in state.legal_actions() and action == agent.choose(state)
        state.apply_action(action)
    observation = np.zeros((3, *agent.spec.observation), np.float32)
    assert agent.act(observation).dtype == np.int64 and agent.act(observation).shape == (3,)
    assert agent.act(observation[0]) == agent.act(observation)[0]
    with pytest.raises(ValueError, match="expected one observation of board/tic_tac_toe, or arrays of shape"):
        agent.act(observation[0, 0])


def test_evaluation_against_minimax_covers_seats_and_positions(finished, tmp_path):
    result = command(
        "evaluate", str(finished), "--against", "minimax", "--games", "20", "--json", "out.json", folder=tmp_path
    )
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["all_positions"]["positions"] == 4520 and 0 < report["all_positions"]["optimal"] <= 1
    for seat in ("moving_first", "moving_second"):
        assert sum(report[seat][result] for result in ("wins", "draws", "losses")) == 10
    assert report["wins"] == 0  # perfect play cannot be beaten


def test_a_finished_run_continues_with_more_steps(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "ttt")
    result = command("train", "--resume", "ttt", "--steps", "900", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "resuming ttt at 6" in result.stdout
    assert checkpoint.latest(tmp_path / "ttt" / "checkpoints")[0].step >= 900


def test_a_changed_setting_is_refused_or_overridden_and_noted(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "ttt")
    words = ["--resume", "ttt", "--steps", "900", "--set", "learner.learning_rate=0.5", "--set", "replay.capacity=300"]
    result = command("train", *words, folder=tmp_path)
    assert result.returncode == 2
    assert "[learner] learning_rate = 0.5 here, " in result.stderr and "--override" in result.stderr
    assert "[replay] capacity = 300 here, 500 in the run" in result.stderr
    result = command("train", *words, "--override", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    noted = [json.loads(line) for line in (tmp_path / "ttt" / "changes.jsonl").read_text().splitlines()]
    assert len(noted) == 1 and noted[0]["steps"] >= 600
    assert any("[learner] learning_rate" in change for change in noted[0]["changed"])
    assert "learning_rate = 0.5" in (tmp_path / "ttt" / "config.toml").read_text()


def test_a_changed_network_is_refused_even_with_override(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "ttt")
    result = command("train", "--resume", "ttt", "--set", "model.hidden=8", "--override", folder=tmp_path)
    assert result.returncode == 3 and "is for another network: model." in result.stderr
    assert "model.hidden = 8" not in (tmp_path / "ttt" / "config.toml").read_text()
    assert len(checkpoint.listed(tmp_path / "ttt" / "checkpoints")) == len(checkpoint.listed(finished / "checkpoints"))


def test_the_newest_run_is_found_by_itself(finished, tmp_path):
    result = command("train", "--resume", "latest", folder=tmp_path)
    assert result.returncode == 2 and "runs holds no run" in result.stderr
    shutil.copytree(finished, tmp_path / "runs" / "board" / "one")
    result = command("train", "--resume", "latest", "--steps", "700", folder=tmp_path)
    assert result.returncode == 0 and "resuming runs/board/one at 6" in result.stdout


def test_a_run_whose_checkpoints_are_all_damaged_is_refused(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "ttt")
    for path in (tmp_path / "ttt" / "checkpoints").glob("*/model.safetensors"):
        path.write_bytes(path.read_bytes()[:100])
    for name, *words in (["train", "--resume", "ttt"], ["evaluate", "ttt", "--against", "random"]):
        result = command(name, *words, folder=tmp_path)
        assert result.returncode == 3 and "model.safetensors has 100 bytes" in result.stderr
        assert "Traceback" not in result.stderr


def test_a_checkpoint_of_another_game_is_refused(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    config = (tmp_path / "run" / "config.toml").read_text()
    (tmp_path / "run" / "config.toml").write_text(config.replace("board/tic_tac_toe", "board/connect_four"))
    result = command("evaluate", "run", "--against", "random", folder=tmp_path)
    assert (
        result.returncode == 3 and "is for board/tic_tac_toe (9 actions, 4x3x3 float32); this run is" in result.stderr
    )


def test_a_run_is_never_overwritten(finished):
    result = command("train", "--game", "board/tic_tac_toe", "--run", str(finished), *sets(), folder=finished.parent)
    assert result.returncode == 2 and "--resume" in result.stderr


MISTAKES = [
    (["--game", "board/tic_tac_to"], 2, "nearest: board/tic_tac_toe"),
    (["--game", "bord/tic_tac_toe"], 2, "nearest: board/tic_tac_toe"),
    (["--game", "gym/CartPole-v1", "--set", "planner.simulation=4"], 2, "did you mean 'simulations'?"),
    (["--game", "gym/CartPole-v1", "--set", "planner.simulations=many"], 2, "expected an integer from 1 to 10000"),
    (["--game", "gym/CartPole-v1", "--stesp", "4"], 2, "did you mean --steps?"),
    (["--game", "gym/CartPole-v1", "--time", "soon"], 2, "expected, for example, 90s or 20m"),
    (["--game", "gym/CartPole-v1", "--config", "missing.toml"], 2, "missing.toml"),
    (["--resume", "nowhere"], 2, "nowhere"),
    ([], 2, "--game"),
]


@pytest.mark.parametrize(("words", "code", "message"), MISTAKES, ids=[" ".join(words) for words, _, _ in MISTAKES])
def test_a_mistake_on_the_command_line_is_explained_and_leaves_nothing(tmp_path, words, code, message):
    result = command("train", *words, folder=tmp_path)
    assert (result.returncode, "Traceback" in result.stderr) == (code, False), result.stderr
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_all_mistakes_are_listed_at_once(tmp_path):
    result = command(
        "train",
        "--game",
        "gym/CartPole-v1",
        "--set",
        "planner.simulation=4",
        "--set",
        "lerner.batch=2",
        folder=tmp_path,
    )
    assert "simulations" in result.stderr and "[learner]" in result.stderr

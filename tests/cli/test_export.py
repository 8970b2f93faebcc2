"""muzero-export writes an agent that plays the same moves without muzero and without PyTorch."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import untrained
from commands import command
from killing import TINY

from muzero import build
from muzero.agent import Agent
from muzero.cli.export import export_command
from muzero.config import ConfigError

pytest.importorskip("pyspiel")

GAMES = {"zoo/tic_tac_toe": "board", "zoo/connect_four": "board", "zoo/CartPole-v1": "gym", "zoo/asterix": "minatar"}
FILES = ["initial_inference.onnx", "manifest.json", "play.py", "play_fast.py", "recurrent_inference.onnx"]
BLOCKED = "import sys; sys.path.insert(0, {0!r}); sys.modules |= dict.fromkeys({1!r}); import runpy; "
POSITIONS = 24


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Exports of agents, made when they are asked for."""
    folder = tmp_path_factory.mktemp("exports")

    def export(agent):
        target = folder / agent.replace("/", "-")
        if not target.exists():
            assert export_command([agent, "--onnx", str(target)]) == 0
        return target

    return export


def program(folder, name="play"):
    """A program of an export as a module."""
    specification = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    found = importlib.util.module_from_spec(specification)
    sys.modules[name] = found  # play_fast imports play
    specification.loader.exec_module(found)
    return found


def positions(agent, count=POSITIONS):
    """Observations and legal actions from games of random moves."""
    games = build.games(agent.config, 4, training=False)
    now, rng, found = games.reset(np.arange(4)), np.random.default_rng(0), []
    while len(found) < count:
        found += [(now.observation[row].copy(), now.legal[row].copy()) for row in range(4) if not now.last[row]]
        now = games.step(agent.spec.actions.draw(now.legal, rng))
    games.close()
    return [np.stack(each) for each in zip(*found[:count], strict=True)]


def run(folder, *words, name="play.py", blocked=("muzero", "torch"), cwd=None):
    """Run a program of an export in a fresh process that cannot import some packages."""
    code = BLOCKED.format(str(folder), blocked) + f"sys.argv = {[name, *map(str, words)]!r}; "
    code += f"runpy.run_path({str(folder / name)!r}, run_name='__main__'); assert 'torch' not in {{*sys.modules}} or "
    code += "sys.modules['torch'] is None"
    environment = os.environ | ({} if "muzero" in blocked else {"PYTHONPATH": str(Path(build.__file__).parents[1])})
    words = [sys.executable, "-c", code]
    return subprocess.run(words, capture_output=True, text=True, timeout=100, cwd=cwd, env=environment)


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("simulations", [None, 0])
def test_the_moves_are_those_of_the_agent(exports, name, simulations):
    folder, agent = exports(name), Agent.load(name, simulations)
    observation, legal = positions(agent)
    expected = agent.act(observation, legal).tolist()
    for kind in (program(folder).Agent, program(folder, "play_fast").FastAgent):
        alone = kind(folder, simulations)
        assert [alone.native(alone.choose(*each)) for each in zip(observation, legal, strict=True)] == expected


@pytest.mark.parametrize("simulations", [None, 0])
def test_samples_of_real_valued_actions_are_searched_as_the_agent_does(tmp_path, simulations, capsys):
    search = "planner.kind='sampled'", "planner.samples=7", "planner.simulations=20"
    folder, agent = tmp_path / "out", untrained.run(tmp_path / "run", "gym/Pendulum-v1", *search, noise=0.3)
    assert export_command([str(agent), "--onnx", str(folder)]) == 0
    assert "not part of an export" not in capsys.readouterr().out
    agent = Agent.load(agent, simulations)
    observation, _ = positions(agent)
    expected = agent.act(observation)
    assert len(np.unique(expected)) > 5
    for kind in (program(folder).Agent, program(folder, "play_fast").FastAgent):
        alone = kind(folder, simulations)
        np.testing.assert_allclose([alone.native(alone.choose(each)) for each in observation], expected, atol=1e-4)


def test_a_program_plays_without_muzero_and_without_torch(exports, tmp_path):
    folder = exports("zoo/connect_four")
    result = run(folder, "--simulations", 8, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "returns [" in result.stdout and "x3" in result.stdout
    agent = Agent.load("zoo/connect_four", 8)
    observation, legal = positions(agent, 6)
    np.save(tmp_path / "seen.npy", observation)
    np.save(tmp_path / "legal.npy", legal)
    words = ("--observations", "seen.npy", "--legal", "legal.npy", "--simulations", 8)
    expected = agent.act(observation, legal).tolist()
    assert list(map(int, run(folder, *words, cwd=tmp_path).stdout.split())) == expected
    fast = run(folder, *words, name="play_fast.py", blocked=("torch",), cwd=tmp_path)
    assert fast.returncode == 0, fast.stderr
    assert list(map(int, fast.stdout.split())) == expected


def test_an_environment_of_gymnasium_is_played(exports):
    result = run(exports("zoo/CartPole-v1"), "--simulations", 0)
    assert (result.returncode, result.stdout) == (0, "500 steps, score 500\n"), result.stderr


def test_a_game_whose_package_is_missing_names_it(exports):
    result = run(exports("zoo/CartPole-v1"), blocked=("muzero", "torch", "gymnasium"))
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "of gymnasium, which is not installed: pip install gymnasium\n" in result.stderr


def test_a_game_without_its_own_program_says_what_to_do(exports):
    result = run(exports("zoo/asterix"))
    assert result.returncode == 1 and "give --observations, or call Agent.choose" in result.stderr


def test_files_say_what_they_are(exports):
    folder = exports("zoo/connect_four")
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == FILES
    about = json.loads((folder / "manifest.json").read_text())
    assert (about["game"], about["players"], about["images"]) == ("board/connect_four", 2, 2)
    assert about["discounts"] == [-0.98, 0.0] and about["ranges"]["value"] == [-1.0, 1.0]
    assert "negative where the turn passes" in about["conventions"]["discount"]
    assert about["search"]["value_scale"] == 0.5  # that of searches which do not explore
    shape = about["latent"]["state"]["shape"]
    assert shape == about["networks"]["initial_inference"]["outputs"]["latent.state"]["shape"]
    assert shape[:2] == ["batch", 2]
    for network in about["networks"].values():
        file = onnx.load(folder / network["file"])
        facts = {each.key: each.value for each in file.metadata_props}
        assert facts["game"] == about["game"] and json.loads(facts["discounts"]) == about["discounts"]
        assert [each.name for each in file.graph.output] == list(network["outputs"])
        assert "negative where the turn passes" in file.doc_string


def test_nothing_is_overwritten_and_nothing_is_left_behind(exports, tmp_path, monkeypatch):
    for there in (tmp_path, tmp_path / "link"):
        if there != tmp_path:
            there.symlink_to(tmp_path / "nowhere")
        with pytest.raises(ConfigError, match="exists already"):
            export_command(["zoo/tic_tac_toe", "--onnx", str(there)])
    target = tmp_path / "new" / "onnx"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("muzero.cli.export_files.sync", full)
    with pytest.raises(OSError, match="No space left"):
        export_command(["zoo/tic_tac_toe", "--onnx", str(target)])
    assert list(target.parent.iterdir()) == []


OWN = """
import gymnasium, numpy as np
from gymnasium import spaces

class Push(gymnasium.Env):
    observation_space = spaces.Box(-1, 1, (3,))
    action_space = spaces.Box(np.array([-2.0, 0.0]), np.array([4.0, 1.0]))

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.left = 5
        return self.observation_space.sample() * 0, {}

    def step(self, action):
        self.left -= 1
        return np.array([action[0] / 4, action[1], 0.5], np.float32), 0.0, self.left == 0, False, {}
"""


def test_numbers_as_actions_and_consent_to_own_code(tmp_path):
    (tmp_path / "push.py").write_text(OWN)
    settings = [setting for setting in TINY if not setting.startswith("planner.")]
    words = [word for setting in [*settings, "planner.kind=reactive"] for word in ("--set", setting)]
    result = command("train", "--game", "python/push:Push", "--run", "run", *words, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    refused = command("export", "run", "--onnx", "out", folder=tmp_path)
    assert refused.returncode == 2 and "--trust" in refused.stderr and not (tmp_path / "out").exists()
    done = command("export", "run", "--onnx", "out", "--game", "python/push:Push", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out"
    rows = np.random.default_rng(0).random((5, 3)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    moves = run(folder, "--observations", "rows.npy", cwd=tmp_path).stdout
    found = np.array([json.loads(line) for line in moves.splitlines()])
    alone = program(folder).Agent(folder)
    assert "is not part" not in done.stdout and alone.about["search"] == {"rule": "policy"}
    native = np.stack([alone.native(row) for row in found])
    sys.path.insert(0, str(tmp_path))
    try:
        expected = Agent.load(tmp_path / "run", trust=True).act(rows)
    finally:
        sys.path.remove(str(tmp_path))
    np.testing.assert_allclose(native, expected, atol=1e-5)
    assert native.dtype == expected.dtype


def test_a_planner_that_the_programs_lack_is_named(tmp_path, monkeypatch, capsys):
    agent = Agent.load("zoo/CartPole-v1", 0)
    monkeypatch.setattr(Agent, "load", lambda *_: agent)  # a run whose planner is not in the programs
    assert export_command(["zoo/CartPole-v1", "--onnx", str(tmp_path / "onnx")]) == 0
    assert "planner gumbel is not part of an export: play.py acts by the policy alone" in capsys.readouterr().out
    assert json.loads((tmp_path / "onnx" / "manifest.json").read_text())["planner"] == "gumbel"

"""Every example runs, with small settings, and does what its page says."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from nim import NimModel

from muzero import Agent, build
from muzero.cli.train import train_command
from muzero.config import ConfigError
from muzero.models.vector import VectorModel

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples"
SHORT = {"run.steps": 96, "run.start": 64, "run.games": 4, "run.evaluation_games": 2, "learner.batch": 8}
SETTINGS = [word for key, value in SHORT.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture
def kinds():
    """Kinds that an example adds are taken away again."""
    before = {table: dict(known) for table, known in build.OWN.items()}
    yield
    for table, known in build.OWN.items():
        known.clear()
        known.update(before[table])


def started(monkeypatch, name, *options):
    """Run an example as a program.  Returns its exit code."""
    monkeypatch.setattr(sys, "argv", [name, *options])
    try:
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.parametrize(
    ("name", "game", "table", "kind"),
    [
        ("own_network", "gym/CartPole-v1", "model", "gated"),
        ("own_planner", "gym/CartPole-v1", "planner", "rollout"),
        ("own_search_rule", "board/tic_tac_toe", "planner", "lower_bound"),
    ],
)
def test_a_run_with_a_part_of_ones_own_learns_and_is_loaded(kinds, monkeypatch, tmp_path, name, game, table, kind):
    small = ["--set", "planner.simulations=4"] if name == "own_network" else []
    assert started(monkeypatch, name, "--game", game, "--run", str(tmp_path / "run"), *SETTINGS, *small) == 0
    agent = Agent.load(tmp_path / "run")
    assert agent.step >= 96 and agent.config.kind(table) == kind
    assert 0 <= agent.act(np.zeros(agent.spec.observation, np.float32)) < agent.spec.actions.columns
    del build.OWN[table][kind]  # a program that does not know the part
    with pytest.raises(ConfigError, match=f'kind = "{kind}" .*; expected "'):
        Agent.load(tmp_path / "run")


def test_the_own_environment_is_learned_from(monkeypatch, tmp_path):
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    options = ["--game", "python/own_environment:Courier", "--run", str(tmp_path / "run"), *SETTINGS]
    assert train_command([*options, "--set", "game.max_steps=20", "--set", "planner.simulations=4"]) == 0
    with pytest.raises(ConfigError, match="would execute code"):
        Agent.load(tmp_path / "run")
    assert Agent.load(tmp_path / "run", trust=True).spec.observation == (3,)


def test_the_own_planner_plays_its_rollouts(kinds):
    planner = runpy.run_path(str(FOLDER / "own_planner.py"))["RolloutPlanner"](horizon=10)
    root, legal = {"stones": torch.tensor([1, 2, 4])}, np.ones((3, 2), bool)
    decision, _ = planner.plan(NimModel(), root, legal, {}, np.ones(3, bool), np.random.default_rng(0), False)
    # Both players take one stone from then on, so of 4 stones taking two wins, and taking one loses.
    assert decision.action.tolist() == [0, 1, 1]
    np.testing.assert_allclose(decision.value, [1, 1, 1], atol=1e-3)
    legal[:, 1] = False
    decision, _ = planner.plan(NimModel(), root, legal, {}, np.ones(3, bool), np.random.default_rng(0), True)
    assert decision.action.tolist() == [0, 0, 0] and (decision.weights == [1, 0]).all()


def test_the_own_search_rule_prefers_what_is_certain(kinds):
    planner = runpy.run_path(str(FOLDER / "own_search_rule.py"))["LowerBoundPlanner"]
    visits, q = np.array([[60, 30, 9, 1]]), np.array([[0.1, 0.3, 0.5, 0.9]])
    assert planner(caution=0.0).choice(visits, q).tolist() == [2]  # the best mean of those with 6 visits or more
    assert planner(caution=1.0).choice(visits, q).tolist() == [2]  # 0.5 - 0.33 = 0.17, above 0.3 - 0.18
    assert planner(caution=2.0).choice(visits, q).tolist() == [1]  # 0.3 - 0.37, above 0.1 - 0.26 and 0.5 - 0.67
    assert planner(caution=0.0, least_share=0.0).choice(visits, q).tolist() == [3]


def test_the_agent_of_the_example_answers_and_is_measured(monkeypatch, capsys):
    loaded = runpy.run_path(str(FOLDER / "evaluate_agent.py"))
    monkeypatch.setitem(loaded["main"].__globals__, "GAMES", 2)
    monkeypatch.setitem(loaded["main"].__globals__, "ROLLOUTS", 2)
    loaded["main"]()
    said = capsys.readouterr().out
    assert re.search(r"the agent answers in column [14]\n", said)  # any other loses at once
    assert re.search(r"[\d.]+ points of 2 games against mcts:2; 95 % interval \[\d\.\d\d\.\.\d\.\d\d\]\n$", said)


def test_a_kind_is_added_once(kinds):
    class Mine(VectorModel):
        """A model."""

    build.register("model", "mine", Mine)
    build.register("model", "mine", Mine)
    with pytest.raises(ConfigError, match=r"kind 'vector' is muzero.models.vector.VectorModel already"):
        build.register("model", "vector", Mine)
    with pytest.raises(ConfigError, match=r"\[game\] takes no kinds of your own; expected model, planner, objective"):
        build.register("game", "mine", Mine)


def test_recorded_pendulum_is_what_a_run_learns_from(monkeypatch, tmp_path, capsys):
    file = tmp_path / "pendulum.npz"
    assert started(monkeypatch, "record_pendulum", str(file), "--steps", "1000") == 0
    with np.load(file) as found:
        rewards, ends = found["rewards"], np.flatnonzero(found["truncations"]) + 1
        assert len(rewards) == 1000 and len(found["observations"]) == 1005
    scores = [part.sum() for part in np.split(rewards, ends[:-1])]
    assert len(scores) == 5 and np.mean(scores[::2]) > np.mean(scores[1::2])  # the controller, and random play
    small = ["run.reanalyse_every=16", "learner.batch=8", "planner.population=8", "planner.elites=4"]
    words = ["--game", "gym/Pendulum-v1", "--data", str(file), "--run", str(tmp_path / "run"), "--updates", "48"]
    words += [word for setting in [*small, "run.evaluation_games=2"] for word in ("--set", setting)]
    assert train_command(words) == 0
    assert "learning from 1,000 recorded steps in 5 episodes" in capsys.readouterr().out

"""The whole loop on small games: reproducible, resumable, honest about steps and updates, and it learns."""

import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from commands import code, command, sets
from killing import digest, made
from rich.console import Console

from muzero.agent import Agent, CheckpointWarning
from muzero.evaluation import automatic
from muzero.runs import checkpoint, evaluations
from muzero.training.progress import Progress

GAMES = ["board/tic_tac_toe", "gym/CartPole-v1"]


def run(training):
    training.folder.mkdir(parents=True, exist_ok=True)
    progress = Progress(training.folder, Console(quiet=True))
    training.run(progress)
    progress.close(training.status())
    training.experience.close()
    return training


@pytest.mark.parametrize("game", GAMES)
def test_the_same_seed_gives_bit_identical_weights(tmp_path, game):
    first, second = (digest(run(made(tmp_path / name, game))) for name in "ab")
    assert first == second
    assert digest(run(made(tmp_path / "c", game, "run.seed=1"))) != first


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("stop_at", [3, 8, 17])
def test_a_run_that_was_stopped_and_resumed_equals_one_that_was_not(tmp_path, game, stop_at):
    whole = digest(run(made(tmp_path / "whole", game)))
    stopped = made(tmp_path / "stopped", game)
    steps, calls = stopped._learn, 0

    def learn(progress):
        nonlocal calls
        calls += 1
        if calls == stop_at:
            stopped.stop.number = signal.SIGINT
        steps(progress)

    stopped._learn = learn
    run(stopped)
    assert stopped.replay.steps < 600
    resumed = made(tmp_path / "stopped", game)
    assert resumed.restore() == []
    assert digest(run(resumed)) == whole


def test_updates_follow_steps_exactly(tmp_path):
    training = run(made(tmp_path, "gym/CartPole-v1"))
    assert training.replay.steps >= 600
    assert training.learner.updates == int((training.replay.steps - 100) * 0.1)


def test_evaluating_during_a_run_changes_nothing_that_is_learned(tmp_path):
    with_evaluation = run(made(tmp_path / "a", "gym/CartPole-v1", "run.evaluate_every=200"))
    assert digest(with_evaluation) == digest(run(made(tmp_path / "b", "gym/CartPole-v1")))
    rows = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert sum("evaluation/trained" in row for row in rows) >= 2


@pytest.mark.parametrize("game", GAMES)
def test_automatic_evaluation_changes_nothing_that_is_learned(tmp_path, monkeypatch, game):
    monkeypatch.setattr(automatic, "SHARE", 1e6)
    evaluating = run(made(tmp_path / "a", game, "run.evaluate_every=auto"))
    assert digest(evaluating) == digest(run(made(tmp_path / "b", game)))
    rows = evaluations.read(tmp_path / "a")
    assert 5 <= len(rows) <= 9 and all(row.games == 4 for row in rows)
    steps = {checkpoint.step_of(path) for path in checkpoint.listed(tmp_path / "a" / "checkpoints")}
    newest = [0, *(row.step for row in rows), evaluating.replay.steps][-evaluating.settings.keep :]
    assert steps == {*newest, evaluations.best(rows, steps)}


def test_an_evaluation_without_time_left_is_ended_and_the_run_continues(tmp_path, monkeypatch):
    monkeypatch.setattr(automatic.AutomaticEvaluations, "due", lambda self, done, seconds: done > 0)
    monkeypatch.setattr(automatic.AutomaticEvaluations, "left", lambda self, seconds: 0.0)
    training = run(made(tmp_path, "gym/CartPole-v1", "run.evaluate_every=auto"))
    assert training.replay.steps >= 600 and training.schedule.pending is None
    assert evaluations.read(tmp_path) == [] and training.warnings == []


def test_an_automatic_evaluation_has_at_most_ten_games(tmp_path):
    sets = ["run.evaluate_every=auto", "run.evaluation_games=100"]
    assert made(tmp_path, "gym/CartPole-v1", *sets).evaluator.games == 10


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


def test_a_run_that_another_process_learns_in_is_refused(tmp_path):
    process = started(tmp_path)
    result = command("train", "--resume", "cart", folder=tmp_path)
    assert result.returncode == 2 and f"cart is in use by process {process.pid} on " in result.stderr
    process.send_signal(signal.SIGKILL)
    process.communicate()
    result = command("train", "--resume", "cart", "--steps", "1", folder=tmp_path)
    assert result.returncode == 0, result.stderr


def started(folder, *words):
    """A long run that has shown its first line of progress, after it stored its first steps."""
    settings = sets("run.steps=10000000", "selfplay.segment_steps=4")  # handed over before the first game ends
    words = ["--game", "gym/CartPole-v1", "--run", "cart", "--steps", "10000000", *settings, *words]
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code("train"), *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if " updates" in line:
            return process
    raise AssertionError(process.communicate()[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_is_saved_and_exits_with_its_signal(tmp_path, number):
    process = started(tmp_path)
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert "muzero-train --resume cart" in out
    assert len(checkpoint.listed(tmp_path / "cart" / "checkpoints")) >= 2  # one of the beginning, one of the end
    assert checkpoint.latest(tmp_path / "cart" / "checkpoints")[1] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_stuck_run_with_a_whole_checkpoint(tmp_path, number):
    (tmp_path / "stuck.py").write_text(STUCK)
    words = ["--game", "python/stuck:Stuck", "--run", "out", *sets()]
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code("train"), *words], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert any("never returns" in line for line in process.stdout)
    process.send_signal(number)
    assert any("was asked" in line for line in process.stdout)  # the first one is taken note of
    process.send_signal(number)
    assert process.wait(timeout=60) == 128 + number
    assert checkpoint.latest(tmp_path / "out" / "checkpoints")[1] == []


STUCK = """
import gymnasium, numpy as np, signal

class Stuck(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    steps = 0

    def reset(self, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        Stuck.steps += 1
        if Stuck.steps == 300:
            for number in (signal.SIGINT, signal.SIGTERM):
                def handler(number, frame, before=signal.getsignal(number)):
                    before(number, frame)
                    print("was asked", flush=True)
                signal.signal(number, handler)
            print("never returns", flush=True)
            while True:
                signal.pause()
        return np.zeros(2, np.float32), 0.0, Stuck.steps % 10 == 0, False, {}
"""


def test_a_run_that_ignores_hangups_outlives_its_terminal(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = started(tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    process.send_signal(signal.SIGHUP)
    assert process.stdout is not None
    assert any(" updates" in line for line in process.stdout)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM


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


FAULTY = """
import gymnasium, numpy as np

class Faulty(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    steps = 0

    def reset(self, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        Faulty.steps += 1
        if WHEN:
            FAULT
        return np.zeros(2, np.float32), 0.0, Faulty.steps % 10 == 0, False, {}
"""


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("raise KeyError('the engine is on fire')", "the engine is on fire"),
        ("return np.full(2, np.nan, np.float32), 0.0, False, False, {}", "nan"),
    ],
)
def test_an_environment_that_always_fails_ends_the_run_saved(tmp_path, fault, message):
    (tmp_path / "faulty.py").write_text(FAULTY.replace("FAULT", fault).replace("WHEN", "Faulty.steps >= 300"))
    result = command("train", "--game", "python/faulty:Faulty", "--run", "out", *sets(), folder=tmp_path)
    assert result.returncode == 4 and message in result.stderr, result.stderr
    assert "Traceback" not in result.stderr
    assert checkpoint.latest(tmp_path / "out" / "checkpoints")[0].step > 100


def test_occasional_faults_of_an_environment_are_warnings(tmp_path):
    text = FAULTY.replace("FAULT", "raise KeyError('the engine is on fire')").replace("WHEN", "Faulty.steps % 97 == 0")
    (tmp_path / "faulty.py").write_text(text)
    result = command("train", "--game", "python/faulty:Faulty", "--run", "out", *sets(), folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "environment faults so far: 1, the last: python/faulty:Faulty, environment " in result.stdout
    last = json.loads((tmp_path / "out" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["environment_faults"] > 4 and last["segments/balance"] == 0 and last["rejected_segments"] == 0


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

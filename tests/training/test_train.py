"""The whole loop on small games: reproducible, resumable, honest about steps and updates."""

import json
import signal

import numpy as np
import pytest
import torch
from killing import digest, made
from rich.console import Console

from muzero.agent import Agent
from muzero.evaluation import automatic
from muzero.runs import checkpoint, evaluations
from muzero.training import evaluator
from muzero.training.progress import Progress

GAMES = ["board/tic_tac_toe", "gym/CartPole-v1"]


def run(training):
    training.folder.mkdir(parents=True, exist_ok=True)
    progress = Progress(training.folder, Console(quiet=True))
    training.run(progress)
    progress.close(training.status())
    training.experience.close()
    return training


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Digests of undisturbed runs."""
    return {game: digest(run(made(tmp_path_factory.mktemp("whole"), game))) for game in GAMES}


@pytest.mark.parametrize("game", GAMES)
def test_the_same_seed_gives_bit_identical_weights(tmp_path, whole, game):
    assert digest(run(made(tmp_path / "again", game))) == whole[game]
    assert digest(run(made(tmp_path / "other", game, "run.seed=1"))) != whole[game]


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("stop_at", [3, 8, 17])
def test_a_run_that_was_stopped_and_resumed_equals_one_that_was_not(tmp_path, whole, game, stop_at):
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
    assert digest(run(resumed)) == whole[game]


def test_updates_follow_steps_exactly(tmp_path):
    training = run(made(tmp_path, "gym/CartPole-v1"))
    assert training.replay.steps >= 600
    assert training.learner.updates == int((training.replay.steps - 100) * 0.1)


def test_evaluating_during_a_run_changes_nothing_that_is_learned(tmp_path, whole):
    with_evaluation = run(made(tmp_path / "a", "gym/CartPole-v1", "run.evaluate_every=200"))
    assert digest(with_evaluation) == whole["gym/CartPole-v1"]
    rows = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert sum("evaluation/trained" in row for row in rows) >= 2


def test_averaged_weights_play_are_evaluated_and_are_those_of_a_checkpoint(tmp_path, monkeypatch):
    settings = "learner.average=0.9", "run.evaluate_every=200", "run.reanalysed_per_step=1"
    training = made(tmp_path, "gym/CartPole-v1", *settings)
    learner, published, evaluated = training.learner, [], []
    publish, evaluate = training.pool.publish, evaluator.evaluate

    def publishing(weights, version):
        published.append(all(np.array_equal(weights[key], own) for key, own in learner.acting.state_dict().items()))
        publish(weights, version)

    def evaluating(config, model, *given, **more):
        evaluated.append(model)
        return evaluate(config, model, *given, **more)

    monkeypatch.setattr(training.pool, "publish", publishing)
    monkeypatch.setattr(evaluator, "evaluate", evaluating)
    run(training)
    assert len(published) > 2 and all(published)  # with these, games are played and positions planned again
    assert len(evaluated) >= 2 and all(model is learner.acting for model in evaluated)
    (tmp_path / "config.toml").write_text(training.config.to_toml())
    models = Agent.load(tmp_path).player.model, learner.acting, learner.model
    saved, averaged, last = (model.state_dict() for model in models)
    assert all(torch.equal(tensor, averaged[key]) for key, tensor in saved.items())
    assert not all(torch.equal(tensor, last[key]) for key, tensor in saved.items())


@pytest.mark.parametrize("game", GAMES)
def test_automatic_evaluation_changes_nothing_that_is_learned(tmp_path, monkeypatch, whole, game):
    monkeypatch.setattr(automatic, "SHARE", 1e6)
    evaluating = run(made(tmp_path / "a", game, "run.evaluate_every=auto"))
    assert digest(evaluating) == whole[game]
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

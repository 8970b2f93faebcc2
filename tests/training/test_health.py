"""The health of a run is measured while it learns, and changes nothing of it."""

import io
import json
import math

import pytest
from killing import go, made, trained
from rich.console import Console

from muzero.config.shipped import CONFIGS
from muzero.diagnostics import curve, verdicts
from muzero.diagnostics.curve import Curve, Point
from muzero.training import health
from muzero.training.health import Health
from muzero.training.progress import Progress

ALWAYS = {"drift_1", "drift_last", "value_drift", "policy_entropy", "search_entropy", "search_gain"}
ALWAYS |= {"replay_age", "replay_age_share", "replay_lag"}


@pytest.fixture
def eager(monkeypatch):
    """Health is measured after every update."""
    monkeypatch.setattr(health, "PERIOD", 0.0)
    monkeypatch.setattr(health, "SHARE", math.inf)


@pytest.mark.parametrize(
    ("game", "settings"),
    [
        ("board/tic_tac_toe", ()),
        ("gym/CartPole-v1", ("learner.average=0.9", "replay.priority_exponent=1.0")),
        ("board/tic_tac_toe", ("selfplay.full_searches=0.5", "selfplay.cheap_simulations=2")),
        ("gym/Pendulum-v1", ("planner.kind=reactive",)),
    ],
)
def test_the_same_seed_gives_the_same_bytes_with_and_without(tmp_path, monkeypatch, eager, game, settings):
    measured, look = [], Health.look
    monkeypatch.setattr(Health, "look", lambda self, *given: (look(self, *given), measured.append(self.metrics)))
    settings += ("run.steps=350", "run.updates_per_step=0.2", "replay.capacity=250")
    go(tmp_path / "with", game, *settings)
    monkeypatch.setattr(Health, "look", lambda self, *given: None)
    go(tmp_path / "without", game, *settings)
    assert (tmp_path / "with" / "digest").read_text() == (tmp_path / "without" / "digest").read_text()
    assert len(measured) >= 40 and "health/drift_1" in measured[-1]


def test_numbers_are_in_the_metrics_and_on_the_line(tmp_path, monkeypatch, eager):
    bands = {"health/replay_age_share": (0.0, 1.0)}
    shipped = Curve("board/tic_tac_toe", [0], [Point(200, bands), Point(300, bands)])
    monkeypatch.setattr("muzero.training.loop.of_game", lambda game: shipped)
    training = made(tmp_path / "run", "board/tic_tac_toe")
    console = Console(record=True, width=400, file=io.StringIO())
    progress = Progress(tmp_path / "run", console)
    training.run(progress)
    progress.close(training.status())
    training.close()
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert {f"health/{name}" for name in ALWAYS} <= set(last)
    assert "health/value_edge" not in last, "a board game ends at the edge of its range"
    assert "on track" in console.export_text()


def test_what_is_wrong_is_a_warning_of_the_run(tmp_path, monkeypatch, eager):
    monkeypatch.setattr(verdicts, "LEAST_UPDATES", 1)
    monkeypatch.setattr(verdicts, "DECIDED", 2.0)  # so that every policy counts as certain
    training = trained(tmp_path / "run", "board/tic_tac_toe", "run.updates_per_step=0.5")
    [found] = [message for message in training.warnings if "collapsed" in message]
    assert found in training.status().warnings


def test_a_run_behind_healthy_ones_warns(tmp_path, monkeypatch, eager):
    bands = {"health/replay_age_share": (0.0, 0.01)}
    shipped = Curve("board/tic_tac_toe", [0], [Point(steps, bands) for steps in (200, 300, 400)])
    monkeypatch.setattr("muzero.training.loop.of_game", lambda game: shipped)
    training = trained(tmp_path / "run", "board/tic_tac_toe")
    assert [message for message in training.warnings if message.startswith("behind healthy runs")]
    assert training.status().comparison == "behind healthy runs"


def test_a_score_is_compared_where_there_is_one_agent(tmp_path):
    for game, compared in (("board/tic_tac_toe", False), ("gym/CartPole-v1", True)):
        training = made(tmp_path / game, game)
        training.scores.scores.append(0.5)
        assert bool(training.health._score()) == compared
        training.close()


def test_measuring_takes_a_bounded_share_of_the_time(tmp_path, monkeypatch):
    training = made(tmp_path / "run", "board/tic_tac_toe")
    clock = [0.0]
    monkeypatch.setattr(health.time, "monotonic", lambda: clock[0])
    found, looked = training.health, []

    def measure():
        clock[0] += 2.0
        looked.append(clock[0])
        return {}

    found._measure = measure
    for _ in range(10_000):
        clock[0] += 1.0
        found.look(0.1, 0)
    training.close()
    assert len(looked) * 2.0 <= health.SHARE * clock[0] + 2.0 and len(looked) > 10


def test_shipped_curves_can_be_read():
    for path in CONFIGS.glob(f"*/*{curve.SUFFIX}"):
        found = curve.of_game(f"{path.parent.name}/{path.name.removesuffix(curve.SUFFIX)}")
        assert found.game == f"{path.parent.name}/{path.name.removesuffix(curve.SUFFIX)}"
        assert len(found.points) >= 8 and len(found.seeds) >= 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [("gym/CartPole-v1", "run.steps=4000"), ("board/tic_tac_toe", "run.steps=60000")], ids=["one", "two"]
)
def test_a_healthy_run_gives_no_warning(tmp_path, monkeypatch, settings):
    """With the shipped settings, measured ten times as often as usual."""
    from muzero import build
    from muzero.config import parse_settings
    from muzero.training.loop import Training

    monkeypatch.setattr(health, "PERIOD", 0.5)
    monkeypatch.setattr(health, "SHARE", math.inf)
    game, *given = settings
    training = Training(build.configure(game, [parse_settings([*given, "run.evaluate_every=0"])]), tmp_path / "run")
    training.open()
    training.save(wait=True)
    training.run(Progress(tmp_path / "run", Console(quiet=True)))
    training.close()
    assert training.learner.updates > verdicts.LEAST_UPDATES and training.health.metrics
    assert training.warnings == []

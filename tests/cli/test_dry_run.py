"""muzero-train --dry-run: the plan, without a run."""

import re

import pytest

from muzero.cli import dry_run as printing
from muzero.cli.dry_run import duration
from muzero.cli.train import train_command
from muzero.training.forecast import Forecast

SMALL = ["--set", "planner.simulations=2", "--set", "learner.batch=8", "--set", "run.games=4"]


@pytest.fixture
def plan(tmp_path, monkeypatch, capsys):
    """What is printed for the words of a command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(printing, "MEASURE", 0.05)

    def run(*words):
        assert train_command([*words, *SMALL, "--dry-run"]) == 0
        assert not list(tmp_path.iterdir()), "a plan leaves nothing behind"
        return capsys.readouterr().out

    return run


def test_a_plan_has_choices_with_reasons_speed_memory_and_time(plan):
    out = plan("--game", "gym/FrozenLake-v1")
    assert re.search(r"model.value_limit +300.0 +the discounted return from a step was up to 1: the usual range", out)
    assert re.search(r"planner.simulations +2 +from --set", out)
    assert re.search(r"network: [\d,]+ weights, for observations 16 and 4 actions", out)
    assert re.search(r"self-play +[\d,]+ steps a second\n +learning +[\d,.]+ updates a second", out)
    assert re.search(r"memory: [\d,]+ MB of replay .* [\d,.]+ MB of weights", out)
    assert re.search(r"time: about .* of training\n .* for 50,000 steps and .* for 9,800 updates, ", out)
    assert "begin with: muzero-train --game gym/FrozenLake-v1 --set planner.simulations=2" in out
    assert "--dry-run" not in out.splitlines()[-1]


def test_a_plan_of_a_game_with_settings_of_its_own_says_where_they_come_from(plan):
    out = plan("--game", "gym/CartPole-v1", "--time", "1m")
    assert re.search(r"game.discount +0.997 +from .*CartPole-v1.toml, line \d+", out) and "probe" not in out


def test_a_plan_of_a_resumed_run_is_refused(plan, capsys):
    with pytest.raises(SystemExit) as end:
        train_command(["--resume", "runs/x", "--dry-run"])
    assert end.value.code == 2 and "--dry-run is for a new run" in capsys.readouterr().err


def forecast(**changed):
    given = {"steps_per_second": 100.0, "updates_per_second": 10.0, "overlap": True, "steps": 1000, "updates": 200}
    rest = {"limit": None, "replay_bytes": 1, "learner_bytes": 1, "spec": None, "weights": {}}
    return Forecast(**(given | rest | changed))


def test_the_time_is_that_of_the_slower_part_or_of_both_and_at_most_the_limit():
    assert forecast().seconds == 20 and forecast(overlap=False).seconds == 30
    assert forecast(limit=5.0).seconds == 5 and forecast(limit=5.0).share == 0.25


@pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (600, "10 min"), (9000, "2.5 h")])
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text

"""The environments of the examples that only a model that doubts masters: their rules are what they say."""

import itertools
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from muzero import build
from muzero.cli.presets import settings_from
from muzero.cli.train import train_command
from muzero.config import parse_settings

FOLDER = Path(__file__).parent.parent / "examples"
SEA, DRIVE = (runpy.run_path(str(FOLDER / name)) for name in ("deep_sea.py", "overdrive.py"))
DeepSea, Overdrive = SEA["DeepSea"], DRIVE["Overdrive"]


@pytest.mark.parametrize("kind", [DeepSea, Overdrive])
def test_it_is_an_environment_of_gymnasium(kind):
    check_env(kind(), skip_render_check=True)


def returned(environment, actions):
    environment.reset(seed=0)
    rewards = []
    for action in actions:
        observation, reward, over, _, _ = environment.step(action)
        rewards.append(reward)
    assert over and not observation.any()
    return sum(rewards)


def test_one_line_of_play_finds_the_treasure_and_all_others_cost():
    size = 5
    returns = {line: returned(DeepSea(size), line) for line in itertools.product((0, 1), repeat=size)}
    best = max(returns, key=returns.get)
    assert returns[best] == pytest.approx(1 - 0.01)
    assert sum(value > 0 for value in returns.values()) == 1
    assert sorted(returns.values())[-2] == 0  # never to the right
    environment = DeepSea(size)
    assert best == tuple(environment.right[k, k] for k in range(size))
    assert (DeepSea(size, mapping=1).right != environment.right).any()


def test_a_diver_is_seen_where_it_is():
    environment = DeepSea(4)
    seen, _ = environment.reset(seed=0)
    assert seen.reshape(4, 4)[0, 0] == 1 and seen.sum() == 1
    seen, *_ = environment.step(environment.right[0, 0])
    assert seen.reshape(4, 4)[1, 1] == 1 and seen.sum() == 1


def test_records_stop_before_what_they_promise():
    found = DRIVE["record"](1000)
    assert found["observations"].max() <= DRIVE["RECORDED"] + 1e-6 and len(found["rewards"]) == 1000
    assert found["rewards"].max() > 0.7 and found["rewards"].min() >= 0  # no cliff
    assert len(found["observations"]) == 1000 + found["truncations"].sum()
    assert found["truncations"][-1] and not found["terminations"].any()
    again = DRIVE["record"](1000)
    assert all(np.array_equal(found[name], again[name]) for name in found)


def test_the_best_speed_is_just_below_the_limit():
    paid = DRIVE["paid"]
    assert paid(1.0) == 1.0 and paid(1.01) == -1.0
    assert max(np.linspace(0, 3, 301), key=paid) == pytest.approx(1.0)


def test_the_settings_of_deep_sea_make_a_model_of_marks(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    given = [settings_from(FOLDER / "deep_sea.toml"), parse_settings(["game.kwargs.size=7"])]
    config = build.configure("python/deep_sea:DeepSea", given)
    spec = build.spec(config)
    assert spec.observation == (49,)
    model = build.model(config, spec)
    assert model.members == 5 and model.standard is None and model.noise == 50
    assert build.planner(config).optimism == 1.0


def train(monkeypatch, *arguments):
    monkeypatch.syspath_prepend(FOLDER)
    assert train_command([str(argument) for argument in arguments]) == 0


@pytest.mark.slow
def test_doubt_leads_to_the_treasure_in_every_game(tmp_path, monkeypatch):
    """Random play finds it in one of 64 games."""
    given = "--game", "python/deep_sea:DeepSea", "--config", FOLDER / "deep_sea.toml", "--run", tmp_path / "run"
    train(monkeypatch, *given, "--steps", 2500, "--set", "game.kwargs.size=6", "--set", "run.updates_per_step=0.5")
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert found["trained"]["mean"] == pytest.approx(0.99, abs=1e-6)


def test_plans_are_judged_in_the_game_and_in_imagination(tmp_path, monkeypatch):
    data, run = tmp_path / "records.npz", tmp_path / "run"
    np.savez(data, **DRIVE["record"](200))
    given = "--game", "python/overdrive:Overdrive", "--data", data, "--updates", 40, "--run", run
    small = "model.members=3", "planner.pessimism=2", "model.width=16", "run.evaluate_every=0", "run.reanalyse_every=10"
    train(monkeypatch, *given, *(word for setting in small for word in ("--set", setting)))
    real, imagined = DRIVE["judge"](str(run), games=3)
    assert -1 <= real <= 1 and np.isfinite(imagined)
    assert (real, imagined) == DRIVE["judge"](str(run), games=3)

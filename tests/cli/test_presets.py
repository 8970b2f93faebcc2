"""Settings that are shipped for a device are found by name, and taken by the device."""

from pathlib import Path

import pytest
import torch

from muzero import build
from muzero.cli.presets import of_this_device, settings_from, with_device
from muzero.cli.train_options import train_parser
from muzero.cli.train_runs import configured
from muzero.config import ConfigError, Layer, parse_settings, read_layer
from muzero.config.shipped import CONFIGS, presets, shipped

pytest.importorskip("ale_py")


def chosen(*words):
    config, problems = configured(train_parser().parse_args(words))
    assert not problems
    return config


@pytest.mark.parametrize("name", ["gpu/pong", "gpu/breakout", "gpu/atari", "laptop/pong", "laptop/ms_pacman"])
def test_settings_for_a_device_are_found_by_family_and_by_game(name):
    assert settings_from(Path(name)).source == str(CONFIGS / name.split("/")[0] / "atari.toml")


@pytest.mark.parametrize(("wrong", "nearest"), [("gpu/pogn", "gpu/pong"), ("laptpo/atari", "laptop/atari")])
def test_a_misspelled_name_gets_the_nearest(wrong, nearest):
    with pytest.raises(ConfigError, match=f"--config {wrong}: .*did you mean {nearest}"):
        settings_from(Path(wrong))


def test_a_name_near_to_no_settings_is_a_file_that_is_not_there():
    with pytest.raises(ConfigError, match="cannot read board/nowhere: No such file"):
        settings_from(Path("board/nowhere"))


def test_a_device_without_settings_for_a_game_names_those_that_it_has():
    with pytest.raises(ConfigError, match=r"--config gpu/cartpole: no such file, .*there are gpu/atari, laptop/atari"):
        settings_from(Path("gpu/cartpole"))


def test_a_file_of_the_name_of_shipped_settings_wins(tmp_path, monkeypatch):
    (tmp_path / "gpu").mkdir()
    (tmp_path / "gpu" / "pong").write_text("[run]\nsteps = 7\n")
    monkeypatch.chdir(tmp_path)
    assert settings_from(Path("gpu/pong")).tables == {"run": {"steps": 7}}


@pytest.mark.parametrize("game", ["gpu/atari", "laptop/atari"])
def test_settings_for_a_device_are_not_those_of_a_game(game):
    assert shipped(game, ".toml") is None and game in presets()


@pytest.mark.parametrize(("cuda", "name"), [(True, "gpu/atari"), (False, "laptop/atari")])
def test_the_device_decides_where_no_settings_are_named(monkeypatch, cuda, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    assert of_this_device("atari/breakout", []) == name
    assert of_this_device("atari/breakout", [parse_settings(["run.device=cpu"])]) == "laptop/atari"
    assert of_this_device("board/tic_tac_toe", []) is None


def test_a_device_that_is_none_is_left_to_the_whole_configuration():
    assert of_this_device("atari/pong", [Layer("--set", {"run": {"device": 7}})]) == "laptop/atari"


def test_settings_of_a_device_or_of_a_whole_run_are_not_mixed_with_others():
    assert of_this_device("atari/pong", [settings_from(Path("gpu/pong"))]) is None
    assert of_this_device("atari/pong", [Layer("config.toml", {"run": {"game": "atari/pong"}})]) is None


def test_settings_taken_by_the_device_are_those_that_are_named():
    assert chosen("--game", "atari/pong") == chosen("--game", "atari/pong", "--config", "laptop/pong")


def test_given_settings_override_those_of_the_device():
    config = chosen("--game", "atari/pong", "--set", "game.size=32")
    assert config.table("game")["size"] == 32
    assert config.source("model", "channels").startswith(str(CONFIGS / "laptop" / "atari.toml"))


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_game_of_the_family_can_be_learned_with_the_settings(name):
    for game, limit in [("atari/pong", 10.0), ("atari/breakout", 100.0)]:
        config = build.configure(game, [read_layer(presets()[name])])
        assert config.table("model")["value_limit"] == limit


@pytest.mark.parametrize("given", [[], [Path("gpu/pong")]])
def test_settings_for_a_device_can_be_used_with_actors_on_ray(given):
    layers = [*map(settings_from, given), parse_settings(["actors.count=1"])]
    found, notes = with_device("atari/pong", layers)
    config = build.configure("atari/pong", found, checked=False)
    assert config.table("run")["reanalysed_per_step"] == 0 and config.table("learner")["average"] == 0.995
    assert "actors.reanalyse" in notes[-1]


def test_what_the_user_gives_beside_actors_on_ray_is_kept_and_refused():
    layers = [parse_settings(["actors.count=1", "run.reanalysed_per_step=3"])]
    with pytest.raises(ConfigError, match=r"reanalysed_per_step = 3.0 \(from --set\) cannot be used"):
        build.configure("atari/pong", with_device("atari/pong", layers)[0])

"""What a foreign configuration would execute."""

import pytest

from muzero import build
from muzero.config import ConfigError, Layer, merge, parse_settings, read_layer
from muzero.runs.trust import GAME, dangers, require_trust


def of(*settings):
    return dangers(merge([parse_settings(settings)], build.SCHEMA))


@pytest.mark.parametrize("opponent", ["random", "minimax", "solver", "mcts:100", "human"])
@pytest.mark.parametrize("game", ["board/go(board_size=9)", "gym/CartPole-v1", "atari/pong", "minatar/breakout"])
def test_settings_that_execute_nothing_are_no_danger(game, opponent):
    assert of(f"run.game={game}", f"run.opponent={opponent}", "actors.count=4") == []


@pytest.mark.parametrize(
    ("setting", "effect"),
    [
        ("run.game=python/os:abort", "imports the module 'os' and calls 'abort'"),
        ("run.game=python/http.server:test", "imports the module 'http.server' and calls 'test'"),
        ("run.game=gym/evil.module:Name-v0", "imports the module 'evil.module'"),
        ("run.game=gym/GymV21Environment-v0", "makes an environment of another library"),
        ("run.opponent=gtp:touch pwned", "starts the command 'touch pwned'"),
        ("run.opponent=uci: sh -c true", "starts the command 'sh -c true'"),
        ("actors.address=10.0.0.1:6379", "connects to a Ray cluster at '10.0.0.1:6379'"),
        ("actors.insecure=true", "accepts a Ray cluster that asks for no token"),
    ],
)
def test_a_setting_that_executes_something_is_named_with_its_effect(setting, effect):
    (sentence,) = of(setting)
    table, key = setting.partition("=")[0].split(".")
    assert sentence.startswith(f"[{table}] {key} = ") and effect in sentence and "(from --set" in sentence


def test_every_danger_is_listed_with_its_line_in_the_file(tmp_path):
    text = '[run]\ngame = "python/m:x"\nopponent = "gtp:sh"\n[actors]\naddress = "a:1"\ninsecure = true\n'
    (tmp_path / "config.toml").write_text(text)
    found = dangers(merge([read_layer(tmp_path / "config.toml")], build.SCHEMA))
    assert [sentence.partition(" = ")[0] for sentence in found] == [
        "[run] game",
        "[run] opponent",
        "[actors] address",
        "[actors] insecure",
    ]
    assert all(f"config.toml, line {line})" in sentence for line, sentence in zip((2, 3, 5, 6), found, strict=True))


def test_a_danger_is_printed_without_control_characters():
    (sentence,) = dangers(merge([Layer("a file", {"run": {"opponent": "gtp:sh \x1b[2J"}})], build.SCHEMA))
    assert "\x1b" not in sentence


@pytest.mark.parametrize("kind", ["python", "gym"])
def test_a_danger_is_seen_whichever_kind_the_name_pretends_to_be(kind):
    (sentence,) = of("run.game=board/evil:X", f"game.kind={kind}")
    assert "imports the module 'evil'" in sentence


def test_only_the_settings_that_would_be_followed_are_refused(tmp_path):
    config = merge([parse_settings(["run.opponent=gtp:sh"])], build.SCHEMA)
    require_trust(config, tmp_path, "give --trust", GAME)
    with pytest.raises(ConfigError, match=r"give --trust\n.*starts the command 'sh'"):
        require_trust(config, tmp_path, "give --trust")

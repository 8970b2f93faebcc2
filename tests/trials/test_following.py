"""Settings that follow from a probe of the game where nobody said them."""

import sys
from types import ModuleType

import numpy as np
import pytest
from gymnasium.spaces import Box
from plain_games import Plain, Turns

from muzero import build
from muzero.cli.explain import explanation
from muzero.config import Layer, merge, parse_settings
from muzero.config.layers import read_text
from muzero.config.shipped import CONFIGS
from muzero.games.python import PythonGames
from muzero.trials import following
from muzero.trials.choices import Limits, ceiling, limits
from muzero.trials.probe import Probe, probe

KEYS = ("value_limit", "reward_limit", "atoms")


@pytest.fixture
def own(monkeypatch):
    """The name of a game whose class has other members."""

    def make(base=Plain, **members):
        module = ModuleType("probed_games")
        module.Own = type("Own", (base,), members)
        monkeypatch.setitem(sys.modules, "probed_games", module)
        return "python/probed_games:Own"

    return make


def settings(game, *given, probed=True):
    config = build.configure(game, [parse_settings(given)], probed=probed)
    return {**config.table("model"), "discount": config.table("game")["discount"]}, config


def seen(reward, discount, cut=None):
    """A probe of one game after another, step by step."""
    reward, discount = np.array(reward, np.float32)[:, None], np.array(discount, np.float32)[:, None]
    moved = np.ones(reward.shape, bool)
    cuts = np.zeros(reward.shape, bool) if cut is None else np.array(cut, bool)[:, None]
    return Probe(reward, discount, moved, discount == 0, cuts)


def test_a_probe_sums_what_it_saw():
    found = seen([0, 0, 1, 0, -2], [1, 1, 0, 1, 0])
    assert (found.steps, found.games, found.largest_reward) == (5, 2, 2.0)
    assert found.only_at_the_end and found.all_ended
    assert found.largest_return(0.5) == 2.0 and found.silence == 2.5
    assert not seen([0, 1, 1], [1, 1, 0]).only_at_the_end
    assert not seen([1, 1], [1, 1], cut=[False, True]).all_ended


def test_returns_of_two_players_change_sign_with_the_turn_and_stop_at_a_cut():
    assert seen([0, 0, 1], [-1, -1, 0]).largest_return(1.0) == 1.0
    assert seen([1, 1, 0], [-1, -1, 0]).largest_return(1.0) == 1.0  # 1 - (1 - 0)
    assert seen([1, 1, 1, 0], [1, 1, 1, 0]).largest_return(1.0) == 3.0
    assert seen([1, 1, 1, 0], [1, 1, 1, 0], cut=[False, True, False, False]).largest_return(1.0) == 2.0


def test_a_probe_is_the_same_in_every_call(own):
    own(Plain, seen=lambda self: np.random.default_rng(self.steps).random(2).astype(np.float32))
    found = [probe(PythonGames("probed_games:Own", 3, True), 50) for _ in range(2)]
    for name in vars(found[0]):
        np.testing.assert_array_equal(*(getattr(one, name) for one in found))


def test_an_environment_that_is_too_slow_is_not_probed(own, monkeypatch):
    games = PythonGames("probed_games:Own", 1, True) if own() else None
    assert probe(games, 50, patience=0) is None
    monkeypatch.setattr(following, "probe", lambda games, steps: None)
    with pytest.warns(UserWarning, match="takes more than 30 s for 4,096 steps, so it is not probed"):
        assert settings(own())[1] == settings(own(), probed=False)[1]


@pytest.mark.parametrize("number", [1e-3, 0.3, 1, 1.01, 2, 7, 19.9, 812, 4e7])
def test_a_ceiling_is_near_and_round(number):
    found = ceiling(number)
    assert number <= found <= 2.5 * number or found == 1e6
    assert f"{found:.0e}"[0] in "125"


USUAL = Limits(300.0, 300.0, 51)


@pytest.mark.parametrize(
    ("rewards", "ends", "cut", "expected"),
    [
        ([0, 0, 0, 1], [3], [], (300, 300, None)),  # only the end is paid, but to one player
        ([0, 0, 0, 1], [], [3], (300, 300, None)),  # cut: what ends a game was not seen
        ([1, 1, 1, 1], [3], [], (300, 300, None)),
        ([-200, -200, -200, -200], [], [3], (2000, 500, 140)),  # more than fits
        ([0, 0, 0, 0], [3], [], (300, 300, None)),  # nothing is known
    ],
)
def test_ranges_follow_what_was_paid(own, rewards, ends, cut, expected):
    spec = PythonGames("probed_games:Own", 1, True).spec if own() else None
    number = np.arange(4)
    found = limits(spec, seen(rewards, 1.0 - np.isin(number, ends), np.isin(number, cut)), 1.0, USUAL)
    assert tuple(found[key].value if key in found else None for key in KEYS) == expected
    assert all(choice.reason for choice in found.values())


def test_two_players_of_whom_one_wins_get_the_range_of_a_win(own):
    won = {"step": lambda self, action: (self.__dict__.update(moves=self.moves + 1), (1.0, True))[1]}
    model, config = settings(own(Turns, **won))
    assert (model["value_limit"], model["reward_limit"], model["discount"]) == (2.0, 2.0, 1.0)
    assert "only the end of a game is paid" in config.note("game", "discount")


def test_a_game_without_news_gets_a_longer_horizon(own):
    step = {"step": lambda self, action: (self.seen(), -1.0, False, False, {})}
    assert settings(own(**step), "game.max_steps=150")[0]["discount"] == 0.995
    assert settings(own(**step), "game.max_steps=90")[0]["discount"] == 0.99


def test_what_was_said_is_kept(own):
    model, config = settings(own(), "model.value_limit=7", "game.discount=0.9", "model.width=33")
    assert (model["value_limit"], model["discount"], model["width"]) == (7.0, 0.9, 33)
    assert config.source("model", "value_limit") == "--set" and config.note("model", "value_limit") is None
    assert config.source("model", "reward_limit") == following.SOURCE


@pytest.mark.parametrize(
    ("shape", "network", "words"),
    [((3, 10, 10), "minatar", "MinAtar"), ((3, 40, 40), "laptop/atari", "Atari on a laptop")],
)
def test_planes_get_a_network_that_was_measured(own, shape, network, words):
    seen_then = {"observation_space": Box(0, 1, shape, np.float32), "seen": lambda self: np.zeros(shape, np.float32)}
    model, config = settings(own(**seen_then), "game.channels=first")
    shipped = read_text((CONFIGS / f"{network}.toml").read_text(), network).tables["model"]
    assert model["channels"] == shipped["channels"] and words in config.note("model", "channels")


@pytest.mark.parametrize("game", ["gym/CartPole-v1", "gym/Acrobot-v1", "board/tic_tac_toe", "minatar/breakout"])
def test_games_with_settings_of_their_own_keep_them(game):
    assert build.configure(game, [], probed=True) == build.configure(game, [])


def test_reasons_are_stored_with_the_run_and_explained(own):
    _, config = settings(own())
    stored = read_text(config.to_toml(), "runs/x/config.toml")
    again = merge([stored], build.SCHEMA)
    assert again == config and again.to_toml() == config.to_toml()
    reason = config.note("model", "value_limit")
    assert reason and again.note("model", "value_limit") == reason
    assert f"(from {following.SOURCE}: {reason})" in explanation("model.value_limit", config)
    assert "config.toml, line" in explanation("model.value_limit", again) and reason in explanation(
        "value_limit", again
    )
    changed = merge([stored, parse_settings(["model.value_limit=3"])], build.SCHEMA)
    assert changed.note("model", "value_limit") is None and reason not in changed.to_toml()


def test_the_settings_of_a_run_are_not_probed_again(own, monkeypatch):
    _, config = settings(own())
    monkeypatch.setattr(following, "probe", lambda *words: pytest.fail("probed"))
    stored = read_text(config.to_toml(), "runs/x/config.toml")
    assert build.configure("python/probed_games:Own", [stored], probed=True) == config


def test_a_note_is_a_comment_of_this_form_only():
    text = '[game]\nkind = "gym"  # chosen: a b\ndiscount = 0.9  # by hand\n[run]\ngame = "x # chosen: y"\n'
    assert read_text(text, "f").notes == {("game", "kind"): "a b"}
    layer = Layer("a", {"game": {"kind": "gym"}}, notes={("game", "kind"): "why"})
    assert merge([layer], {"game": build.SCHEMA["game"]}).note("game", "kind") == "why"

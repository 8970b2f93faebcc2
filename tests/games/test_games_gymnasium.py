"""Environments of the gymnasium form and the user's own: spaces, limits, faults."""

import re
import sys

import ale_py
import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from sample_games import play

from muzero.actions import Box
from muzero.games import batched, control, python
from muzero.games.errors import UnknownGame
from muzero.games.spaces import view
from muzero.util.extras import MissingExtra
from muzero.util.seeds import derive_short

# --- gymnasium --------------------------------------------------------------------------------------------------------


def test_the_time_limit_of_cartpole_truncates_and_keeps_the_discount():
    games = control.ControlGames("CartPole-v1", 1, False)
    assert games.spec.max_steps == 500
    *_, last = play(games, 500, policy=lambda now: (now.observation[:, 2:] @ [3.0, 1.0] > 0).astype(int))
    assert last.truncated.all() and last.last.all() and last.discount == np.float32(0.997)


def test_a_pole_that_falls_ends_the_game():
    games = control.ControlGames("CartPole-v1", 1, False)
    shown = list(play(games, 12, policy=lambda now: np.zeros(1, int)))
    end = next(now for now in shown if now.last[0])
    assert end.discount == 0 and not end.truncated.any()


def test_the_limit_can_be_set():
    games = control.ControlGames("CartPole-v1", 1, False, max_steps=4)
    assert games.spec.max_steps == 4
    assert [now.truncated[0] for now in play(games, 4)] == [False] * 4 + [True]


def test_legal_actions_come_from_the_mask_only_where_that_is_asked_for():
    masked = control.ControlGames("Taxi-v4", 8, False, action_mask=True)
    assert not masked.reset(np.arange(8)).legal.all()
    assert control.ControlGames("Taxi-v4", 8, False).reset(np.arange(8)).legal.all()


def test_real_valued_actions_reach_the_environment_between_its_bounds():
    games, plain = control.ControlGames("Pendulum-v1", 2, False), gymnasium.make("Pendulum-v1")
    assert games.spec.actions == Box(1) and games.reset(np.arange(2)).legal.shape == (2, 0)
    seed = derive_short(0, "game", 1)
    plain.reset(seed=seed)
    for number in (-1.0, 0.25, 1.0):
        now = games.step(np.full((2, 1), number, np.float32))
        seen, reward, *_ = plain.step(np.array([2 * number], np.float32))
        assert (now.observation[0] == seen).all() and now.reward[0] == np.float32(reward)
    again = control.ControlGames("Pendulum-v1", 2, False)
    assert (again.restore(games.state()).observation == now.observation).all()


@pytest.mark.parametrize("name", ["ALE/MsPacman-v5", "MsPacmanNoFrameskip-v4"])
def test_atari_by_way_of_gymnasium_is_pointed_elsewhere(name):
    gymnasium.register_envs(ale_py)
    with pytest.raises(UnknownGame, match=r"as atari/ms_pacman$"):
        control.ControlGames(name, 1, False)


def test_a_package_that_an_environment_needs_is_named():
    with pytest.raises(MissingExtra, match="no_such_package"):
        control.ControlGames("no_such_package:Thing-v0", 1, False)


def test_a_missing_box2d_is_answered_with_the_extra_that_brings_it(monkeypatch):
    for loaded in [name for name in sys.modules if name.startswith("gymnasium.envs.box2d")]:
        monkeypatch.delitem(sys.modules, loaded)
    for loaded in ["Box2D", *(name for name in sys.modules if name.startswith("Box2D."))]:
        monkeypatch.setitem(sys.modules, loaded, None)
    message = 'needs Box2D: pip install "muzero[box2d]"'
    with pytest.raises(MissingExtra, match=f"^gym/LunarLander-v3 {re.escape(message)}$"):
        control.ControlGames("LunarLander-v3", 1, False)
    assert control.all_names()["LunarLander-v3"] == message


def test_listed_ids_are_those_that_can_be_played():
    listed = control.names()
    assert {"CartPole-v1", "FrozenLake-v1", "Pendulum-v1"} <= set(listed)
    assert not {"PongNoFrameskip-v4", "ALE/Pong-v5"} & set(listed)


@pytest.mark.parametrize(
    ("space", "shape", "dtype"),
    [
        (spaces.Box(-1, 1, (4,), np.float64), (4,), "float32"),
        (spaces.Box(-1, 1, (), np.float32), (1,), "float32"),
        (spaces.Box(-1, 1, (2, 3), np.float32), (6,), "float32"),
        (spaces.Box(0, 255, (7, 6, 3), np.uint8), (3, 7, 6), "uint8"),
        (spaces.Box(0, 255, (4, 8, 8), np.uint8), (4, 8, 8), "uint8"),
        (spaces.Box(0, 255, (7, 6), np.uint8), (1, 7, 6), "uint8"),
        (spaces.Discrete(5, start=-2), (5,), "float32"),
        (spaces.MultiDiscrete([2, 3]), (5,), "float32"),
        (spaces.Dict(a=spaces.Discrete(2), b=spaces.Box(0, 1, (2, 2))), (6,), "float32"),
    ],
)
def test_observations_of_a_space_become_arrays(space, shape, dtype):
    seen = view(space, "gym/Some-v0")
    assert (seen.shape, seen.dtype) == (shape, dtype)
    space.seed(0)
    out, value = np.full(shape, 77, dtype), space.sample()
    seen.write(value, out)
    expected = spaces.flatten(space, value)
    np.testing.assert_allclose(np.sort(out.ravel()), np.sort(expected), rtol=1e-6)


def test_colours_come_first():
    image = np.arange(7 * 6 * 3, dtype=np.uint8).reshape(7, 6, 3)
    out = np.empty((3, 7, 6), np.uint8)
    view(spaces.Box(0, 255, (7, 6, 3), np.uint8), "gym/Some-v0").write(image, out)
    np.testing.assert_array_equal(out[1], image[:, :, 1])


def test_observations_without_a_fixed_size_are_refused():
    with pytest.raises(UnknownGame, match="no fixed size: Sequence"):
        view(spaces.Sequence(spaces.Discrete(2)), "gym/Some-v0")


def test_an_environment_registered_by_the_user_can_be_played():
    gymnasium.register("Corridor-v7", "sample_games:Corridor", max_episode_steps=30)
    try:
        assert control.ControlGames("Corridor-v7", 2, True).spec.max_steps == 30
    finally:
        del gymnasium.registry["Corridor-v7"]


# --- the user's own games ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("Raises", "ZeroDivisionError: no such cell"),
        ("ObservesNan", r"observation is not finite: \[nan"),
        ("ObservesLess", r"observation of shape \(3,\), expected \(9,\)"),
        ("RewardsNan", "reward is not finite: nan"),
        ("AllowsNothing", "no action is legal"),
        ("MasksLess", r"action_mask is array\(\[1\.\]\), of shape \(1,\); expected 2 booleans, or zeros and ones"),
    ],
)
def test_a_fault_is_reported_with_game_environment_step_and_value(name, what):
    games = python.PythonGames(f"sample_games:{name}", 2, True)
    games.reset(np.array([5, 6]))
    games.step(np.ones(2, int))
    games.step(np.ones(2, int))
    where = rf"python/sample_games:{name}, environment 1 of 2, step 3 of game 1 from seed 5, action 1: (ValueError: )?"
    assert games.faults == 0 and games.last_fault is None
    now = games.step(np.ones(2, int))
    assert (
        games.faults == 2 and now.first.all() and not now.last.any()
    )  # in both slots, each of which begins a new game
    assert re.search(
        where.replace("environment 1", "environment 2").replace("seed 5", "seed 6") + what, games.last_fault
    )


@pytest.mark.parametrize("kind", ["one", "two"])
def test_a_game_without_an_end_is_cut_at_a_default_limit_that_is_noted(monkeypatch, kind):
    name = {"one": "EndlessGame", "two": "EndlessTurns"}[kind]
    games = python.PythonGames(f"sample_games:{name}", 2, True)
    assert games.spec.max_steps == batched.MAX_STEPS
    (note,) = games.spec.notes
    assert f"python/sample_games:{name} has no time limit" in note and "5,000 steps" in note and "max_steps" in note
    monkeypatch.setattr(batched, "MAX_STEPS", 7)
    games = python.PythonGames(f"sample_games:{name}", 2, True)
    assert [now.truncated.tolist() for now in play(games, 8)] == [[False] * 2] * 7 + [[True] * 2] + [[False] * 2]


def test_a_registered_environment_without_a_limit_is_cut_and_noted():
    games = control.ControlGames("CliffWalking-v1", 1, False)
    assert games.spec.max_steps == batched.MAX_STEPS and "gym/CliffWalking-v1 has no time limit" in games.spec.notes[0]
    for games in (
        control.ControlGames("CliffWalking-v1", 1, False, max_steps=50),
        control.ControlGames("CartPole-v1", 1, False),
        python.PythonGames("sample_games:EndlessGame", 1, False, max_steps=50),
        python.PythonGames("sample_games:registered_game", 1, False),
    ):
        assert games.spec.notes == () and games.spec.max_steps in (50, 500)


def test_a_game_that_is_over_and_cut_short_at_once_is_over():
    games = python.PythonGames("sample_games:EndsTwice", 1, True, max_steps=3)
    *_, last = play(games, 3, policy=lambda now: np.ones(1, int))
    assert last.discount == 0 and not last.truncated.any()


def test_a_game_of_two_players_turns_the_sign_where_the_turn_passes():
    games = python.PythonGames("sample_games:Stones", 16, True, discount=1.0)
    assert games.spec.discounts == (-1.0, 0.0, 1.0) and games.spec.two_player
    shown = list(play(games, 40))
    assert {float(d) for now in shown for d in now.discount[~now.first]} == {-1.0, 0.0, 1.0}
    assert all((now.reward == (now.discount == 0)).all() for now in shown)  # the player who moves last wins


def test_a_class_that_lacks_members_is_refused_with_their_names():
    message = "looks like a two-player game but lacks observation, legal, to_move"
    with pytest.raises(UnknownGame, match=message):
        python.PythonGames("sample_games:HalfStones", 1, True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sample_games:Corridr", "nearest: python/sample_games:Corridor"),
        ("sample_games", "expected python/<module>:<Class>"),
        ("no_such_module:Game", "no module 'no_such_module'"),
    ],
)
def test_a_class_that_is_not_there_is_named(name, message):
    with pytest.raises(UnknownGame, match=message):
        python.PythonGames(name, 1, True)


def test_a_module_is_found_in_the_current_directory(tmp_path, monkeypatch):
    (tmp_path / "own_game.py").write_text("from sample_games import Stones as Game\n")
    (tmp_path / "broken_game.py").write_text("import no_such_dependency\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert python.PythonGames("own_game:Game", 1, True).spec.actions.columns == 2
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        python.PythonGames("broken_game:Game", 1, True)

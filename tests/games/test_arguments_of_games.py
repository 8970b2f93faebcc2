"""Names, arguments, sizes and numbers of actions of the user's own games and of gymnasium's."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from plain_games import Plain, Turns

from muzero.games import python
from muzero.games.errors import UnknownGame

# --- arguments -------------------------------------------------------------------------------------------------------


class Sized(Plain):
    def __init__(self, size, shape="round"):
        self.size = size


def test_arguments_reach_the_class(play):
    games = play(Sized, kwargs={"size": 3}, batch=2)
    assert [game.environment.size for game in games._games] == [3, 3]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({}, r"needs the argument size; add --set game.kwargs.size=VALUE"),
        ({"size": 1, "sise": 2}, r"game.kwargs = \{size = 1, sise = 2\}: .*'sise'; it takes size, shape"),
    ],
)
def test_arguments_that_do_not_fit_are_named_with_the_remedy(play, kwargs, message):
    with pytest.raises(UnknownGame, match=message):
        play(Sized, kwargs=kwargs)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("envs.py:X", "did you mean python/envs:X?"),
        ("sub/envs.py:X", "did you mean python/sub.envs:X?"),
        ("sub/envs:X", "did you mean python/sub.envs:X?"),
        (".envs:X", "expected python/<module>:<Class>"),
        ("envs:X(size=3)", r"--set game\.kwargs\.NAME=VALUE"),
        (":X", "expected python/<module>:<Class>"),
        ("sys:path", "is not a class with the methods reset and step"),
    ],
)
def test_a_name_that_is_not_a_class_says_what_to_write(name, message):
    with pytest.raises(UnknownGame, match=message):
        python.PythonGames(name, 1, True)


@pytest.mark.parametrize("members", [{"actions": 2.5}, {"observation_shape": 3}, {"observation_shape": ("a",)}])
def test_sizes_that_are_not_integers_are_refused(play, members):
    with pytest.raises(UnknownGame, match="expected an integer and a tuple of integers"):
        play(Turns, **members)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"actions": 0}, "it has 0 actions; expected 1 to 100,000"),
        ({"actions": 10**9}, "it has 1,000,000,000 actions; expected 1 to 100,000"),
        ({"observation_shape": (0, 3)}, r"its observations are empty, of shape \(0, 3\)"),
        ({"observation_shape": (10**6, 10**6)}, "have 1,000,000,000,000 numbers; the most is 16,777,216"),
        ({"observation_shape": (-1,)}, "its observations are empty"),
    ],
)
def test_a_game_that_is_empty_or_too_large_is_refused_with_its_size(play, members, message):
    with pytest.raises(UnknownGame, match=message):
        play(Turns, **members)


def test_a_space_that_is_not_one_of_gymnasium_is_refused(play):
    with pytest.raises(UnknownGame, match=r"observation_space is \(2,\), expected a gymnasium space"):
        play(Plain, observation_space=(2,))


# --- numbers of actions ----------------------------------------------------------------------------------------------


def test_actions_that_do_not_begin_at_zero_reach_the_environment_as_its(play):
    taken = []

    def step(self, action):
        taken.append(action)
        return Plain.step(self, action)

    games = play(Plain, action_space=spaces.Discrete(3, start=-1), step=step)
    games.reset(np.arange(1))
    for action in range(3):
        games.step(np.array([action]))
    assert taken == [-1, 0, 1] and games.spec.actions.columns == 3 and games.native(2) == 1


def test_a_registered_environment_takes_arguments_and_names_wrong_ones():
    from muzero.games.control import ControlGames

    games = ControlGames("FrozenLake-v1", 1, True, kwargs={"is_slippery": False, "map_name": "8x8"})
    assert games.spec.observation == (64,)
    assert not games._games[0].environment.unwrapped.spec.kwargs["is_slippery"]
    with pytest.raises(UnknownGame, match=r"cannot be made with game.kwargs = \{slippery = false\}.*'slippery'"):
        ControlGames("FrozenLake-v1", 1, True, kwargs={"slippery": False})
    with pytest.raises(UnknownGame, match=r"--set game\.kwargs\.NAME=VALUE"):
        ControlGames("FrozenLake-v1(is_slippery=false)", 1, True)


def test_an_id_without_a_version_is_its_newest():
    from muzero.games.registry import resolve

    newest = max(spec.version for spec in gymnasium.registry.values() if spec.name == "CartPole")
    assert resolve("gym/CartPole") == f"gym/CartPole-v{newest}"
    for game in ("gym/CartPole-v0", "gym/Cartpole", "gym/no_such_package:Thing", "gym/a b", "board/tic_tac_toe"):
        assert resolve(game) == game

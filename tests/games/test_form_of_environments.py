"""The form of environments: masks, turns, gym's old forms, arguments, warnings, numbers of actions."""

import re
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from muzero.cli.exits import show_warning
from muzero.games import python
from muzero.games.checks import legal_actions, player_to_move
from muzero.games.errors import EnvironmentWarning, UnknownGame, WrongForm
from muzero.games.trial import try_out
from muzero.interfaces import EnvironmentFault


class Plain:
    """Ten steps in gymnasium's form; tests replace parts of it."""

    observation_space = spaces.Box(0, 1, (2,), np.float32)
    action_space = spaces.Discrete(3)

    def seen(self):
        return np.zeros(2, np.float32)

    def reset(self, seed=None, options=None):
        self.steps = 0
        return self.seen(), {}

    def step(self, action):
        self.steps += 1
        return self.seen(), 1.0, self.steps == 10, False, {}


class Turns:
    """Six moves in the form of a two-player game; tests replace parts of it."""

    actions = 2
    observation_shape = (1,)

    def reset(self, seed):
        self.moves = 0

    def observation(self):
        return [self.moves / 6]

    def legal(self):
        return [True, True]

    def to_move(self):
        return self.moves % 2

    def step(self, action):
        self.moves += 1
        return 0.0, self.moves == 6


@pytest.fixture
def play(monkeypatch):
    """Games of one class, whose members are replaced by those given."""

    def build(base, batch=1, kwargs=None, **members):
        monkeypatch.setattr(sys.modules[__name__], "Own", type("Own", (base,), members), raising=False)
        monkeypatch.setitem(sys.modules, "own_games", sys.modules[__name__])
        return python.PythonGames("own_games:Own", batch, True, kwargs=kwargs or {})

    return build


def fault(games):
    """The message of the fault that playing ends with."""
    with pytest.raises(EnvironmentFault) as caught:
        games.reset(np.arange(games.batch))
        for _ in range(100):
            games.step(np.zeros(games.batch, int))
    return str(caught.value)


# --- masks -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.sampled_from([bool, np.int8, np.uint8, np.float32, object]))
def test_a_mask_of_booleans_or_zeros_and_ones_gives_the_actions(mask, dtype):
    array = mask if dtype is object else np.array(mask, dtype)
    assert legal_actions(array, len(mask), "mask") == [action for action, legal in enumerate(mask) if legal]


WRONG_MASKS = [
    ([0, 1, 2], "from a list of action numbers"),
    ([0, 2], "from a list of action numbers"),
    ([], "expected 3 booleans"),
    ([0.0, -np.inf, 0.0], "from a mask that is added to logits"),
    ([1, np.nan, 0], "expected 3 booleans"),
    ([1, 0.5, 0], "expected 3 booleans"),
    ([-1, 1, 1], "expected 3 booleans"),
    ([True, None, False], "expected 3 booleans"),
    (["1", "0", "1"], "expected 3 booleans"),
    ([[1, 1, 1]], r"of shape \(1, 3\)"),
    (1, r"of shape \(\)"),
    ("111", "'111'"),
    (None, "None"),
    ([1, 1, 1, 1], r"of shape \(4,\)"),
]


@pytest.mark.parametrize(("mask", "message"), WRONG_MASKS, ids=range(len(WRONG_MASKS)))
def test_other_masks_are_faults_that_name_what_was_given(mask, message):
    with pytest.raises(ValueError, match=message):
        legal_actions(np.array(mask) if isinstance(mask, list) else mask, 3, "mask")


@pytest.mark.parametrize("mask", [np.array([0, 1, 2]), np.array([0, -np.inf, 0]), np.array([1, np.nan, 0]), [1, 2]])
def test_a_wrong_mask_of_an_environment_never_passes(play, mask):
    games = play(Plain, reset=lambda self, seed=None: (self.seen(), {"action_mask": mask}))
    assert "action_mask is " in fault(games) and games.faults == 21


@pytest.mark.parametrize("mask", [[2, 1], [0], [0.0, -np.inf], [np.nan, 1], None])
def test_a_wrong_mask_of_a_two_player_game_never_passes(play, mask):
    assert "legal() is " in fault(play(Turns, legal=lambda self: mask))


# --- turns -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, True, np.int8(1), np.array(0)])
def test_a_turn_is_zero_or_one(value):
    assert player_to_move(value) == int(value)


@pytest.mark.parametrize("value", [-1, None, "a", 0.5, 1.0, [0], np.array([1]), float("nan")])
def test_other_turns_are_faults_that_name_what_was_given(value):
    with pytest.raises(ValueError, match=r"to_move\(\) is .*, expected 0 or 1"):
        player_to_move(value)


def test_a_third_player_ends_play_at_once(play):
    games = play(Turns, to_move=lambda self: self.moves % 3)
    with pytest.raises(WrongForm, match=r"slot 0, step 2 .*to_move\(\) is 2.*more than two players cannot be played"):
        try_out(games)
    assert games.faults == 0


# --- gym's old forms -------------------------------------------------------------------------------------------------


def test_a_step_of_four_values_is_named_as_the_old_form(play):
    games = play(Plain, step=lambda self, action: (self.seen(), 0.0, False, {}))
    with pytest.raises(WrongForm, match=r"step returned 4 values.*gymnasium's five are .* truncated, info: split done"):
        try_out(games)


OLD_RESETS = {
    "without info": (lambda self, seed=None: self.seen(), "reset returned array.* expected the pair observation, info"),
    "without seed": (lambda self: (self.seen(), {}), r"reset\(\) takes no seed, as in gym before 0.26"),
    "info that is None": (lambda self, seed=None: (self.seen(), None), "reset returned the info None, expected a dict"),
    "three values": (lambda self, seed=None: (self.seen(), {}, 1), "expected the pair observation, info"),
}


@pytest.mark.parametrize("name", OLD_RESETS)
def test_old_forms_of_reset_are_named(play, name):
    reset, message = OLD_RESETS[name]
    with pytest.raises(EnvironmentFault, match=message):
        try_out(play(Plain, reset=reset))


WRONG_STEPS = {
    "nothing": (None, "step returned None, expected five values"),
    "six": ((0, 0, False, False, {}, 1), "step returned 6 values, expected five: observation, reward, terminated"),
    "info": ((np.zeros(2), 0.0, False, False, []), r"step returned the info \[\], expected a dict"),
    "text for a reward": ((np.zeros(2), "1", False, False, {}), "reward is '1', expected a number"),
    "done as a number": ((np.zeros(2), 0.0, 0, False, {}), "terminated is 0, expected a bool"),
}


@pytest.mark.parametrize("name", WRONG_STEPS)
def test_steps_of_other_forms_are_named(play, name):
    found, message = WRONG_STEPS[name]
    games = play(Plain, step=lambda self, action: found)
    assert re.search(message, fault(games))


# --- arguments -------------------------------------------------------------------------------------------------------


class Sized(Plain):
    def __init__(self, size, shape="round"):
        self.size = size


def test_arguments_reach_the_class(play):
    games = play(Sized, kwargs={"size": 3}, batch=2)
    assert [game._environment.size for game in games._games] == [3, 3]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({}, r"without the arguments size; give them with --set game.kwargs.size=VALUE"),
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


# --- warnings --------------------------------------------------------------------------------------------------------


def test_an_observation_outside_its_space_is_warned_of_once(play):
    games = play(Plain, batch=2, seen=lambda self: np.array([0, 7 if self.steps == 2 else 1], np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        games.reset(np.arange(2))
        games.step(np.zeros(2, int))
    message = r"slot 0, step 2 of game 1 .*observation\[1\] is 7; observation_space declares 0 to 1"
    with pytest.warns(EnvironmentWarning, match=message) as caught:
        for _ in range(30):
            games.step(np.zeros(2, int))
    assert len(caught) == 1 and games.faults == 0


def test_a_command_prints_one_warning_of_each_topic(capsys):
    shown = set()
    for text, topic in [("one", "a"), ("two", "a"), ("three", "b")]:
        show_warning(shown, EnvironmentWarning(text, topic), EnvironmentWarning, "envs.py", 3)
    show_warning(shown, UserWarning("four"), UserWarning, "envs.py", 3)
    assert capsys.readouterr().err.split("\n") == [
        "warning: one",
        "warning: three",
        "warning: four (envs.py, line 3)",
        "",
    ]


def test_a_reset_that_ignores_the_seed_is_warned_of(play):
    games = play(Plain, seen=lambda self: np.random.default_rng().random(2).astype(np.float32))
    with pytest.warns(EnvironmentWarning, match="observation differs at step 0: reset.seed=.* does not set all"):
        try_out(games)


def test_randomness_outside_the_seed_is_found_after_the_reset_too(play):
    def step(self, action):
        self.steps += 1
        return self.seen(), float(np.random.default_rng().random()), False, False, {}

    with pytest.warns(EnvironmentWarning, match="reward differs at step 1"):
        try_out(play(Plain, step=step))


@pytest.mark.parametrize("base", [Plain, Turns])
def test_a_good_environment_is_tried_out_without_a_word(play, base):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try_out(play(base))


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
    assert taken == [-1, 0, 1] and games.spec.first_action == -1 and games.spec.actions == 3


def test_a_registered_environment_takes_arguments_and_names_wrong_ones():
    from muzero.games.control import ControlGames

    games = ControlGames("FrozenLake-v1", 1, True, kwargs={"is_slippery": False, "map_name": "8x8"})
    assert games.spec.observation == (64,)
    assert not games._games[0]._environment.unwrapped.spec.kwargs["is_slippery"]
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

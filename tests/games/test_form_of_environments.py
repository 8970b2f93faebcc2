"""The form of environments: masks, turns, gym's old forms, and warnings."""

import re
import warnings

import numpy as np
import pytest
from gymnasium.spaces import Box
from hypothesis import given
from hypothesis import strategies as st
from plain_games import Plain, Turns

from muzero.cli.exits import show_warning
from muzero.games.checks import legal_actions, player_to_move
from muzero.games.errors import EnvironmentWarning, WrongForm
from muzero.interfaces import EnvironmentFault
from muzero.trials.first_steps import try_out


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
    (([1, 0], [1, 1, 0]), r"of shape \(2,\); expected 3 booleans, or zeros and ones, one for each action"),
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


def test_a_mask_of_actions_that_cannot_be_listed_is_refused_at_once(play):
    masked = {"action_space": Box(-1, 1, (2,)), "reset": lambda self, seed=None: (self.seen(), {"action_mask": None})}
    with pytest.raises(WrongForm, match="info holds action_mask, but actions of 2 numbers cannot be listed; leave it"):
        play(Plain, **masked).reset(np.zeros(1, int))


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
    with pytest.raises(WrongForm, match=r"^[^,]*, step 2 .*to_move\(\) is 2.*more than two players cannot be played"):
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


# --- warnings --------------------------------------------------------------------------------------------------------


def test_an_observation_outside_its_space_is_warned_of_once(play):
    games = play(Plain, batch=2, seen=lambda self: np.array([0, 7 if self.steps == 2 else 1], np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        games.reset(np.arange(2))
        games.step(np.zeros(2, int))
    message = r"environment 1 of 2, step 2 of game 1 .*observation\[1\] is 7; observation_space declares 0 to 1"
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

"""The conformance suite: what is wrong with an environment is found, and nothing is found of good ones."""

import math
import sys
import time
from types import ModuleType

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from plain_games import Plain, Turns

from muzero.games.control import ControlGames
from muzero.games.minatar import MinatarGames
from muzero.games.python import PythonGames
from muzero.trials.conformance import NAMES, Ranges, check

MASK = "action_mask"


class Varied(Plain):
    """A good environment with chance, of 4 to 15 steps."""

    observation_space = Box(0, 16, (2,), np.float32)

    def reset(self, seed=None, options=None):
        self.rng = np.random.default_rng(seed)
        self.steps, self.length = 0, int(self.rng.integers(4, 16))
        return self.seen(), {}

    def seen(self):
        return np.array([self.steps, self.rng.random()], np.float32)

    def step(self, action):
        self.steps += 1
        return self.seen(), 1.0, self.steps == self.length, False, {}


@pytest.fixture
def outcomes(monkeypatch):
    """The outcomes of the checks of a class with other members, by name."""

    def run(base=Varied, ranges=None, seconds=60.0, **members):
        module = ModuleType("checked_games")
        module.Own = type("Own", (base,), members)
        monkeypatch.setitem(sys.modules, "checked_games", module)
        found = check(lambda batch: PythonGames("checked_games:Own", batch, True), lambda spec: ranges, seconds)
        return {outcome.check: outcome for outcome in found}

    return run


def result(self, **changed):
    """What a good step returns, but for some parts."""
    good = {"seen": self.seen(), "reward": 1.0, "over": self.steps == self.length, "cut": False, "info": {}}
    return tuple((good | changed).values())


def step_with(**changed):
    def step(self, action):
        self.steps += 1
        return result(self, **{name: value(self) if callable(value) else value for name, value in changed.items()})

    return step


def assert_all_good(found):
    assert list(found) == list(NAMES)
    assert [outcome.state for outcome in found.values()] == ["ok"] * len(NAMES), found


@pytest.mark.parametrize("base", [Varied, Turns])
def test_nothing_is_found_of_a_good_environment(outcomes, base):
    assert_all_good(outcomes(base))


@pytest.mark.parametrize(
    ("source", "name"), [(ControlGames, "FrozenLake-v1"), (ControlGames, "Blackjack-v1"), (MinatarGames, "breakout")]
)
def test_nothing_is_found_of_shipped_games(source, name):
    found = check(lambda batch: source(name, batch, True), lambda spec: None, 60)
    assert_all_good({outcome.check: outcome for outcome in found})


def unseeded(self):
    return np.random.default_rng().random(2).astype(np.float32)


def constant_generator(self, seed=None, options=None):
    self.rng = getattr(self, "rng", None) or np.random.default_rng(0)
    self.steps, self.length = 0, 9
    return self.seen(), {}


def counted(self):
    type(self).number = (getattr(type(self), "number", 0) + 1) % 16
    return np.array([self.steps, type(self).number], np.float32)


def in_one_array(self):
    self.array = getattr(self, "array", np.zeros(2, np.float32))
    self.array[:] = self.steps, self.rng.random()
    return self.array


SHARED = np.zeros(2, np.float32)


def in_a_shared_array(self):
    SHARED[:] = self.steps, self.rng.random()
    return SHARED


def masked_reset(self, seed=None, options=None):
    seen, _ = Varied.reset(self, seed)
    return seen, {MASK: np.array([1, 0, 1])}


def worn(self, action):
    """As a simulation that keeps something from game to game, which shows after some steps."""
    self.taken = getattr(self, "taken", 0) + 1
    found = Varied.step(self, action)
    return (found[0] + (0.01 if self.steps == 3 and self.taken > 3 else 0), *found[1:])


# Members -> the check, its state, and what seen, expected and remedy hold.
FAULTS = {
    "four values": ({"step": lambda self, action: result(self)[:4]}, "form", "4 values", "the form", "split done into"),
    "old reset": (
        {"reset": lambda self, seed=None: np.zeros(2)},
        "form",
        "reset returned",
        "the pair",
        "info;",
    ),
    "no seed": ({"reset": lambda self: Varied.reset(self)}, "form", "takes no seed", "reset(seed=None)", "reset(seed)"),
    "info": ({"step": step_with(info=None)}, "form", "the info None", "a dict", "observation, reward"),
    "number as end": ({"step": step_with(over=0)}, "form", "terminated is 0", "a bool", "terminated"),
    "raises": ({"step": lambda self, action: 1 / 0}, "errors", "ZeroDivisionError", "no exception", "pdb"),
    "shape": ({"seen": lambda self: np.zeros(3)}, "observations", "shape (3,)", "(2,)", "observation_space's shape"),
    "nan": ({"seen": lambda self: np.full(2, np.nan)}, "observations", "not finite", "finite", "NaN and infinity"),
    "outside": ({"seen": lambda self: np.full(2, 99, np.float32)}, "observations", "is 99", "0 to 16", "clip"),
    "nan reward": (
        {"step": step_with(reward=np.nan)},
        "rewards",
        "not finite: nan",
        "a finite number",
        "division by 0",
    ),
    "text": ({"step": step_with(reward="1")}, "rewards", "reward is '1'", "a number", "float(reward)"),
    "numbers": ({"step": step_with(info={MASK: [0, 2]})}, MASK, "[0, 2]", "3 booleans", "np.zeros(n, bool)"),
    "no action": ({"step": step_with(info={MASK: [0, 0, 0]})}, MASK, "no action is legal", "at least one", "end the"),
    "missing": ({"reset": masked_reset}, MASK, "held no action_mask in", "in every info", "return info ="),
    "unseeded": ({"seen": unseeded}, "seeds", "reset(seed=0) show different", "repeated", "super().reset(seed=seed)"),
    "generator": (
        {"reset": constant_generator},
        "seeds",
        "after another game",
        "puts everything back",
        "not in __init__",
    ),
    "class": ({"seen": counted}, "seeds", "show different things", "the seed decides", "generator"),
    "shared": ({"seen": in_a_shared_array}, "instances", "another instance beside", "share nothing", "in self"),
}
REMARKS = {
    "engine": ({"step": worn}, "seeds", "the first at step 3", "puts everything", "not repeated or resumed exactly"),
    "double": ({"seen": lambda self: np.array([self.steps, 1.0])}, "observations", "is float64", "a member", "astype"),
    "reused": ({"seen": in_one_array}, "observations", "one array is used again", "as they were", "copy()"),
    "constant": ({"seen": lambda self: np.ones(2, np.float32)}, "observations", "are the same", "learned", "after"),
    "endless": ({"step": step_with(over=False)}, "ends", "no time limit: they are cut at 5,000", "end", "max_steps"),
    "limit": ({"step": step_with(over=lambda self: self.steps == 9)}, "ends", "exactly 9 steps", "truncated", "True"),
}


@pytest.mark.parametrize("name", FAULTS | REMARKS)
def test_what_is_wrong_is_said_with_what_was_expected_and_the_remedy(outcomes, name):
    members, check_name, *words = (FAULTS | REMARKS)[name]
    outcome = outcomes(**members)["masks" if check_name == MASK else check_name]
    assert outcome.state == ("fault" if name in FAULTS else "remark"), outcome
    texts = [" | ".join(column) for column in zip(*(finding[:3] for finding in outcome.findings), strict=True)]
    for word, text in zip(words, texts, strict=True):
        assert word in text, (word, outcome.findings)


def test_several_faults_are_found_at_once(outcomes):
    def step(self, action):
        self.steps += 1
        wrong = {3: {"reward": np.nan}, 4: {"seen": np.zeros(5)}}
        return result(self, **wrong.get(self.steps if action else 0, {}))

    found = outcomes(step=step)
    assert found["rewards"].state == found["observations"].state == "fault"
    assert found["seeds"].state == "not checked" and found["form"].state == "ok"


UNMADE = {
    "unbounded": ({"action_space": Box(-np.inf, np.inf, (2,))}, "have no bounds", "give action_space finite bounds"),
    "members": ({"step": None, "action_space": property(lambda self: self.none)}, "lacks action_space", ""),
    "space": ({"observation_space": 3}, "observation_space is 3", ""),
    "raises": ({"__init__": lambda self: 1 / 0}, "ZeroDivisionError", ""),
}


@pytest.mark.parametrize("name", ["unbounded", "space"])
def test_an_environment_that_cannot_be_made_is_a_fault_too(outcomes, name):
    members, seen, remedy = UNMADE[name]
    found = outcomes(**members)
    assert found["making it"].state == "fault"
    assert seen in found["making it"].findings[0].seen and remedy in found["making it"].findings[0].remedy
    assert {outcome.state for outcome in found.values()} == {"fault", "not checked"}


def test_rewards_beyond_the_settings_are_a_fault(outcomes):
    step = step_with(reward=lambda self: 100.0 * self.steps)
    found = outcomes(step=step, ranges=Ranges(500.0, "--set"))["rewards"].findings
    assert found[0].seen == "rewards of up to 1500" and "(from --set)" in found[0].expected
    assert found[0].remedy == "--set model.reward_limit=1500, or scale the rewards"
    assert outcomes(step=step, ranges=Ranges(1500.0, "--set"))["rewards"].state == "ok"


def test_observations_of_several_parts_are_checked(outcomes):
    space = Dict({"place": Discrete(4), "speed": Box(-1, 1, (1,), np.float32)})
    part = {"place": 3, "speed": np.zeros(1, np.float32)}
    found = outcomes(observation_space=space, seen=lambda self: {**part, "place": self.steps % 4})
    assert found["observations"].state == "ok"
    found = outcomes(observation_space=space, seen=lambda self: {**part, "place": 4})
    assert "observation['place'] is 4" in found["observations"].findings[0].seen


def test_slow_steps_are_a_remark_and_the_time_is_kept(outcomes):
    begun = time.monotonic()
    found = outcomes(step=lambda self, action: time.sleep(0.05) or Varied.step(self, action), seconds=1.5)
    assert found["speed"].state == "remark" and "50,000 steps take" in found["speed"].findings[0].seen
    assert math.floor(time.monotonic() - begun) < 20  # generous: 400 steps of the checks would take 20 s


def test_what_there_was_no_time_for_is_not_called_good(outcomes):
    found = outcomes(step=lambda self, action: time.sleep(0.2) or Varied.step(self, action), seconds=0.01)
    for name in ("seeds", "instances"):
        assert found[name].state == "not checked" and "--seconds" in found[name].about

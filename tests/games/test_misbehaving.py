"""Environments that misbehave: no invalid value gets out, other games are not affected, and play continues."""

import asyncio
import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from misbehaving import BROKEN_RESETS, BROKEN_STEPS, Misbehaving, games

from muzero import build
from muzero.interfaces import EnvironmentFault
from muzero.util.signals import Interrupt, Stop, marked_interrupts


def history(made, steps=40, seed=0):
    """Everything that games show to a player who chooses at random, slot by slot."""
    rng = np.random.default_rng(seed)
    now = made.reset(np.arange(made.batch))
    shown = [now]
    for _ in range(steps):
        actions = np.where(now.legal, rng.random(now.legal.shape), -1).argmax(1)
        now = made.step(actions)
        shown.append(now)
    return {name: np.stack([getattr(now, name) for now in shown]) for name in vars(shown[0])}


def assert_good(shown):
    for name in ("observation", "reward", "discount"):
        assert np.isfinite(shown[name]).all(), name
    assert shown["legal"].any(-1).all()


@pytest.mark.parametrize("kind", BROKEN_STEPS)
def test_a_step_that_goes_wrong_drops_that_game_alone(misbehave, kind):
    misbehave(lambda slot, call, number: None)
    good = history(games())
    misbehave(lambda slot, call, number: BROKEN_STEPS[kind] if (slot, call, number) == (1, "step", 4) else None)
    made = games()
    shown = history(made)
    assert made.faults == 1 and "environment 2 of 3, step 4 of game 1 from seed 1, action" in made.last_fault
    assert_good(shown)
    assert shown["first"][4, 1] and not good["first"][4, 1]
    for name in shown:
        np.testing.assert_array_equal(shown[name][:, [0, 2]], good[name][:, [0, 2]])


@pytest.mark.parametrize("kind", BROKEN_RESETS)
def test_a_reset_that_goes_wrong_is_tried_again_in_a_new_environment(misbehave, kind):
    misbehave(lambda slot, call, number: BROKEN_RESETS[kind] if (slot, call, number) == (1, "reset", 2) else None)
    made = games()
    shown = history(made)
    assert made.faults == 1 and Misbehaving.made == 4
    assert_good(shown)


def test_a_slot_that_never_works_ends_it_with_the_last_message(misbehave):
    misbehave(lambda slot, call, number: ValueError("the engine is on fire") if call == "step" else None)
    made = games(2)
    with pytest.raises(
        EnvironmentFault, match=r"21 games in a row broke .*environment 1 of 2, step 1 .*: ValueError: the engine"
    ):
        history(made)
    misbehave(lambda slot, call, number: KeyError("no engine"))
    with pytest.raises(EnvironmentFault, match="21 games in a row broke"):
        games(2).reset(np.arange(2))


@pytest.mark.parametrize("last", [2, 9])
def test_good_steps_do_not_forgive_a_game_that_breaks_before_its_end(misbehave, last):
    misbehave(lambda slot, call, number: ValueError() if call == "step" and number == last else None)
    made = games(1)
    with pytest.raises(EnvironmentFault, match=f"21 games in a row broke before .* step {last} of game 21 "):
        history(made, steps=300)
    assert made.faults == 21


def test_a_game_that_ends_forgives_those_of_its_slot_that_broke(misbehave):
    misbehave(lambda slot, call, number: ValueError() if call == "step" and number == 12 else None)
    made = games(1)  # each environment ends one game, and breaks the next one
    history(made, steps=500)
    assert made.faults > 30


class Panic(BaseException):
    """As those of extensions written in Rust."""


class Unprintable(Exception):
    def __str__(self):
        raise SystemExit("no text")


NOT_ORDINARY = [
    SystemExit(0),
    SystemExit("the licence has ended"),
    GeneratorExit(),
    StopIteration(),
    asyncio.CancelledError(),
    Panic("index out of bounds"),
    BaseExceptionGroup("both", [Panic()]),
    Unprintable(),
]


@pytest.mark.parametrize("error", NOT_ORDINARY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["reset", "step", "close"])
def test_exceptions_of_every_kind_are_faults_of_the_environment(misbehave, error, where):
    def plan(slot, call, number):
        return (
            error if slot == 1 and call == where else ValueError() if (slot, call, number) == (1, "step", 3) else None
        )

    misbehave(plan)
    made = games()
    shown = history(made, steps=25)
    made.close()
    assert made.faults == 1
    assert_good(shown)
    assert where == "close" or f": {type(error).__name__}" in made.last_fault


@pytest.mark.parametrize("error", NOT_ORDINARY, ids=lambda error: type(error).__name__)
def test_a_class_that_cannot_be_made_is_named_with_its_exception(tmp_path, monkeypatch, error):
    def refuse(self):
        raise error

    monkeypatch.setattr(Misbehaving, "__init__", refuse)
    with pytest.raises(
        EnvironmentFault, match=rf"python/misbehaving:Misbehaving cannot be made: {type(error).__name__}"
    ):
        build.configure("python/misbehaving:Misbehaving", [])


def test_a_keyboard_interrupt_is_a_fault_only_where_no_signal_can_make_one(misbehave):
    misbehave(lambda slot, call, number: KeyboardInterrupt() if (slot, call, number) == (0, "step", 2) else None)
    with pytest.raises(KeyboardInterrupt):
        history(games())
    misbehave(lambda slot, call, number: KeyboardInterrupt() if (slot, call, number) == (0, "step", 2) else None)
    made = games()
    with Stop(lambda: None).listening():
        history(made)
    assert made.faults == 1
    misbehave(lambda slot, call, number: KeyboardInterrupt() if (slot, call, number) == (0, "step", 2) else None)
    made = games()
    with marked_interrupts():
        history(made)
    assert made.faults == 1


def test_a_real_ctrl_c_in_an_environment_is_not_its_fault(misbehave):
    def plan(slot, call, number):
        if (slot, call, number) == (0, "step", 2):
            signal.raise_signal(signal.SIGINT)

    misbehave(plan)
    made = games()
    with pytest.raises(KeyboardInterrupt):
        history(made)
    misbehave(plan)
    stop = Stop(lambda: None)
    with stop.listening():
        history(games())
    assert stop.number == signal.SIGINT and made.faults == 0
    misbehave(plan)
    with marked_interrupts(), pytest.raises(Interrupt):
        history(games())


def test_games_with_faults_can_be_restored(misbehave):
    misbehave(lambda slot, call, number: ValueError() if (slot, call, number) == (0, "step", 5) else None)
    made = games()
    history(made, steps=12)
    misbehave(lambda slot, call, number: None)
    again = games().restore(made.state())
    rng = np.random.default_rng(1)
    actions = rng.integers(3, size=3)
    one, other = made.step(actions), made.restore(made.state())
    for name in vars(one):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert again.observation.shape == (3, 2)


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.floats(width=32), max_size=3),
    st.just(np.zeros(2, np.float32)),
    st.just(np.array([1e30, -1e30])),
    st.just({"action_mask": np.array([0, 1, 0], np.int8)}),
    st.just({"action_mask": np.array([np.nan, 1, 0])}),
    st.just(np.array(True)),
)
answers = st.one_of(st.none(), st.tuples(), st.dictionaries(st.integers(0, 4), values, max_size=5), values)


def arbitrary_answers(planned):
    """An environment whose first answers are those that Hypothesis draws."""
    waiting = list(planned)
    Misbehaving.plan = staticmethod(lambda slot, call, number: waiting.pop() if waiting and number > 1 else None)
    try:
        made = games(2)
        shown = history(made, steps=25)
    finally:
        Misbehaving.plan = staticmethod(lambda slot, call, number: None)
    assert_good(shown)


@settings(max_examples=300, deadline=None)
@given(st.lists(answers, max_size=12))
def test_no_answer_of_an_environment_lets_a_bad_value_out(planned):
    arbitrary_answers(planned)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(st.lists(answers, max_size=12))
def test_no_answer_of_an_environment_lets_a_bad_value_out_at_length(planned):
    arbitrary_answers(planned)

"""Environments that misbehave: no invalid value gets out, other games are not affected, and play continues."""

import asyncio
import signal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from misbehaving import Misbehaving

from muzero import build
from muzero.data.replay import Replay
from muzero.games.python import PythonGames
from muzero.interfaces import EnvironmentFault, NonFiniteError, WindowSize
from muzero.models.latent import VectorModel
from muzero.planners.tree import GumbelPlanner
from muzero.play.match import play
from muzero.play.selfplay import SelfPlay
from muzero.players.uniform import RandomPlayer
from muzero.util.signals import Interrupt, Stop, marked_interrupts

BROKEN_STEPS = {
    "raises": ValueError("the engine is on fire"),
    "nan observation": {0: np.array([np.nan, 0], np.float32)},
    "infinite observation": {0: np.array([0, np.inf], np.float32)},
    "observation of another shape": {0: np.zeros(3, np.float32)},
    "observation that is text": {0: "left"},
    "nan reward": {1: np.nan},
    "infinite reward": {1: -np.inf},
    "reward beyond float32": {1: 1e39},
    "reward that is None": {1: None},
    "reward with a shape": {1: np.zeros(2)},
    "end that is a number": {2: 1},
    "end that is None": {2: None},
    "end that is several": {2: np.zeros(2, bool)},
    "cut that is text": {3: "no"},
    "no legal action": {4: {"action_mask": np.zeros(3, np.int8)}},
    "mask of another shape": {4: {"action_mask": np.ones(4, np.int8)}},
    "too few": (np.zeros(2, np.float32), 0.0),
    "nothing": 0,
}
BROKEN_RESETS = {
    "raises": OSError("no engine"),
    "nan observation": {0: np.full(2, np.nan, np.float32)},
    "another shape": {0: np.zeros((2, 2), np.float32)},
    "no legal action": {1: {"action_mask": np.zeros(3, np.int8)}},
    "too few": (np.zeros(2, np.float32),),
}


@pytest.fixture
def misbehave(monkeypatch):
    def according_to(plan):
        monkeypatch.setattr(Misbehaving, "plan", staticmethod(plan))
        monkeypatch.setattr(Misbehaving, "made", 0)

    return according_to


def games(batch=3):
    return PythonGames("misbehaving:Misbehaving", batch, True)


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


def player(made):
    torch.manual_seed(0)
    model = VectorModel(made.spec, width=8, hidden=8)
    return SelfPlay(made, model, GumbelPlanner(simulations=2, inference="torch"), 0, segment_steps=4)


def test_a_hundred_faults_while_playing_let_no_bad_value_into_a_batch(misbehave):
    rng, kinds = np.random.default_rng(0), [*BROKEN_STEPS.values()]

    def plan(slot, call, number):
        return kinds[rng.integers(len(kinds))] if rng.random() < 0.1 and call == "step" else None

    misbehave(plan)
    made = games(4)
    acting, replay = player(made), Replay(made.spec, 0, capacity=5000)
    while made.faults < 100:
        for segment in acting.play(4).segments:
            replay.add(segment)
    assert acting.rejected == 0 and replay.steps > 200
    for _ in range(50):
        _, window = replay.sample(64, WindowSize(5, 3))
        for name, tensor in window.tensors().items():
            assert torch.isfinite(tensor.float()).all(), name
        # Nothing ended where a game broke off: an end is ten steps after a beginning.
        ended = ~window.over[:, :-1] & window.over[:, 1:]
        position = (window.observation[:, 0, 0] * 10).round().int()
        for row, step in ended.nonzero().tolist():
            assert position[row] + step + 1 == 10


def test_rows_of_a_game_that_broke_off_are_dropped(misbehave):
    misbehave(lambda slot, call, number: ValueError() if number == 7 and call == "step" and slot == 0 else None)
    acting = player(games(1))
    harvest = acting.play(30)
    by_game = {}
    for segment in harvest.segments:
        by_game.setdefault(segment.id.game, []).append(segment)
    assert [len(segment) for segment in by_game[0]] == [4]  # of the six good steps
    assert [segment.id.sequence for segment in by_game[1]] == [0, 1, 2] and by_game[1][-1].columns["discount"][-1] == 0
    ended = [parts for parts in by_game.values() if parts[-1].columns["discount"][-1] == 0]
    assert len(harvest.episodes) == len(ended)


def test_a_segment_that_does_not_hold_is_not_handed_over(misbehave):
    misbehave(lambda slot, call, number: None)
    acting = player(games(1))
    plan = acting.planner

    class Wrong:
        def plan(self, *arguments, **named):
            decision, carry = plan.plan(*arguments, **named)
            decision.weights[:] = np.nan
            return decision, carry

    acting.planner = Wrong()
    assert acting.play(4).segments == [] and acting.rejected == 1
    assert "policy holds a number that is not finite" in acting.last_rejection


def test_weights_that_are_not_finite_stop_a_search_by_their_version(misbehave):
    misbehave(lambda slot, call, number: None)
    acting = player(games(1))
    weights = {name: torch.full_like(tensor, torch.nan) for name, tensor in acting.model.state_dict().items()}
    acting.model.load_state_dict(weights)
    acting.version = 17
    with pytest.raises(NonFiniteError, match=r"weights of version 17: prior_logits\[0") as caught:
        acting.play(1)
    assert "the weights are finite" not in str(caught.value)


def test_an_observation_too_large_for_a_model_is_named(misbehave):
    huge = {0: np.array([3e38, -1], np.float32)}
    misbehave(lambda slot, call, number: huge if call == "step" and slot == 1 and number == 3 else None)
    acting = player(games(2))
    with pytest.raises(
        NonFiniteError, match=r"observation is that of environment 2 of 2: numbers from -1 to 3e\+38; scale"
    ):
        acting.play(10)


def test_a_game_that_breaks_off_in_an_evaluation_is_played_again(misbehave):
    misbehave(lambda slot, call, number: ValueError() if number == 5 and call == "step" and slot < 2 else None)
    made = games(2)
    outcomes = play(made, RandomPlayer(), None, range(2), 0)
    assert made.faults == 2
    assert [(outcome.score, outcome.steps) for outcome in outcomes] == [(5.0, 10)] * 2

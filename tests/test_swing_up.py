"""The swing-up of the examples: its physics is exact, and it can be solved."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).parent.parent / "examples" / "swing_up.py"
PARTS = runpy.run_path(str(FILE))
moved, energy, paid = (PARTS[name] for name in ("moved", "energy", "paid"))
STEP, ROD, GRAVITY, CART, MASS, END = (PARTS[name] for name in ("STEP", "ROD", "GRAVITY", "CART", "MASS", "END"))


def after(state, steps, force=0.0):
    for _ in range(steps):
        state = moved(state, force)
    return state


@pytest.mark.parametrize("angle", [0.5, 2.0, math.pi - 0.01])
def test_energy_and_momentum_are_kept_without_force(angle):
    state, speed = (0.0, angle, 0.0, 1.5), 0.0
    begun = energy(state)

    def momentum(state):
        return (CART + MASS) * state[2] + MASS * ROD * math.cos(state[1]) * state[3]

    pushed = momentum(state)
    for _ in range(200):
        state = moved(state, 0.0)
        speed = max(speed, abs(state[2]))
        assert energy(state) == pytest.approx(begun, abs=1e-6) and momentum(state) == pytest.approx(pushed, abs=1e-6)
    assert speed > 0.03 and abs(state[0]) < END  # the cart has moved, and met no buffer


def test_the_work_of_a_force_is_the_energy_that_it_adds():
    state = (0.0, 2.5, 0.0, 0.0)
    for push in (3.0, -4.0, 1.0):
        before = state
        state = after(state, 30, push)
        assert abs(state[0]) < END
        assert energy(state) - energy(before) == pytest.approx(push * (state[0] - before[0]), abs=1e-5)


def test_a_small_swing_has_the_period_that_the_masses_give():
    state, crossings = (0.0, math.pi + 0.01, 0.0, 0.0), []
    for number in range(1000):
        before, state = state[1] - math.pi, moved(state, 0.0)
        now = state[1] - math.pi
        if before < 0 <= now:
            crossings.append((number + before / (before - now)) * STEP)
    expected = 2 * math.pi * math.sqrt(ROD * CART / (GRAVITY * (CART + MASS)))
    assert np.diff(crossings).mean() == pytest.approx(expected, rel=1e-4)


def test_a_buffer_stops_the_cart_and_takes_no_momentum_around_it(monkeypatch):
    rng = np.random.default_rng(0)
    for _ in range(200):
        state = (END - 1e-3, rng.uniform(-4, 4), rng.uniform(0.5, 5), rng.uniform(-9, 9))
        hit = moved(state, 0.0)
        with monkeypatch.context() as without:
            without.setitem(moved.__globals__, "END", 9.0)
            free = moved(state, 0.0)
        assert hit[0] == END and hit[1] == free[1] and hit[2] == 0.0 and energy(hit) < energy(free)
        assert ROD * hit[3] == pytest.approx(ROD * free[3] + math.cos(free[1]) * free[2])


def test_rewards_lie_between_0_and_1_and_are_1_where_all_is_still():
    rng = np.random.default_rng(1)
    rewards = [paid(tuple(rng.normal(0, 3, 4)), rng.uniform(-1, 1)) for _ in range(500)]
    assert min(rewards) >= 0 and max(rewards) <= 1
    assert paid((0.0, 0.0, 0.0, 0.0), 0.0) == 1 and paid((0.0, math.pi, 0.0, 0.0), 0.0) < 1e-9


def controlled(state):
    """A hand-made controller: pump energy until the pendulum is near the top, then balance by linear feedback."""
    place, angle, speed, turning = state
    angle = (angle + math.pi) % (2 * math.pi) - math.pi
    if abs(angle) < 0.4 and abs(turning) < 4:
        return np.clip((GAINS @ [place, angle, speed, turning]) / 10, -1, 1)
    missing = MASS * GRAVITY * ROD - (0.5 * MASS * (ROD * turning) ** 2 + MASS * GRAVITY * ROD * math.cos(angle))
    return np.clip(-25 * missing * np.sign(turning * math.cos(angle)) / 2 - 0.3 * place - 0.1 * speed, -1, 1)


GAINS = np.array([2.0, 35.0, 3.5, 6.5])


def test_an_episode_has_500_decisions_and_can_be_solved():
    environment = PARTS["SwingUp"]()
    observation, _ = environment.reset(seed=4)
    again, _ = environment.reset(seed=4)
    np.testing.assert_array_equal(observation, again)
    total, cut, decisions = 0.0, False, 0
    while not cut:
        observation, reward, over, cut, _ = environment.step(np.array([controlled(environment.state)]))
        total, decisions = total + reward, decisions + 1
        assert not over and observation.dtype == np.float32
    assert decisions == 500 and total > 700

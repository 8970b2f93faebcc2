"""An environment of real-valued actions: a cart swings a pendulum up and keeps it there.

From this folder:

    muzero-train --game python/swing_up:SwingUp --config swing_up.toml --run runs/swing
    muzero-eval runs/swing --trust

The task is that of dm_control's cartpole-swingup, with exact physics of its own: a point mass on a rod without mass,
without friction.
"""

import math

import gymnasium
import numpy as np

CART, MASS, ROD, GRAVITY = 1.0, 0.1, 0.5, 9.81  # kg, kg, m, m/s²
STRONGEST = 10.0  # N, at action 1
END = 1.8  # m from the middle to the buffers at both ends of the track
STEP = 0.01  # s
REPEAT = 2  # steps of each decision
STEPS = 1000  # of an episode


class SwingUp(gymnasium.Env):
    """Push a cart to and fro, so that the pendulum that hangs from it stands.

    Each of the 1,000 steps of an episode pays from 0 to 1, and a decision lasts two.  The observation: place of the
    cart, cosine and sine of the angle (0 is upright), speed of the cart, speed of the angle.
    """

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (5,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)
        place, angle, *speeds = self.np_random.normal(0.0, 0.01, 4)
        self.state, self.steps = (place, math.pi + angle, *speeds), 0
        return self._seen(), {}

    def step(self, action: np.ndarray):
        push, reward = float(np.clip(action[0], -1, 1)), 0.0
        for _ in range(REPEAT):
            self.state = moved(self.state, STRONGEST * push)
            reward += paid(self.state, push)
        self.steps += REPEAT
        return self._seen(), reward, False, self.steps >= STEPS, {}  # cut short: what stands could continue

    def _seen(self) -> np.ndarray:
        place, angle, speed, turning = self.state
        return np.array([place, math.cos(angle), math.sin(angle), speed, turning], np.float32)


State = tuple[float, float, float, float]  # place, angle, and their speeds


def change(state: State, force: float) -> State:
    """Speeds and accelerations, from Lagrange's equations."""
    _, angle, speed, turning = state
    sine, cosine = math.sin(angle), math.cos(angle)
    push = force + MASS * ROD * sine * turning**2 - MASS * GRAVITY * sine * cosine
    acceleration = push / (CART + MASS * sine**2)
    return speed, turning, acceleration, (GRAVITY * sine - cosine * acceleration) / ROD


def moved(state: State, force: float) -> State:
    """The state after a step, by the Runge-Kutta method of order 4, and by the buffers at the ends of the track."""

    def after(slope: State, time: float) -> State:
        place, angle, speed, turning = (number + time * by for number, by in zip(state, slope, strict=True))
        return place, angle, speed, turning

    one = change(state, force)
    two = change(after(one, STEP / 2), force)
    three = change(after(two, STEP / 2), force)
    four = change(after(three, STEP), force)
    first, second, third, last = ((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(one, two, three, four, strict=True))
    place, angle, speed, turning = after((first, second, third, last), STEP)
    if abs(place) > END and place * speed > 0:
        # A buffer stops the cart at once.  The pendulum keeps its momentum around the cart, so the blow turns it.
        turning += math.cos(angle) * speed / ROD
        speed = 0.0
    return max(-END, min(place, END)), angle, speed, turning


def energy(state: State) -> float:
    """Joules: of both masses' motion, and of the height of the pendulum above the cart."""
    _, angle, speed, turning = state
    across, up = speed + ROD * turning * math.cos(angle), -ROD * turning * math.sin(angle)
    return 0.5 * CART * speed**2 + 0.5 * MASS * (across**2 + up**2) + MASS * GRAVITY * ROD * math.cos(angle)


def paid(state: State, push: float) -> float:
    """From 0 to 1: for an upright pendulum, in the middle of the track, at rest, without effort (as in dm_control)."""
    place, angle, _, turning = state
    upright = (1 + math.cos(angle)) / 2
    centred, slow = (1 + 0.1 ** ((place / 2) ** 2)) / 2, (1 + 0.1 ** ((turning / 5) ** 2)) / 2
    return upright * centred * slow * (4 + (1 - push**2)) / 5

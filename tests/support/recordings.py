"""Recorded experience of small games, as files and data sets."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

LENGTH = 5


class Corridor(gymnasium.Env):
    """Five cells; action 1 steps right, 0 left; the last cell pays 1 and ends the game, which is cut after 20 steps."""

    observation_space = Box(0, 1, (LENGTH,))
    action_space = Discrete(2)

    def reset(self, seed=None, options=None):
        self.place, self.steps = 0, 0
        return self.seen(), {}

    def seen(self):
        return np.eye(LENGTH, dtype=np.float32)[self.place]

    def step(self, action):
        self.place = max(self.place + 2 * int(action) - 1, 0)
        self.steps += 1
        over = self.place == LENGTH - 1
        return self.seen(), float(over), over, not over and self.steps == 20, {}


class Unplayable(Corridor):
    """Has spaces, and nothing else works."""

    def reset(self, seed=None, options=None):
        raise RuntimeError("the robot is asleep")


class Turning(Corridor):
    """Real-valued actions from 0 to 4."""

    action_space = Box(0, 4, (1,))

    def step(self, action):
        return super().step(action[0] > 2)


def episodes(count=12, seed=0, game=Corridor):
    """Random play: for each episode observations [T + 1], and actions, rewards, terminations and truncations [T]."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        environment = game()
        rows = [[environment.reset()[0]], [], [], [], []]
        while not (len(rows[1]) and (rows[3][-1] or rows[4][-1])):
            action = environment.action_space.low + 4 * rng.random(1) if game is Turning else rng.integers(2)
            observation, *rest, _ = environment.step(action)
            for row, value in zip(rows, (observation, action, *rest), strict=True):
                row.append(value)
        found.append([np.array(row) for row in rows])
    return found


NAMES = ("observations", "actions", "rewards", "terminations", "truncations")


def arrays(recorded):
    """The arrays of a .npz file."""
    return {name: np.concatenate([one[k] for one in recorded]) for k, name in enumerate(NAMES)}


def write(path, recorded, **changed):
    """Write a .npz file.  changed: arrays in place of others; None leaves one out."""
    found = {name: array for name, array in (arrays(recorded) | changed).items() if array is not None}
    np.savez(path, **found)
    return path

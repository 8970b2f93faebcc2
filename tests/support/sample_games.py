"""Games as a user might write them, some of which break the rules; and a way to play any games."""

import gymnasium
import numpy as np


def play(games, steps, seed=0, policy=None):
    """Timesteps of random play, or of a policy: timestep -> actions."""
    rng = np.random.default_rng(seed)
    now = games.reset(np.arange(games.batch) + seed)
    yield now
    for _ in range(steps):
        now = games.step(policy(now) if policy else (rng.random(now.legal.shape) * now.legal).argmax(1))
        yield now


class Corridor(gymnasium.Env):
    """Walk from a random cell of nine to the right end; some steps slip.  Walls are not legal to walk into."""

    observation_space = gymnasium.spaces.Box(0, 1, (9,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cell = int(self.np_random.integers(8))
        return self._seen()

    def step(self, action):
        self.cell = min(max(self.cell + (1 if action else -1), 0), 8) if self.np_random.random() > 0.1 else self.cell
        return (*self._seen()[:1], -0.1, self.cell == 8, False, self._seen()[1])

    def _seen(self):
        return np.eye(9, dtype=np.float32)[self.cell], {"action_mask": np.array([self.cell > 0, True], np.int8)}


class Stones:
    """Take one or two of seven stones; an even number left gives another move.  Taking the last one wins."""

    actions = 2
    observation_shape = (8,)

    def reset(self, seed):
        self.stones, self.player = 5 + seed % 3, 0

    def observation(self):
        return np.eye(8)[self.stones]

    def legal(self):
        return np.array([True, self.stones >= 2])

    def to_move(self):
        return self.player

    def step(self, action):
        self.stones -= action + 1
        if self.stones % 2:
            self.player = 1 - self.player
        return float(self.stones == 0), self.stones == 0


class Faulty(Corridor):
    """At the third step of a game, does what a subclass says."""

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return super().reset(seed=seed)

    def step(self, action):
        self.steps += 1
        seen, reward, terminated, truncated, info = super().step(0)
        changes = self.fault(seen) if self.steps == 3 else {}
        result = {
            "seen": seen,
            "reward": reward,
            "terminated": terminated,
            "truncated": truncated,
            "info": info,
        } | changes
        return tuple(result.values())


class Raises(Faulty):
    def fault(self, seen):
        raise ZeroDivisionError("no such cell")


class ObservesNan(Faulty):
    def fault(self, seen):
        return {"seen": seen * np.nan}


class ObservesLess(Faulty):
    def fault(self, seen):
        return {"seen": seen[:3]}


class RewardsNan(Faulty):
    def fault(self, seen):
        return {"reward": np.nan}


class AllowsNothing(Faulty):
    def fault(self, seen):
        return {"info": {"action_mask": np.zeros(2)}}


class MasksLess(Faulty):
    def fault(self, seen):
        return {"info": {"action_mask": np.ones(1)}}


class EndsTwice(Faulty):
    def fault(self, seen):
        return {"terminated": True, "truncated": True}


class HalfStones:
    """Lacks some of what a game needs."""

    actions = 2
    observation_shape = (8,)

    def reset(self, seed):
        pass

    def step(self, action):
        return 0.0, False


class Dice(Corridor):
    """Has randomness that is not in the seed."""

    length = 100

    def reset(self, *, seed=None, options=None):
        Dice.length -= 1
        self.left = Dice.length
        return super().reset(seed=seed)

    def step(self, action):
        self.left -= 1
        seen, reward, _, truncated, info = super().step(0)
        return seen, reward, self.left <= 94, truncated, info


class EndlessGame(gymnasium.Env):
    """Never ends by itself."""

    observation_space = gymnasium.spaces.Box(0, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 1.0, False, False, {}


class BreaksLate(EndlessGame):
    """Raises at the 30th step of every game."""

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return super().reset()

    def step(self, action):
        self.steps += 1
        return [super().step(action)][self.steps // 30]


class EndlessTurns:
    """Two players who move in turn for ever."""

    actions = 2
    observation_shape = (1,)

    def reset(self, seed):
        self.player = 0

    def observation(self):
        return np.zeros(1)

    def legal(self):
        return np.ones(2, bool)

    def to_move(self):
        return self.player

    def step(self, action):
        self.player = 1 - self.player
        return 0.0, False


def registered_game() -> gymnasium.Env:
    return gymnasium.make("CartPole-v1")

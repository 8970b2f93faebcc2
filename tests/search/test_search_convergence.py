"""With a perfect model a search finds what exact recursion finds: minimax in games, value iteration in processes."""

import numpy as np
import pytest

from muzero import search

B, CLEAR = 24, 0.2  # games searched side by side; how much better the best action must be to be asked for


class World:
    """B deterministic worlds as tables [B, S, A] of the next state, reward and discount; the root is state 0."""

    def __init__(self, rng, following, reward, discount):
        self.following, self.reward, self.discount = following, reward, discount
        self.logits = rng.normal(0, 0.3, following.shape).astype(np.float32)
        self.q = np.zeros(following.shape)  # of the best play from there on
        rows = np.arange(len(following))[:, None, None]
        for _ in range(100):
            self.q = reward + discount * self.q.max(axis=2)[rows, following]

    def run(self, rule, simulations, knowledge=0.0, **options):
        """knowledge: share of the exact values that the network knows."""
        rows, tables = np.arange(B), (self.reward.astype(np.float32), self.discount.astype(np.float32))
        known = (knowledge * self.q.max(axis=2)).astype(np.float32)
        state = np.zeros((B, simulations + 1), np.int64)

        def expand(parent, action, node):
            before = state[rows, parent]
            state[rows, node] = after = self.following[rows, before, action]
            reward, discount = (table[rows, before, action] for table in tables)
            return reward, discount, known[rows, after], self.logits[rows, after]

        return rule(self.logits[:, 0].copy(), known[:, 0].copy(), expand, simulations, **options)

    def assert_solved(self, result, value, tolerance):
        best = np.sort(self.q[:, 0], axis=1)
        clear = best[:, -1] - best[:, -2] > CLEAR
        assert clear.any()
        np.testing.assert_array_equal(result.action[clear], self.q[clear, 0].argmax(axis=1))
        np.testing.assert_allclose(value, best[:, -1], atol=tolerance)


def game(rng, actions=3, depth=3):
    """Trees with random results at their leaves; most moves pass the turn, some do not, and some end the game."""
    inner = sum(actions**level for level in range(depth))
    leaves = actions**depth
    states = inner + leaves + 1  # the last absorbs games that have ended, with reward 0
    following = np.full((B, states, actions), states - 1)
    following[:, :inner] = 1 + np.arange(inner * actions).reshape(inner, actions)
    reward, discount = np.zeros(following.shape), np.zeros(following.shape)
    over = rng.random((B, inner, actions)) < 0.1
    over[:, inner - leaves // actions :] = True  # the last move
    discount[:, :inner] = np.where(over, 0, rng.choice([-1, -1, -1, 1], over.shape))
    reward[:, :inner] = np.where(over, rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], over.shape), 0)
    return World(rng, following, reward, discount)


def process(rng, states=8, actions=3):
    """Random walks by choice, with rewards on the way."""
    shape = B, states, actions
    return World(rng, rng.integers(0, states, shape), rng.random(shape), rng.choice([0.4, 0.6], shape))


def worlds(seed):
    rng = np.random.default_rng(seed)
    return {"game": game(rng), "process": process(rng)}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("kind", "normalize"),
    [("game", "tree"), ("game", (-1.0, 1.0)), ("process", "tree"), ("process", (0.0, 2.5)), ("process", "siblings")],
)
def test_puct_solves_what_it_knows_nothing_of(kind, normalize, seed):
    """Not games by "siblings": small differences, scaled up, keep it from trying long enough what looks worse."""
    world = worlds(seed)[kind]
    result = world.run(search.puct, 4000, normalize=normalize, c_init=1.5)
    world.assert_solved(result, result.value, 0.2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("kind", "max_depth"), [("game", 1), ("process", None)])
def test_gumbel_keeps_to_values_that_are_right(kind, max_depth, seed):
    """It explores no more than its values call for, so they are known; its own value is the improved policy's."""
    world = worlds(seed)[kind]
    result = world.run(search.gumbel, 500, knowledge=1.0, max_depth=max_depth)
    world.assert_solved(result, (result.policy * result.q).sum(axis=1), 0.3)

"""Pictures that environments draw: they show the game that is played, and do not change it."""

import numpy as np
import pytest

from muzero.games.arcade import ArcadeGames
from muzero.games.control import ControlGames
from muzero.games.errors import EnvironmentWarning
from muzero.games.minatar import MinatarGames
from muzero.games.python import PythonGames


def played(games, steps, seed=3):
    """Observations and frames of a few random steps of one game."""
    rng, now, seen, frames = np.random.default_rng(0), games.reset(np.array([seed])), [], []
    for _ in range(steps):
        now = games.step(games.spec.actions.draw(now.legal, rng))
        seen.append((now.observation.copy(), now.reward.copy(), now.last.copy()))
        frames.append(games.frame(0))
    games.close()
    return seen, frames


def same(one, other):
    return all(
        np.array_equal(a, b) for left, right in zip(one, other, strict=True) for a, b in zip(left, right, strict=True)
    )


def test_frames_of_gymnasium_have_no_effect_on_the_game():
    pytest.importorskip("pygame")
    seen, frames = played(ControlGames("CartPole-v1", 1, False, True), 30)
    plain, none = played(ControlGames("CartPole-v1", 1, False), 30)
    assert same(seen, plain) and none == [None] * 30
    assert all(frame.shape == (400, 600, 3) and frame.dtype == np.uint8 for frame in frames)
    assert not np.array_equal(frames[0], frames[-1])


@pytest.mark.parametrize("sticky", [0.0, 0.25])
def test_the_screen_of_an_atari_game_is_that_of_the_game_that_is_played(sticky):
    """Shrunk and grey, it is the frame that the agent sees: far nearer to it than to that of 2 steps before."""
    pytest.importorskip("ale_py")
    image = pytest.importorskip("PIL.Image")
    settings = {"sticky": sticky, "size": 84, "max_frames": 200, "stack": 4}
    seen, frames = played(ArcadeGames("pong", 1, False, True, **settings), 120)
    plain, _ = played(ArcadeGames("pong", 1, False, **settings), 120)
    assert same(seen, plain)
    now, before = [], []
    for (observation, _, _), frame in zip(seen, frames, strict=True):
        assert frame.shape == (210, 160, 3)
        grey = np.asarray(image.fromarray(frame).convert("L").resize((84, 84), image.Resampling.BOX), np.float64)
        now.append(np.abs(grey - observation[0, -1]).mean())
        before.append(np.abs(grey - observation[0, -3]).mean())
    assert sum(last[0] for _, _, last in seen) >= 2  # the games end and begin again together
    assert np.mean(now) < 0.7 * np.mean(before)


def test_channels_of_minatar_have_colours():
    pytest.importorskip("minatar")
    games = MinatarGames("freeway", 1, False, stack=3)
    channels = games.spec.observation[0] // 3
    now = games.reset(np.array([0]))
    newest = now.observation[0, -channels:]
    assert np.array_equal(games.frame(0).any(-1), newest.any(0))
    assert games.spec.actions.names == ("noop", "up", "down")


def test_an_own_class_draws_if_it_says_so(tmp_path, monkeypatch):
    (tmp_path / "drawing.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    games = PythonGames("drawing:Drawing", 1, False, True)
    games.reset(np.array([0]))
    assert games.frame(0).shape == (4, 5, 3)
    assert PythonGames("drawing:Drawing", 1, False).frame(0) is None
    broken = PythonGames("drawing:Broken", 1, False, True)
    broken.reset(np.array([0]))
    with pytest.warns(EnvironmentWarning, match=r"cannot be drawn: .*float64 of shape \(4, 5\)"):
        assert broken.frame(0) is None
    assert broken.frame(0) is None and not broken.faults


OWN = """
import gymnasium
import numpy as np


class Drawing(gymnasium.Env):
    metadata = {"render_modes": ["human", "rgb_array"]}
    observation_space = gymnasium.spaces.Box(-1, 1, (2,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        return np.zeros(2, np.float32), 0.0, False, False, {}

    def render(self):
        return np.zeros((4, 5, 3), np.uint8)


class Broken(Drawing):
    def render(self):
        return np.zeros((4, 5))
"""

"""Atari and MinAtar: lives, limits, rewards, and what their packages do unasked."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from sample_games import play

from muzero.games import arcade, minatar
from muzero.games.errors import UnknownGame

# --- MinAtar ----------------------------------------------------------------------------------------------------------


def test_minatar_offers_only_actions_that_have_an_effect():
    assert minatar.MinatarGames("breakout", 1, False).spec.actions.columns == 3
    assert [minatar.MinatarGames(name, 1, False).spec.observation[0] for name in minatar.names()] == [4, 4, 7, 10, 6]


def test_minatar_games_are_cut_short_at_the_limit():
    games = minatar.MinatarGames("freeway", 1, False, max_steps=9)
    *_, last = play(games, 9)
    assert last.truncated.all() and last.discount == np.float32(0.997) and games.spec.max_steps == 9


def test_minatar_stacks_the_last_frames_of_the_game_itself():
    single, stacked = (minatar.MinatarGames("breakout", 2, False, stack=stack) for stack in (1, 3))
    assert stacked.spec.observation == (12, 10, 10)
    seen, ended = [], 0
    rng = np.random.default_rng(0)
    for step in range(200):
        action = rng.integers(3, size=2)
        one, three = (
            games.reset(np.arange(2)) if step == 0 else games.step(action.copy()) for games in (single, stacked)
        )
        seen.append(one.observation)
        ended += one.first.sum()
        for slot in range(2):
            if one.first[slot]:
                for frame in seen[:-1]:
                    frame[slot] = 0  # of the game before
            empty = np.zeros((2, 4, 10, 10), np.float32)
            last = [frame[slot] for frame in [empty, empty, *seen][-3:]]
            np.testing.assert_array_equal(three.observation[slot], np.concatenate(last))
    assert ended > 6


def test_minatar_is_imported_silently_and_without_plotting_packages(monkeypatch, caplog):
    for module in [name for name in sys.modules if name.split(".")[0] in ("minatar", "matplotlib", "seaborn")]:
        monkeypatch.delitem(sys.modules, module)
    assert minatar.MinatarGames("asterix", 1, False).reset(np.array([1])).first.all()
    assert not {"matplotlib", "seaborn"} & set(sys.modules)
    assert not caplog.records


# --- Atari ------------------------------------------------------------------------------------------------------------


def test_rewards_are_clipped_in_training_only():
    def rewards(training):
        shown = play(arcade.ArcadeGames("alien", 2, training), 40)
        return {float(reward) for now in shown for reward in now.reward}

    assert rewards(True) == {0, 1}
    assert rewards(False) == {0, 10}


def test_a_lost_life_ends_a_training_game_but_not_the_game_itself():
    games = arcade.ArcadeGames("breakout", 1, True, noops=0)
    begun = [now for now in play(games, 150) if now.first[0]]
    assert len(begun) >= 4  # five lives last longer than this
    oldest = [now.observation[0, 0].any() for now in begun]
    assert oldest == [False] + [True] * (len(begun) - 1)  # frames before the first are black only in a new game
    assert not any(now.last[0] for now in play(arcade.ArcadeGames("breakout", 1, False, noops=0), 100))


def test_atari_games_are_cut_short_at_the_limit():
    games = arcade.ArcadeGames("pong", 2, False, max_frames=41, noops=0)
    shown = list(play(games, 12))
    assert games.spec.max_steps == 11
    assert [now.truncated.all() for now in shown] == [False] * 11 + [True, False]
    assert shown[11].discount[0] == np.float32(0.988) and shown[12].first.all()


class FakeEmulator:
    """Loses a life at step 2, and ends the game in the step after, which begins the next training game."""

    def __init__(self):
        self.steps = 0

    def step(self, actions):
        self.steps += 1
        self.actions = actions
        ended = np.array([self.steps in (2, 3)])
        return np.full((1, 4, 96, 96), self.steps, np.uint8), np.array([5]), ended, np.array([False]), {}


def test_a_game_that_ends_while_it_begins_is_shown_before_it_ends():
    games = arcade.ArcadeGames("pong", 1, True)
    games.reset(np.array([0]))
    games._environment = FakeEmulator()
    shown, actions = [], []
    for _ in range(5):
        shown.append(games.step(np.array([3])))
        actions.append(int(games._environment.actions[0]))
    assert [now.first[0] for now in shown] == [False, False, True, False, True]
    assert [now.last[0] for now in shown] == [False, True, False, True, False]
    assert [float(now.reward[0]) for now in shown] == [5, 5, 0, 5, 0]
    assert actions == [3, 3, 0, 3, 0]


def test_a_rom_without_a_single_player_mode_is_refused():
    with pytest.raises(UnknownGame, match="no single-player mode"):
        arcade.ArcadeGames("combat", 1, False)
    assert "combat" not in arcade.names() and "pong" in arcade.names()


@pytest.mark.slow
@pytest.mark.parametrize("name", arcade.names() if find_spec("ale_py") else [])
def test_every_rom_plays_a_hundred_steps(name):
    games = arcade.ArcadeGames(name, 2, True, size=42)
    shown = list(play(games, 100))
    games.close()
    assert len(shown) == 101 and games.faults == 0
    assert all(np.isfinite(now.reward).all() and (np.abs(now.reward) <= 1).all() for now in shown)
    assert len({now.observation.tobytes() for now in shown}) > 20  # the game moves


def test_sticky_actions_repeat_the_action_before():
    def frames(sticky, action):
        games = arcade.ArcadeGames("pong", 1, False, sticky=sticky, noops=0)
        games.reset(np.array([0]))
        return [games.step(np.array([action])).observation.tobytes() for _ in range(40)]

    assert frames(1.0, 2) == frames(1.0, 3) == frames(0.0, 0)  # nothing is before the first action
    assert frames(0.0, 2) != frames(0.0, 3)

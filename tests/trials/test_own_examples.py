"""The examples of own games: they conform, their rules are right, and suitable settings are chosen for them."""

import sys
from pathlib import Path

import numpy as np
import pytest

from muzero import build
from muzero.games.python import PythonGames
from muzero.trials.conformance import check

FOLDER = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture(autouse=True)
def there(monkeypatch):
    """The folder of the examples as the current one."""
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    yield
    for name in ("dict_environment", "two_players", "own_environment"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", ["dict_environment:Robot", "two_players:Drop", "own_environment:Courier"])
def test_nothing_is_wrong_with_an_example(name):
    found = list(check(lambda batch: PythonGames(name, batch, True), lambda spec: None, 60))
    assert [outcome.state for outcome in found] == ["ok"] * len(found), found


def test_a_game_of_two_players_gets_the_network_of_boards_and_the_range_of_a_win():
    config = build.configure("python/two_players:Drop", [], probed=True)
    model = config.table("model")
    assert config.kind("model") == "spatial" and config.table("game")["discount"] == 1.0
    assert (model["value_limit"], model["reward_limit"], model["channels"]) == (2.0, 2.0, 32)


def test_named_parts_become_one_row():
    config = build.configure("python/dict_environment:Robot", [], probed=True)
    assert config.kind("model") == "vector" and build.spec(config).observation == (13,)
    assert config.note("model", "kind") == "observations are rows of numbers: 13"


@pytest.mark.parametrize(
    ("moves", "won"),
    [("acbd", False), ("ababa", True), ("adbdc", True), ("abbcdcc", True), ("dccbabb", True), ("abcd", False)],
)
def test_three_in_a_row_win_in_every_direction(moves, won):
    from two_players import Drop

    game = Drop()
    game.reset(0)
    found = [game.step("abcd".index(move)) for move in moves]
    assert found[-1] == (float(won), won) and all(pair == (0.0, False) for pair in found[:-1])


def test_a_full_board_without_a_row_is_a_draw_and_a_clone_is_independent():
    from two_players import Drop

    game = Drop()
    game.reset(0)
    game.board[:] = [[1, 1, -1, -1], [-1, -1, 1, 1], [1, 1, -1, -1], [-1, -1, 1, 0]]
    copied = game.clone()
    assert game.step(3) == (0.0, True) and not game.legal().any()
    assert copied.legal().tolist() == [False, False, False, True] and str(copied).startswith("oox.\nxxoo")


def test_a_robot_without_power_is_lost_and_the_lamp_fills_it():
    from dict_environment import CORNERS, Robot

    robot = Robot(power=2)
    robot.reset(seed=0)
    robot.place = np.array([1, 0])
    robot.lamp = 0
    for _ in range(100):  # one step in ten slips
        seen, reward, lost, _, _ = robot.step(3)
        if reward or lost:
            break
    assert (reward == 1.0 and seen["power"] == 1.0 and seen["lamp"] != 0) or lost
    assert robot.observation_space.contains(seen) and len(CORNERS) == 4

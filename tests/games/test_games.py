"""What the sources of games share: names, extras, seeds, restoring."""

import sys

import numpy as np
import pytest
from sample_games import play

from muzero.games import arcade, board, control, minatar, python
from muzero.games.errors import UnknownGame
from muzero.interfaces import EnvironmentFault
from muzero.util.extras import MissingExtra
from muzero.util.seeds import derive_short

# --- names and extras -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "name", "nearest"),
    [
        (board.BoardGames, "tic_tac_to", "board/tic_tac_toe"),
        (control.ControlGames, "Cartpole-v1", "gym/CartPole-v1"),
        (control.ControlGames, "CartPole-v9", "gym/CartPole-v0, gym/CartPole-v1"),
        (minatar.MinatarGames, "brekout", "minatar/breakout"),
        (arcade.ArcadeGames, "pnog", "atari/pong"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(source, name, nearest):
    with pytest.raises(UnknownGame, match=f"/{name}' is not known; nearest: {nearest}"):
        source(name, 1, False)


@pytest.mark.parametrize(
    ("source", "name", "module", "message"),
    [
        (board.BoardGames, "go", "pyspiel", 'board/go needs open_spiel: pip install "muzero\\[board\\]"'),
        (
            minatar.MinatarGames,
            "breakout",
            "minatar",
            'minatar/breakout needs minatar: pip install "muzero\\[minatar\\]"',
        ),
        (arcade.ArcadeGames, "pong", "ale_py", 'atari/pong needs ale-py: pip install "muzero\\[atari\\]"'),
    ],
)
def test_a_missing_package_is_answered_with_the_extra_that_brings_it(monkeypatch, source, name, module, message):
    for loaded in [loaded for loaded in sys.modules if loaded.split(".")[0] == module]:
        monkeypatch.setitem(sys.modules, loaded, None)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=message):
        source(name, 1, False)


# --- seeds and restoring ----------------------------------------------------------------------------------------------


def test_seeds_of_games_differ_over_slots_and_games_and_fit_31_bits():
    seeds = {derive_short(slot, "game", game) for slot in range(-50, 50) for game in range(100)}
    assert len(seeds) == 10_000 and min(seeds) >= 0 and max(seeds) < 2**31


def test_games_of_one_slot_differ():
    games = control.ControlGames("CartPole-v1", 1, False, max_steps=1)
    assert len({now.observation.tobytes() for now in play(games, 9) if now.first[0]}) == 5


def test_a_state_of_another_batch_is_refused():
    games = board.BoardGames("tic_tac_toe", 2, True)
    games.reset(np.arange(2))
    with pytest.raises(ValueError, match="board/tic_tac_toe: the state has 2 games, expected 3"):
        board.BoardGames("tic_tac_toe", 3, True).restore(games.state())


def test_a_game_with_randomness_of_its_own_cannot_be_restored_and_says_so():
    games = python.PythonGames("sample_games:Dice", 1, True)
    games.reset(np.array([1]))
    for _ in range(5):
        games.step(np.ones(1, int))
    with pytest.raises(EnvironmentFault, match="played again, the game ends earlier"):
        games.restore(games.state())

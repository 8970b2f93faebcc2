"""Evaluation by the run itself: what is closed, what is watched, and how it ends."""

import numpy as np
import pytest

from muzero import build
from muzero.config import parse_settings
from muzero.evaluation import in_training
from muzero.evaluation.in_training import evaluate, played
from muzero.games import batched
from muzero.interfaces import EnvironmentFault, MemorylessPlayer, Moves, PlayerError
from muzero.players.uniform import RandomPlayer


class Opponent(MemorylessPlayer):
    """Counts how often it is closed; may fail at a move."""

    title = "opponent"

    def __init__(self, error=None):
        self.error, self.closed = error, 0

    def choose(self, positions):
        if self.error is not None:
            raise self.error
        return Moves(positions.legal.argmax(1), np.zeros(len(positions.legal), np.float32))

    def close(self):
        self.closed += 1


@pytest.fixture
def opponent(monkeypatch):
    pytest.importorskip("pyspiel")
    monkeypatch.setattr(in_training.registry, "player", lambda name: current[0])
    current = [Opponent()]
    return current


def made(game, *words):
    small = ["model.width=8", "model.hidden=8", "planner.simulations=2", "planner.inference=torch", *words]
    config = build.configure(game, [parse_settings(small)])
    return config, build.model(config, build.spec(config))


@pytest.mark.parametrize("error", [None, PlayerError("no move"), KeyboardInterrupt(), OSError("no pipe")])
def test_an_opponent_is_closed_however_its_evaluation_ends(opponent, error):
    opponent[0] = Opponent(error)
    if error is None:
        evaluate(*made("board/tic_tac_toe"), 2)
    else:
        with pytest.raises(type(error)):
            evaluate(*made("board/tic_tac_toe"), 2)
    assert opponent[0].closed == 1


def test_an_opponent_is_closed_where_a_watcher_ends_the_evaluation(opponent):
    def stop(title, games, finished):
        raise InterruptedError(f"{title}: {finished} of {games}")

    with pytest.raises(InterruptedError, match="against random: 0 of 2"):
        evaluate(*made("board/tic_tac_toe"), 2, watch=stop)
    assert opponent[0].closed == 1


def test_what_watches_sees_all_games_of_both_players_in_batches():
    seen = []
    config, model = made("gym/CartPole-v1", "game.max_steps=3")
    evaluate(config, model, 4, baseline=True, watch=lambda *now: seen.append(now))
    assert seen == [(title, 4, finished) for title in ("trained", "random") for finished in (0, 0, 4)]
    counts = []
    played(config, RandomPlayer(), None, range(5), 0, batch=2, watch=lambda finished: counts.append(len(finished)))
    assert counts == [0, 0, 2, 2, 2, 4, 4, 4, 5]


@pytest.mark.parametrize("name", ["EndlessGame", "EndlessTurns"])
def test_an_evaluation_of_games_without_an_end_ends(monkeypatch, name):
    monkeypatch.setattr(batched, "MAX_STEPS", 20)
    results = evaluate(*made(f"python/sample_games:{name}"), 3)
    (outcomes,) = results.games.values()
    assert [outcome.steps for outcome in outcomes] == [20] * 3


def test_an_evaluation_in_which_every_game_breaks_ends_with_the_fault():
    with pytest.raises(EnvironmentFault, match="21 games in a row broke before their end"):
        evaluate(*made("python/sample_games:BreaksLate"), 3)

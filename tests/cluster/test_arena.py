"""Matches in processes of Ray: the same games as in this one, whatever happens to the processes."""

import pytest

from muzero import build
from muzero.cluster import session as sessions
from muzero.cluster.arena import RayArena
from muzero.evaluation.arena import LocalArena, Match, chunked
from muzero.interfaces import PlayerError


@pytest.fixture(scope="module")
def arena(orders):
    session = sessions.Session("", 2, 0, 100 << 20)
    made = RayArena(2, session=session)
    yield made
    made.close()
    session.close()


def match(game, player, opponent, openings=(0, 0)):
    config = build.configure(game, []).to_toml()
    return Match(config=config, player=player, opponent=opponent, seed=3, openings=openings)


def played(arena, match, count, batch):
    return [outcome for part in arena.play(match, chunked(0, count, batch)) for outcome in part.outcomes]


def test_games_on_ray_are_those_of_this_process(arena):
    pytest.importorskip("pyspiel")
    fight = match("board/connect_four", "mcts:5", "random", (2, 4))
    assert played(arena, fight, 30, 4) == played(LocalArena(), fight, 30, 30)


def test_games_of_a_process_that_died_are_played_again_and_are_the_same(arena, orders):
    alone = match("python/cluster_games:Asked", "random", None)
    expected = played(arena, alone, 12, 2)
    (orders / "die").touch()
    assert played(arena, alone, 12, 2) == expected
    assert not (orders / "die").exists()


def test_what_a_player_says_in_another_process_arrives_as_it_is(arena):
    pytest.importorskip("pyspiel")
    with pytest.raises(PlayerError, match=r"^minimax plays games whose rules it can consult"):
        played(arena, match("python/cluster_games:Asked", "minimax", None), 2, 2)

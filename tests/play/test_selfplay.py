"""Self-play against a corridor whose every step is known."""

from dataclasses import replace

import numpy as np
import pytest
from chain import DISCOUNT, ChainGames, ChainModel

from muzero.data.replay import Replay
from muzero.interfaces import WindowSize
from muzero.planners.reactive import ReactivePlanner
from muzero.planners.tree import GumbelPlanner
from muzero.play.selfplay import SelfPlay

STEP = ("action", "reward", "discount")  # columns that a row without a step does not have


def actor(batch=2, cells=4, limit=100, seed=0, planner=None, incarnation=0, **settings):
    games = ChainGames(batch, cells, limit)
    planner = planner or ReactivePlanner()
    return SelfPlay(games, ChainModel(cells), planner, seed, 0, incarnation, **settings)


def segments_of(player, steps):
    return player.play(steps).segments


def test_every_step_of_a_game_is_in_its_segments_once_and_in_order():
    player = actor(segment_steps=3)
    by_game = {}
    for segment in segments_of(player, 200):
        by_game.setdefault(segment.id.game, []).append(segment)
    finished = 0
    for parts in by_game.values():
        assert [part.id.sequence for part in parts] == list(range(len(parts)))
        cells = np.concatenate([part.columns["observation"].argmax(1) for part in parts])
        actions = np.concatenate([part.columns["action"] for part in parts])
        assert cells[0] == 0
        assert (cells[1:] == np.clip(cells[:-1] + 2 * actions[:-1] - 1, 0, None)).all()
        steps = {name: np.concatenate([part.columns[name][: part.steps] for part in parts]) for name in STEP}
        if steps["discount"][-1] == 0:
            finished += 1
            assert cells[-2:].tolist() == [2, 3] and steps["action"][-1] == 1 and steps["reward"][-1] == 1
    assert finished > 5


def test_a_game_that_is_over_ends_with_its_last_position_which_has_no_plan():
    segments = segments_of(actor(planner=GumbelPlanner(simulations=8)), 60)
    assert segments
    for segment in segments:
        assert segment.tail
        discount, reward = (segment.columns[name][: segment.steps] for name in ("discount", "reward"))
        assert discount[-1] == 0 and reward[-1] == 1
        assert segment.columns["observation"][-1].argmax() == 3
        assert not segment.columns["policy"][-1].any() and segment.columns["value"][-1] == 0
        assert discount[:-1] == pytest.approx(DISCOUNT) and (reward[:-1] == 0).all()


def test_a_game_cut_short_ends_with_the_position_it_stopped_in():
    player = actor(cells=30, limit=5)
    segments = segments_of(player, 30)
    assert segments
    for segment in segments:
        assert segment.tail and len(segment) == 6 and segment.steps == 5
        last, before = segment.columns["observation"].argmax(1)[-1], segment.columns["observation"].argmax(1)[-2]
        assert last == max(before + 2 * segment.columns["action"][-2] - 1, 0)


def test_a_game_cut_at_the_length_of_a_segment_keeps_its_last_position():
    segments = segments_of(actor(batch=1, cells=30, limit=5, segment_steps=5), 6)
    assert [(len(s), s.tail, s.id.sequence) for s in segments] == [(5, False, 0), (1, True, 1)]


def test_the_share_of_random_actions_is_as_asked_and_marked():
    games = ChainGames(8, 6)
    player = SelfPlay(games, ChainModel(6), GumbelPlanner(simulations=32), 0, random_actions=0.3)
    segments = segments_of(player, 300)
    random = ~np.concatenate([segment.columns["planned"][: segment.steps] for segment in segments])
    assert random.mean() == pytest.approx(0.3, abs=0.04)
    left = np.concatenate([segment.columns["action"][: segment.steps] for segment in segments]) == 0
    assert left[random].mean() == pytest.approx(0.5, abs=0.08)
    assert left[~random].mean() < 0.2  # planned moves go right


class Counting(GumbelPlanner):
    """Writes the number of its simulations into the value of every position."""

    def plan(self, *positional, **named):
        decision, carry = super().plan(*positional, **named)
        return replace(decision, value=np.full_like(decision.value, self.simulations)), carry


def playing_cheaply(**settings):
    return actor(batch=4, planner=Counting(simulations=16), **{"full_searches": 0.3, "cheap_simulations": 4} | settings)


def test_the_share_of_full_searches_is_as_asked_and_only_they_teach_the_policy():
    segments = segments_of(playing_cheaply(), 600)
    rows = {name: np.concatenate([s.columns[name][: s.steps] for s in segments]) for name in segments[0].columns}
    assert set(rows["value"].tolist()) == {4.0, 16.0}
    np.testing.assert_array_equal(rows["taught"], rows["value"] == 16)
    assert rows["taught"].mean() == pytest.approx(0.3, abs=0.06)
    assert (rows["policy"].sum(1) > 0.99).all() and rows["planned"].all()  # cheap searches choose their actions, too
    assert not any(s.columns["taught"][-1] for s in segments if s.columns["discount"][s.steps - 1] == 0)


def test_all_searches_are_full_unless_asked_otherwise():
    for segment in segments_of(actor(planner=GumbelPlanner(simulations=8)), 60):
        np.testing.assert_array_equal(segment.columns["taught"], segment.columns["policy"].any(1))
        assert segment.columns["taught"][: segment.steps].all()


def test_an_actor_restored_between_cheap_and_full_searches_plays_on_as_the_saved_one():
    player = playing_cheaply(segment_steps=50)
    player.play(23)
    arrays, values = player.state()
    arrays = {name: array.copy() for name, array in arrays.items()}
    twin = playing_cheaply(segment_steps=50, seed=99)
    twin.restore(arrays, values)
    for left, right in zip(segments_of(player, 60), segments_of(twin, 60), strict=True):
        assert left.id == right.id
        for name in left.columns:
            np.testing.assert_array_equal(left.columns[name], right.columns[name])


def test_a_cheap_search_has_at_most_the_simulations_of_the_planner():
    segments = segments_of(playing_cheaply(cheap_simulations=100), 60)
    assert {value for s in segments for value in s.columns["value"][: s.steps].tolist()} == {16.0}
    assert {bool(taught) for s in segments for taught in s.columns["taught"][: s.steps]} == {False, True}


def test_a_planner_that_does_not_simulate_is_as_cheap_as_it_can_be():
    player = actor(planner=ReactivePlanner(), full_searches=0.5)
    assert player.cheap_planner is player.planner
    assert player.play(20).segments


def test_a_state_from_before_searches_could_be_cheap_is_restored():
    player = actor(planner=GumbelPlanner(simulations=8), segment_steps=50)
    player.play(20)
    arrays, values = player.state()
    now = {name: array.copy() for name, array in arrays.items()}
    twin = actor(planner=GumbelPlanner(simulations=8), segment_steps=50, seed=99)
    assert twin.restore({name: array for name, array in now.items() if name != "rows.taught"}, values)
    assert now["rows.taught"].any()
    np.testing.assert_array_equal(twin.state()[0]["rows.taught"], now["rows.taught"])


def test_scores_and_lengths_of_games_are_reported():
    player = actor(planner=GumbelPlanner(simulations=32))
    episodes = player.play(40).episodes
    assert episodes and all(e.score == 1 for e in episodes) and min(e.steps for e in episodes) >= 3


def test_the_same_seed_plays_the_same_games_and_another_incarnation_others():
    def actions(**settings):
        return [s.columns["action"].tolist() for s in segments_of(actor(**settings), 50)]

    assert actions(seed=3) == actions(seed=3)
    assert actions(seed=3) != actions(seed=4)
    assert actions(seed=3) != actions(seed=3, incarnation=1)


def test_a_restored_actor_plays_on_as_the_saved_one():
    player = actor(segment_steps=7)
    player.play(23)
    arrays, values = player.state()
    arrays = {name: array.copy() for name, array in arrays.items()}
    twin = actor(segment_steps=7, seed=99)
    twin.restore(arrays, values)
    for left, right in zip(segments_of(player, 40), segments_of(twin, 40), strict=True):
        assert left.id == right.id
        for name in left.columns:
            np.testing.assert_array_equal(left.columns[name], right.columns[name])


def test_a_state_from_before_the_mask_was_turned_around_is_restored():
    def saved(player):
        return {name: array.copy() for name, array in player.state()[0].items()}

    player = actor(batch=3, segment_steps=50, random_actions=0.5)
    player.play(20)
    now, values = saved(player), player.state()[1]
    before = {name: array for name, array in now.items() if name != "rows.planned"}
    before["rows.random"] = ~now["rows.planned"]
    twin = actor(batch=3, segment_steps=50, seed=99, random_actions=0.5)
    assert twin.restore(before, values)
    assert 0 < now["rows.planned"].sum() < now["rows.planned"].size
    for name, array in saved(twin).items():
        np.testing.assert_array_equal(array, now[name])


def test_games_of_another_scheme_of_seeds_are_not_brought_back():
    player = actor(segment_steps=7)
    player.play(5)
    arrays, values = player.state()
    del values["seeds"]  # as before schemes were numbered
    twin = actor(segment_steps=7)
    assert not twin.restore(arrays, values) and twin.incarnation == 1 and twin.timestep.first.all()


def test_games_that_cannot_be_restored_begin_under_a_new_incarnation():
    player = actor(segment_steps=7)
    player.play(5)
    arrays, values = player.state()
    without = {name: array for name, array in arrays.items() if not name.startswith("games.")}
    twin = actor(segment_steps=7)
    twin.restore(without, values)
    assert twin.incarnation == 1 and twin.filled.sum() == 0 and twin.timestep.first.all()


def test_what_is_played_can_be_learned_from_at_once():
    player = actor(batch=3, segment_steps=4, limit=9)
    replay = Replay(player.games.spec, 0, capacity=1000)
    for segment in segments_of(player, 100):
        assert replay.add(segment)
    _, window = replay.sample(256, WindowSize(6, 6))
    cells = window.observation.argmax(-1)
    real = (window.known & ~window.over)[:, 1:6] & window.known[:, 1:6]
    moved = (cells[:, :5] + 2 * window.action[:, :5] - 1).clamp(min=0)
    assert (moved == cells[:, 1:])[real].all()

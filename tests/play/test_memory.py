"""What models and planners remember from move to move: the same in self-play, in matches and in sessions."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from remembering import Levers, RememberingModel, WarmPlanner

from muzero import build
from muzero.agent import Agent
from muzero.config import ConfigError, parse_settings
from muzero.inference import simulation
from muzero.interfaces import Games, Positions
from muzero.play.match import play
from muzero.play.selfplay import SelfPlay
from muzero.players.planning import SIZES, PlanningPlayer, searched
from muzero.util.seeds import derive_short

SEEDS = np.array([11, 5, 8, 2, 7])
CASES = {
    "gym/Pendulum-v1": lambda: gymnasium.make("Pendulum-v1", max_episode_steps=6),
    "python/remembering:Levers": Levers,
}


class Recorded(Games):
    """Games of fixed seeds; notes what was shown and chosen in each slot, game by game."""

    def __init__(self, games, seeds):
        self.games, self.seeds = games, seeds
        self.spec, self.batch = games.spec, games.batch

    def reset(self, seeds):
        self.courses = [[] for _ in range(self.batch)]  # of each slot, lists of (observation, action)
        self.now = self.games.reset(self.seeds)
        return self.now

    def step(self, actions):
        for slot, last in enumerate(self.now.last & ~self.now.first):
            if self.now.first[slot]:
                self.courses[slot].append([])
            if not last:
                self.courses[slot][-1].append((self.now.observation[slot].tolist(), actions[slot].tolist()))
        self.now = self.games.step(actions)
        return self.now

    def state(self):
        return self.games.state()

    def restore(self, state):
        self.courses = [[[]] for _ in range(self.batch)]
        self.now = self.games.restore(state)
        return self.now


@pytest.fixture(params=CASES)
def game(request):
    return request.param


def configured(game):
    words = ["planner.kind=reactive", "game.max_steps=6"] if "Pendulum" in game else ["planner.kind=reactive"]
    return build.configure(game, [parse_settings(words)])


def recorded(game, seeds=SEEDS):
    return Recorded(build.games(configured(game), len(seeds), training=False), np.asarray(seeds))


def selfplay(games, seed=0):
    return SelfPlay(games, RememberingModel(games.spec), WarmPlanner(), seed, segment_steps=4)


def player(spec):
    return PlanningPlayer(RememberingModel(spec), WarmPlanner())


def first_games(courses):
    return [games[0] for games in courses]


def match(game, seeds=SEEDS):
    """Outcomes and courses of one game of each seed."""
    games = recorded(game, seeds)
    outcomes = play(games, player(games.spec), None, range(len(seeds)), 0)
    return outcomes, first_games(games.courses)


def test_a_match_plays_as_self_play_does(game):
    games = recorded(game)
    selfplay(games).play(20)
    outcomes, courses = match(game)
    assert courses == first_games(games.courses)
    assert [outcome.steps for outcome in outcomes] == [len(course) for course in courses]


def test_a_session_plays_as_self_play_does_game_after_game(game):
    games = recorded(game)
    selfplay(games).play(20)
    agent = Agent(configured(game), games.games, player(games.spec), 0, None)
    session, environments = agent.session(len(SEEDS)), [CASES[game]() for _ in SEEDS]
    begun, over = np.zeros(len(SEEDS), int), np.ones(len(SEEDS), bool)
    observation, courses = [None] * len(SEEDS), [[] for _ in SEEDS]
    for _ in range(12):
        first = over.copy()
        begun += first
        for slot in np.flatnonzero(first):
            seed = derive_short(SEEDS[slot], "game", begun[slot])
            observation[slot], _ = environments[slot].reset(seed=seed)
            courses[slot].append([])
        chosen = session.act(np.stack(observation), first=first)
        for slot, action in enumerate(chosen):
            courses[slot][-1].append((observation[slot].tolist(), action.tolist()))
            observation[slot], _, terminated, truncated, _ = environments[slot].step(action)
            over[slot] = terminated or truncated
    assert min(begun) > 1
    for found, expected in zip(courses, games.courses, strict=True):
        native = [[(seen, games.games.native(action).tolist()) for seen, action in course] for course in expected]
        assert found[0] == native[0] and found[1] == native[1][: len(found[1])] and found[1]


def test_a_game_is_the_same_alone_and_beside_others(game):
    outcomes, courses = match(game)
    for number, seed in enumerate(SEEDS):
        (alone,), course = match(game, [seed])
        assert course == [courses[number]] and alone.score == outcomes[number].score
    backwards, turned = match(game, SEEDS[::-1])
    assert turned[::-1] == courses and [o.score for o in backwards[::-1]] == [o.score for o in outcomes]


def test_what_is_remembered_decides_the_moves(game):
    """Otherwise the other tests would say nothing."""

    class Forgets(PlanningPlayer):
        def act(self, positions, memory):
            moves, _ = super().act(positions, memory)
            return moves, memory

    games = recorded(game)
    play(games, Forgets(RememberingModel(games.spec), WarmPlanner()), None, range(len(SEEDS)), 0)
    assert first_games(games.courses) != match(game)[1]


def test_a_saved_and_restored_self_play_continues_bit_for_bit(game):
    whole = selfplay(recorded(game))
    whole.play(9)
    arrays, values = whole.state()
    arrays = {name: array.copy() for name, array in arrays.items()}
    saved = {name for name in arrays if name.startswith(("carry.", "memory."))}
    assert saved == {"carry.level", "carry.moves", "memory.mixture"}  # and not the rest of the latent
    twin = selfplay(recorded(game), seed=99)
    assert twin.restore(arrays, values)
    left, right = whole.play(15).segments, twin.play(15).segments
    assert len(left) == len(right) > 5
    for one, other in zip(left, right, strict=True):
        assert one.id == other.id
        for name in one.columns:
            np.testing.assert_array_equal(one.columns[name], other.columns[name])


@pytest.mark.parametrize("part", ["memory.mixture", "carry.level"])
@pytest.mark.parametrize(
    "change", [None, lambda a: a[:1], lambda a: a[:, None], lambda a: a.astype(np.int8)], ids=range(4)
)
def test_what_cannot_have_been_remembered_is_refused(game, part, change):
    twin = selfplay(recorded(game))
    twin.play(3)
    arrays, values = twin.state()
    forged = {name: array for name, array in arrays.items() if name != part}
    if change is not None:
        forged[part] = change(arrays[part])
    kind, name = part.split(".")
    with pytest.raises(ValueError, match=rf"{kind}.*{name}"):
        twin.restore(forged, values)
    assert twin.restore(arrays, values)


def test_searches_have_a_few_sizes_that_hold_all_positions():
    sizes = {searched(count, 100) for count in range(1, 101)}
    assert sizes == {100, 50, 25, 13, 7, 4}
    for batch in range(1, 70):
        assert all(count <= searched(count, batch) <= batch for count in range(1, batch + 1))
        assert searched(batch, batch) == batch


def test_the_searches_of_a_match_have_these_sizes(game):
    sizes = []

    class Counted(WarmPlanner):
        def plan(self, model, root, legal, carry, first, rng, explore):
            sizes.append(len(legal))
            return super().plan(model, root, legal, carry, first, rng, explore)

    games = recorded(game)
    play(games, PlanningPlayer(RememberingModel(games.spec), Counted()), None, range(len(SEEDS)), 0)
    ends = [len(course) for course in first_games(games.courses)]
    assert sizes == [searched(sum(end > step for end in ends), len(SEEDS)) for step in range(max(ends))]


def test_rows_do_not_depend_on_what_fills_a_search():
    config = build.configure("gym/CartPole-v1", [parse_settings(["model.width=16", "model.hidden=16"])])
    spec = build.spec(config)
    trained = PlanningPlayer(build.model(config, spec, seed=3), build.planner(config))
    seen = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    every = Positions.alone(spec.actions, seen, np.ones((8, 2), bool))

    def moves(*rows):
        rows = list(rows)
        some = {
            name: getattr(every, name)[rows] for name in ("observation", "legal", "seed", "first", "action", "slots")
        }
        return trained.act(replace(every, **some), trained.start(8))[0]

    padded = moves(5, 2, 6)  # four rows are searched, as here:
    for fourth in (0, 1, 7):
        filled = moves(5, 2, 6, fourth)
        np.testing.assert_array_equal(padded.action, filled.action[:3])
        np.testing.assert_array_equal(padded.value, filled.value[:3])


def test_a_failed_call_leaves_a_session_as_it_was(game):
    games = recorded(game)
    agent = Agent(configured(game), games.games, player(games.spec), 0, None)
    seen = games.reset(SEEDS).observation
    session, other = agent.session(len(SEEDS)), agent.session(len(SEEDS))
    for each in (session, other):
        each.act(seen)
    for arguments, message in [
        ((seen[:2],), "a batch of 2; this session plays 5 games"),
        ((seen, None, [True]), "first: got .*; expected a boolean, or 5 of them"),
        ((seen, None, 1), "first: got 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            session.act(*arguments)
    np.testing.assert_array_equal(session.act(seen), other.act(seen))
    with pytest.raises(ValueError, match="a batch of 0"):
        agent.session(0)


def test_one_observation_alone_is_refused_where_the_model_remembers():
    games = recorded("python/remembering:Levers")
    agent = Agent(configured("python/remembering:Levers"), games.games, player(games.spec), 0, None)
    seen = games.reset(SEEDS).observation[0]
    with pytest.raises(ValueError, match=r"act: the model of this run remembers .* session = agent.session\(\)"):
        agent.act(seen)
    assert Levers.action_space.contains(agent.session().act(seen))


def test_a_model_with_memory_is_refused_in_games_for_two(monkeypatch):
    monkeypatch.setitem(build.SCHEMA["model"], "remembering", RememberingModel)
    settings = [parse_settings(["model.kind=remembering", "planner.kind=reactive"])]
    assert build.configure("python/remembering:Levers", settings).kind("model") == "remembering"
    with pytest.raises(ConfigError, match=r'kind = "remembering" .* is for two players: .* without memory'):
        build.configure("python/sample_games:Stones", settings)


def test_a_planner_with_memory_is_refused_in_games_for_two(monkeypatch):
    monkeypatch.setitem(build.PLANNERS, "warm", WarmPlanner)
    settings = [parse_settings(["planner.kind=warm"])]
    assert build.configure("python/remembering:Levers", settings).kind("planner") == "warm"
    with pytest.raises(
        ConfigError, match=r'kind = "warm" .* is for two players: .*kind=gumbel or puct or sampled or reactive$'
    ):
        build.configure("python/sample_games:Stones", settings)


def test_positions_of_a_model_with_memory_are_not_planned_again(monkeypatch):
    monkeypatch.setitem(build.SCHEMA["model"], "remembering", RememberingModel)
    settings = ["model.kind=remembering", "planner.kind=reactive"]
    for of_table, more in (
        (r"\[actors\] reanalyse .* set actors", ["actors.count=2", "actors.reanalyse=1"]),
        (r"\[run\] reanalysed_per_step .* set run", ["run.reanalysed_per_step=1"]),
    ):
        with pytest.raises(ConfigError, match=of_table) as caught:
            build.configure("python/remembering:Levers", [parse_settings(settings + more)])
        assert "without the positions before it" in caught.value.problems[0]


def test_the_buffers_of_a_match_serve_the_next_one(monkeypatch):
    made = []
    new = simulation.simulator_for
    monkeypatch.setattr(simulation, "simulator_for", lambda *given: made.append(given) or new(*given))
    config = build.configure("gym/CartPole-v1", [parse_settings(["model.width=8", "model.hidden=8"])])
    spec = build.spec(config)
    trained = PlanningPlayer(build.model(config, spec), build.planner(config, 2))
    for expected in (SIZES, 0):
        made.clear()
        for count in range(100, 0, -1):  # as games end, one after the other
            legal = np.ones((count, spec.actions.columns), bool)
            positions = Positions.alone(spec.actions, np.zeros((count, *spec.observation), np.float32), legal)
            trained.act(positions, trained.start(100))
        assert len(made) == expected

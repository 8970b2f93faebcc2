"""What a loaded agent accepts, refuses and answers."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from muzero import build
from muzero.agent import Agent
from muzero.config import ConfigError, parse_settings
from muzero.interfaces import NonFiniteError
from muzero.players.planning import PlanningPlayer

SMALL = ["model.width=8", "model.hidden=8", "planner.simulations=4", "planner.inference=torch"]
IMAGES = ["model.channels=4", "model.head_channels=2", "model.blocks=1", "model.hidden=8"]


class Environment:
    """An environment of any space; step() accepts only actions of its own numbering."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(3, start=-1)

    def reset(self, seed=None, options=None):
        self.left = 5
        self.observation_space.seed(seed or 0)
        return self.observation_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.left -= 1
        return self.observation_space.sample(), float(action), self.left == 0, False, {}


class Pushed(Environment):
    action_space = spaces.Box(np.array([0, -5]), np.array([1, 10]), dtype=np.float32)


class Composed(Environment):
    observation_space = spaces.Dict({"at": spaces.Discrete(3), "seen": spaces.Box(0, 1, (2, 2), np.float32)})


class Counting(Environment):
    observation_space = spaces.Discrete(4, start=2)


class Pair(Environment):
    observation_space = spaces.Tuple((spaces.Discrete(3), spaces.Discrete(2)))


class Image(Environment):
    observation_space = spaces.Box(0, 255, (8, 10, 3), np.uint8)


def agent_of(name, *settings):
    config = build.configure(f"python/{__name__}:{name}", [parse_settings(settings)])
    games = build.games(config, 1, training=False)
    player = PlanningPlayer(build.model(config, games.spec), build.planner(config))
    return Agent(config, games, player, 0, None)


@pytest.fixture(autouse=True)
def importable(monkeypatch, request):
    monkeypatch.setitem(__import__("sys").modules, __name__, request.module)


@pytest.fixture
def agent():
    return agent_of("Environment", *SMALL)


def test_a_batch_of_arrays_is_answered_with_a_batch(agent):
    batch = np.array([[0.1, 0.2], [0.3, -0.4], [0, 1]])
    chosen = agent.act(batch)
    assert chosen.shape == (3,) and chosen.dtype == np.int64
    assert np.array_equal(agent.act(batch.tolist()), chosen)
    assert np.array_equal(agent.act(batch.astype(np.float32), np.ones((3, 3), bool)), chosen)
    assert [agent.act(row) for row in batch] == chosen.tolist()
    assert agent.search(batch[1]).action - 1 == chosen[1]  # the environment counts from -1


@pytest.mark.parametrize("name", ["Environment", "Composed", "Counting", "Pair", "Image"])
def test_an_agent_plays_with_what_the_environment_returns(name):
    agent, environment = agent_of(name, *(IMAGES if name == "Image" else SMALL)), globals()[name]()
    observation, _ = environment.reset(seed=1)
    over = False
    while not over:
        action = agent.act(observation)
        array = agent.observation(observation)
        assert array.shape == agent.spec.observation and array.dtype == agent.spec.dtype
        assert action == agent.act(array) == agent.act(np.stack([array, array]))[1]
        observation, _, over, _, _ = environment.step(action)


def test_an_image_is_converted_with_its_channels_first():
    image = np.arange(240, dtype=np.uint8).reshape(8, 10, 3)
    assert np.array_equal(agent_of("Image", *IMAGES).observation(image), np.moveaxis(image, -1, 0))


def test_only_legal_actions_are_chosen(agent):
    for action in range(3):
        mask = np.arange(3) == action
        assert agent.act([0.0, 0.0], mask) == action - 1
        assert agent.act([0.0, 0.0], mask.astype(int).tolist()) == action - 1
        assert agent.act([[0.0, 0.0]], mask[None])[0] == action - 1


WRONG = [
    (np.zeros((0, 2)), "a batch of 0; expected at least 1"),
    ([np.nan, 0], "observation holds nan; expected finite numbers"),
    ([[0, 0], [np.inf, 0]], "observation holds inf"),
    ([1e300, 0], "observation holds inf"),
    (np.zeros(3), r"of shape \(3,\), expected \(2,\); expected one observation of .*, or arrays of shape \(B, 2\)"),
    (np.zeros((1, 2, 2)), r"of shape \(1, 2, 2\)"),
    ((np.zeros(2, np.float32), {}), r"reset\(\) returns the pair observation, info: pass the observation alone"),
    ({"a": 1}, "expected an array of numbers"),
    ("left", "expected an array of numbers"),
    (None, "expected an array of numbers"),
    ([[0, 0], [0]], "expected an array of numbers"),
]


@pytest.mark.parametrize(("observation", "message"), WRONG, ids=range(len(WRONG)))
def test_what_is_not_an_observation_is_refused_with_the_remedy(agent, observation, message):
    for use in (agent.act, agent.search):
        with pytest.raises(ValueError, match=message):
            use(observation)


@pytest.mark.parametrize("number", [0.7, 300, -1, np.nan])
def test_images_out_of_range_are_refused(number):
    agent = agent_of("Image", *IMAGES)
    for image in (np.full((8, 10, 3), number), np.full((1, 3, 8, 10), number)):
        with pytest.raises(ValueError, match="expected whole numbers from 0 to 255"):
            agent.act(image)
    assert agent.act(np.full((8, 10, 3), 255.0)) == agent.act(np.full((8, 10, 3), 255, np.uint8))


@pytest.mark.parametrize(
    "legal", [[0, 2], [0, 1, 2], [0.5, 1, 1], [[True, True, True]] * 2, "abc", [0, -np.inf, 0], [[1], [1, 0]]]
)
def test_what_is_not_a_mask_is_refused(agent, legal):
    with pytest.raises(ValueError, match=r"legal: got .* true where an action is legal"):
        agent.act([0.0, 0.0], legal)
    with pytest.raises(ValueError, match="legal: row 0 allows no action"):
        agent.act([0.0, 0.0], [0, 0, 0])


def test_a_mask_of_actions_that_cannot_be_listed_is_refused():
    agent = agent_of("Pushed", "model.width=8", "planner.kind=reactive")
    with pytest.raises(ValueError, match=r"legal: got .*; expected none: actions of 2 numbers cannot be listed"):
        agent.act([0.0, 0.0], [True, True])
    assert Pushed.action_space.contains(agent.act([0.0, 0.0], np.ones((1, 0), bool)))


@pytest.mark.parametrize(
    ("name", "kind"), [("Environment", "reactive"), ("Environment", "gumbel"), ("Pushed", "reactive")]
)
def test_an_observation_that_the_model_cannot_take_is_named(name, kind):
    agent = agent_of(name, "model.width=8", f"planner.kind={kind}")
    for act in (agent.act, agent.session().act):
        with pytest.raises(NonFiniteError, match=r"\[0\] holds .*; the largest number in the observations is 3e\+38"):
            act([3e38, 3e38])


@pytest.mark.parametrize("batch", [0, -1, 2.5, "2", None])
def test_a_session_of_other_than_whole_games_is_refused(agent, batch):
    with pytest.raises(ValueError, match=r"session: a batch of .*; expected a whole number of at least 1"):
        agent.session(batch)


@pytest.mark.parametrize("first", [[True, False], 1, "yes", [[True], [True, False]]])
def test_a_wrong_first_is_refused_at_every_call(agent, first):
    session = agent.session(3)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"first: got .*; expected a boolean, or 3 of them, one for each game"):
            session.act(np.zeros((3, 2)), first=first)
        session.act(np.zeros((3, 2)))


def test_an_observation_of_another_part_is_named(agent):
    with pytest.raises(ValueError, match="expected whole numbers of Discrete"):
        agent_of("Composed", *SMALL).act({"at": 3, "seen": np.zeros((2, 2))})
    with pytest.raises(ValueError, match="expected one observation"):
        agent_of("Counting", *SMALL).act(6)


def test_a_device_that_does_not_exist_suggests_one():
    with pytest.raises(ConfigError, match="device 'gpu'; expected auto, cpu, cuda; did you mean cuda"):
        build.device("gpu")


def test_the_loop_of_the_readme_plays_a_game():
    agent = agent_of_game("gym/CartPole-v1")
    environment = gymnasium.make("CartPole-v1")
    observation, _ = environment.reset(seed=0)
    score, over = 0.0, False
    while not over:
        observation, reward, terminated, truncated, _ = environment.step(agent.act(observation))
        score, over = score + reward, terminated or truncated
    assert score >= 1


def agent_of_game(game):
    config = build.configure(game, [parse_settings(SMALL)])
    games = build.games(config, 1, training=False)
    return Agent(config, games, PlanningPlayer(build.model(config, games.spec), build.planner(config)), 0, None)


def test_an_agent_without_search_has_no_tree_and_says_why(agent):
    agent.player = PlanningPlayer(agent.player.model, build.planner(agent.config, 0))
    with pytest.raises(ConfigError, match="simulations = 0 acts without search"):
        agent.search([0.0, 0.0])

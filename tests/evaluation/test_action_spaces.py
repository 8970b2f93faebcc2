"""Games whose actions are real-valued or have parts: evaluated, played by a person, searched, or refused in words."""

import io
import sys

import numpy as np
import pytest
from killing import go
from remembering import Levers

from muzero import build
from muzero.agent import Agent
from muzero.cli.evaluate.command import evaluate_command
from muzero.cli.tree import tree_command
from muzero.config import ConfigError, parse_settings
from muzero.evaluation.in_training import evaluate

SMALL = ["run.steps=40", "run.start=40", "run.games=2", "run.evaluation_games=1", "run.updates_per_step=0"]
LEVERS = "python/remembering:Levers"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of real-valued actions, which acts by its policy, and one of actions of two parts, which searches."""
    folder = tmp_path_factory.mktemp("runs")
    go(folder / "pendulum", "gym/Pendulum-v1", "planner.kind=reactive", *SMALL)
    go(folder / "levers", LEVERS, "planner.simulations=12", *SMALL)
    return folder


def test_random_play_of_the_pendulum_scores_about_minus_1200():
    words = ["planner.kind=reactive", "model.width=8", "model.hidden=8"]
    config = build.configure("gym/Pendulum-v1", [parse_settings(words)])
    games = evaluate(config, build.model(config, build.spec(config)), 60, baseline=True).games
    assert {title: {outcome.steps for outcome in outcomes} for title, outcomes in games.items()} == {
        "trained": {200},
        "random": {200},
    }
    means = {title: np.mean([outcome.score for outcome in outcomes]) for title, outcomes in games.items()}
    assert -1400 < means["random"] < -1050  # -1,236 with a standard deviation of about 290 per game
    assert -2000 < means["trained"] < 0 and means["trained"] != means["random"]


def test_runs_are_evaluated_beside_random_play(runs, capsys):
    for run, words in ((runs / "pendulum", []), (runs / "levers", ["--game", LEVERS])):
        assert evaluate_command([str(run), "random", *words, "--games", "3"]) == 0
        shown = capsys.readouterr().out
        assert run.name in shown and "random" in shown


def test_players_without_a_run_play_games_of_any_space(capsys):
    assert evaluate_command(["random", "--game", "gym/Pendulum-v1", "--games", "2"]) == 0
    assert "200 steps" in capsys.readouterr().out


def test_a_person_chooses_among_named_actions_where_there_is_a_list(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("(2,0)\n" * 8))
    assert evaluate_command(["human", "--game", LEVERS, "--games", "1"]) == 0
    shown = capsys.readouterr().out
    assert "moves: 0 = (0,0), 1 = (0,1), 2 = (1,0), 3 = (1,1), 4 = (2,0), 5 = (2,1)" in shown
    assert "not a legal move" not in shown
    with pytest.raises(Exception, match="human chooses from a list, and this game has actions of 1 number"):
        evaluate_command(["human", "--game", "gym/Pendulum-v1", "--games", "1"])


def test_a_tree_of_actions_with_parts_names_them(runs, capsys):
    assert tree_command([str(runs / "levers"), "--game", LEVERS, "--moves", "(1,0) 3"]) == 0
    shown = capsys.readouterr().out
    assert "after (1,0) (1,1)" in shown and "(2,1)" in shown
    page = (runs / "levers" / "tree.html").read_text()
    assert "(2,1)" in page


@pytest.mark.parametrize("moves", ["", "0.5"])
def test_real_valued_actions_have_no_tree_in_words(runs, moves):
    expected = (
        "it acts without search; gym/Pendulum-v1 has actions of 1 number, whose trees planner.kind=sampled searches"
    )
    with pytest.raises(ConfigError, match=expected):
        tree_command([str(runs / "pendulum"), "--moves", moves])


def test_an_agent_answers_in_the_terms_of_the_environment(runs):
    agent = Agent.load(runs / "pendulum")
    one = agent.act(np.array([1.0, 0.0, 0.0], np.float32))
    assert one.shape == (1,) and one.dtype == np.float32 and abs(one[0]) <= 2
    assert agent.act(np.zeros((3, 3))).shape == (3, 1)
    levers = Agent.load(runs / "levers", game=LEVERS)
    seen, _ = Levers().reset(0)
    assert Levers.action_space.contains(levers.act(seen)) and levers.act(np.stack([seen, seen])).shape == (2, 2)
    mask = np.arange(6) == 3
    assert levers.act(seen, mask).tolist() == levers.session().act(seen, mask).tolist() == [1, 1]

"""muzero-tree: goes to a position, searches it, shows and writes the tree; mistakes are explained."""

import re
import shutil

import numpy as np
import pytest
from commands import command

from muzero import build
from muzero.actions import Discrete
from muzero.agent import Agent
from muzero.config import ConfigError
from muzero.games.board import BoardGames
from muzero.games.registry import as_rules
from muzero.play.position import Position, TreeNames

pyspiel = pytest.importorskip("pyspiel")

TINY = (
    "run.steps=40 run.start=40 run.updates_per_step=0 run.games=4 run.evaluation_games=1 model.width=16 model.hidden=16"
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three short runs: a board game, a game of one player, and one whose planner has no tree."""
    folder = tmp_path_factory.mktemp("runs")
    small = [word for setting in TINY.split() for word in ("--set", setting)]
    games = {
        "ttt": ("board/tic_tac_toe", "planner.simulations=12"),
        "cart": ("gym/CartPole-v1", "planner.simulations=12"),
        "bare": ("gym/CartPole-v1", "planner.kind=reactive"),
    }
    for name, (game, setting) in games.items():
        result = command("train", "--game", game, "--run", name, *small, "--set", setting, folder=folder)
        assert result.returncode == 0, result.stderr
    return folder


def test_a_position_is_searched_shown_and_written(runs):
    result = command("tree", "ttt", "--moves", "x(1,1) 0", "--dot", "ttt.dot", folder=runs)
    assert result.returncode == 0, result.stderr
    assert "wrote the search tree to ttt/tree.html" in result.stdout and "for Graphviz to ttt.dot" in result.stdout
    assert "after x(1,1) o(0,0)" in result.stdout and "12 simulations" in result.stdout
    agent = Agent.load(runs / "ttt")
    state = pyspiel.load_game("tic_tac_toe").new_initial_state()
    for action in (4, 0):
        state.apply_action(action)
    chosen = state.action_to_string(agent.choose(state))
    assert re.search(rf"^action +{re.escape(chosen)} *$", result.stdout, re.MULTILINE)
    page = (runs / "ttt" / "tree.html").read_text()
    assert chosen in page and as_rules(state).draw() in page and page.count(' id="n') == 13
    assert re.search(r"[1-9] of them not legal, prior [0-9.]+%: [xo]\(", page)  # those are counted, not named
    assert (runs / "ttt.dot").read_text().count("->") == 12


def test_the_agent_shows_the_search_by_which_it_acts(runs):
    agent = Agent.load(runs / "ttt", simulations=30)
    games = build.games(agent.config, 1, training=False)
    now = games.reset(np.array([0]))
    result = agent.search(now.observation, now.legal)
    assert result.action == agent.act(now.observation, now.legal)
    assert result.visits.sum() == 30


def test_a_game_of_one_player_is_reached_by_numbers_and_searched_as_asked(runs):
    words = ["--moves", "1 0 1", "--simulations", "25", "--html", "cart.html", "--depth", "1", "--seed", "3"]
    results = [command("tree", "cart", *words, folder=runs) for _ in range(2)]
    assert results[0].returncode == 0, results[0].stderr
    assert "after 1 0 1" in results[0].stdout and "25 simulations" in results[0].stdout
    assert results[0].stdout == results[1].stdout
    assert not (runs / "cart" / "tree.html").exists() and (runs / "cart.html").is_file()
    other = command("tree", "cart", *words[:-1], "4", folder=runs)
    assert other.stdout != results[0].stdout


def test_a_checkpoint_is_chosen_by_its_step_or_its_folder(runs):
    folder = next((runs / "ttt" / "checkpoints").glob("step-*"))
    step = str(int(folder.name.removeprefix("step-")))
    for words in (["ttt", "--checkpoint", step], ["ttt", "--checkpoint", folder.name], [str(folder)]):
        result = command("tree", *words, folder=runs)
        assert result.returncode == 0 and f"step {step}" in result.stdout, result.stderr


MISTAKES = [
    ("ttt --moves 9", 2, "--moves: move 1, '9', is not legal\nlegal there: x(0,0) (0), x(0,1) (1)"),
    ("ttt --moves 4|x(0,2)", 2, "move 2, 'x(0,2)', is not legal; did you mean o(0,2)?"),
    ("ttt --moves 4|0|4", 2, "move 3, '4', is not legal"),
    ("ttt --moves 0|3|1|4|2", 2, "the game is over after move 5, x(0,2); give fewer moves"),
    ("cart --moves 1|2", 2, "move 2, '2', is not legal; did you mean 0?\nlegal there: 0, 1"),
    ("ttt --mvoes 4", 2, "did you mean --moves?"),
    ("ttt --simulations 0", 2, "--simulations 0; expected at least 1"),
    ("ttt --depth 0", 2, "--depth 0; expected at least 1"),
    ("ttt --seed -1", 2, "--seed -1; expected at least 0"),
    ("ttt --seed 1180591620717411303424", 2, "expected at most 9223372036854775807"),
    ("ttt --moves \x1b[2J", 2, "is not legal"),
    ("ttt --moves 99999999999999999999999", 2, "is not legal"),
    ("ttt --moves ²", 2, "move 1, '²', is not legal"),
    ("ttt --moves -1", 2, "move 1, '-1', is not legal"),
    ("bare", 2, "[planner] kind = 'reactive' has no tree"),
    ("", 2, "required: RUN"),
    ("nowhere", 2, "nowhere is not a run"),
    ("nowhere --checkpoint 5", 2, "nowhere is not a run"),
    ("ttt --checkpoint 1", 3, "does not hold 1, only step-0000000"),
    ("ttt --checkpoint best", 3, "none of its checkpoints was evaluated while it learned"),
    ("ttt --html nowhere/x.html", 1, "nowhere/x.html"),
]


@pytest.mark.parametrize(("words", "code", "message"), MISTAKES, ids=[words for words, _, _ in MISTAKES])
def test_a_mistake_is_explained_and_writes_nothing(runs, tmp_path, words, code, message):
    for name in ("ttt", "cart", "bare"):
        shutil.copytree(runs / name, tmp_path / name, ignore=shutil.ignore_patterns("tree.html"))
    result = command("tree", *(word.replace("|", " ") for word in words.split()), folder=tmp_path)
    assert (result.returncode, "Traceback" in result.stderr) == (code, False), result.stderr
    assert message in result.stderr
    assert not list(tmp_path.rglob("*.html"))


def position(name, moves):
    return Position(BoardGames(name, 1, training=False), 0, moves)


@pytest.mark.parametrize(
    ("game", "moves", "played"),
    [
        ("nine_mens_morris", "Point 1 Point  10 2", ["Point 1", "Point 10", "Point 2"]),
        ("nim", "pile:1, take:1; pile:4, take:3;", ["pile:1, take:1;", "pile:4, take:3;"]),
        ("connect_four", " x3 3\nx0 ", ["x3", "o3", "x0"]),
    ],
)
def test_names_with_spaces_numbers_and_line_breaks_can_be_mixed(game, moves, played):
    assert position(game, moves).played == played


def test_an_illegal_move_among_very_many_lists_some_of_them():
    with pytest.raises(ConfigError) as error:
        position("hex", "b2 121")
    assert "move 2, '121', is not legal" in str(error.value)
    assert str(error.value).endswith("g3 (28), h3 (29), i3 (30) and 90 more")


class Line:
    """A tree of one line: each node's only child is by the action given."""

    def __init__(self, actions):
        self.parent = np.arange(-1, len(actions))[None]
        self.action = np.array([[-1, *actions]])

    def action_at(self, row, index, action):
        return action


def test_moves_in_a_tree_are_named_as_far_as_the_rules_lead():
    rules = position("tic_tac_toe", "0 3").rules
    names = TreeNames(Line([1, 4, 2, 5]), rules, Discrete(9))
    assert [names(0, 1), names(1, 4), names(2, 2)] == ["x(0,1)", "o(1,1)", "x(0,2)"]
    assert names(0, 3) == "3 (not legal)"
    assert names(3, 5) == "5 (after the end)"
    assert names(4, 5) == "5"
    forbidden = TreeNames(Line([0, 1]), rules, Discrete(9))
    assert forbidden(1, 1) == forbidden(2, 1) == "1"

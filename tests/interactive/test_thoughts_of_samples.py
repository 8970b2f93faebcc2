"""What is shown of a search over sampled actions: real numbers where a person expects a move."""

import numpy as np
import pytest
import untrained

from muzero import build
from muzero.cli.export import export_command
from muzero.cli.thoughts_view import show
from muzero.cli.tree import tree_command
from muzero.cli.watch_view import table_of
from muzero.interactive.episode import Thinker, chosen_first, scenes
from muzero.interactive.live_game import LiveGame
from muzero.interactive.strength import Set, choose
from muzero.web.tables import Tables
from muzero.web.words import described, node

SEARCH = ["planner.kind='sampled'", "planner.simulations=12", "planner.samples=5"]
"""Few enough to be read."""


@pytest.fixture(scope="module")
def agent():
    return untrained.agent("gym/Pendulum-v1", *SEARCH)


@pytest.fixture(scope="module")
def thoughts(agent):
    game = LiveGame(agent)
    found = game.think()
    game.play(found.action)
    assert game.played == [found.line[0]]
    game.close()
    return found


def test_moves_are_the_samples_of_the_root(agent, thoughts):
    assert len(thoughts.moves) == 5 and thoughts.simulations == 12
    assert {move.name for move in thoughts.moves} == {f"[{move.action[0]:.3g}]" for move in thoughts.moves}
    chosen = [move for move in thoughts.moves if thoughts.chose(move)]
    assert len(chosen) == 1 and chosen[0] is chosen_first(thoughts)[0] and chosen[0].name == thoughts.line[0]
    np.testing.assert_array_equal(chosen[0].action, thoughts.action)
    assert sum(move.prior for move in thoughts.moves) == pytest.approx(1)
    assert thoughts.reward == thoughts.result.tree.reward[0, thoughts.result.tree.children[0, 0, thoughts.edge]]
    np.testing.assert_array_equal(choose(thoughts, 0.0, np.random.default_rng(0)), thoughts.action)
    drawn = choose(thoughts, 5.0, np.random.default_rng(0))
    assert any((move.action == drawn).all() for move in thoughts.moves)


def test_a_terminal_shows_real_numbers(thoughts):
    from rich.console import Console

    console = Console(width=60, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    show(console, thoughts, None, "you")
    console.print(table_of(thoughts, 60, 10))
    text = console.export_text()
    assert all(text.count(move.name) >= 2 for move in thoughts.moves)


def test_the_page_of_a_server_shows_real_numbers(agent, thoughts):
    found = described(thoughts, 0)
    assert [move["name"] for move in found["moves"]] == [move.name for move in thoughts.moves]
    assert sorted(move["action"] for move in found["moves"]) == list(range(5))
    assert found["action"] == thoughts.edge and found["tree"]
    root = node(thoughts, 0)
    assert {child["name"] for child in root["children"]} <= {move.name for move in thoughts.moves}
    assert sum(child["expected"] for child in root["children"]) == 1
    tables = Tables(Set(agent, 0.0))
    assert tables.most >= 12
    table = tables.get(tables.begin([], tables.player, 0, None))
    table.move(table.revision)
    assert table.state()["played"] == [thoughts.line[0]] and table.state()["legal"] == []
    tables.close()


def test_scenes_of_an_episode_have_thoughts(agent):
    games = build.games(agent.config, 1, training=False)
    scene = next(scenes(games, Thinker(agent), None, 0, 0, (0, 0)))
    games.close()
    assert scene.thoughts.simulations == 12 and scene.predicted is not None


def test_of_listed_actions_moves_are_the_samples_too():
    agent = untrained.agent("board/tic_tac_toe", *SEARCH)
    game = LiveGame(agent)
    thoughts = game.think()
    moves = {move.action: move.name for move in thoughts.moves}
    assert 1 < len(moves) <= 5 and moves.items() <= game.legal.items()
    assert thoughts.action in moves and game.legal[thoughts.action] == thoughts.line[0]
    assert described(thoughts, 0)["action"] == thoughts.action
    game.play(thoughts.action)
    game.close()


def test_a_tree_names_sampled_actions(tmp_path, capsys):
    run = untrained.run(tmp_path / "run", "gym/Pendulum-v1", *SEARCH)
    assert tree_command([str(run), "--dot", str(tmp_path / "x.dot")]) == 0
    shown = capsys.readouterr().out
    page, drawing = (run / "tree.html").read_text(), (tmp_path / "x.dot").read_text()
    name = next(line.split()[1] for line in shown.splitlines() if line.startswith("action "))
    assert name.startswith("[") and name in page and name in drawing and "12 simulations" in shown
    assert tree_command([str(run), "--simulations", "3"]) == 0
    assert "3 simulations" in capsys.readouterr().out


def test_an_export_of_listed_actions_says_that_it_acts_by_the_policy(tmp_path, capsys):
    run = untrained.run(tmp_path / "run", "board/tic_tac_toe", *SEARCH)
    assert export_command([str(run), "--onnx", str(tmp_path / "out")]) == 0
    assert "planner sampled is not part of an export" in capsys.readouterr().out

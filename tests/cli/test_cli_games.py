"""muzero-games: what is listed, in which groups, and what is said where nothing matches."""

import pytest

from muzero import build
from muzero.cli.games import games_command, matching, overview
from muzero.games.registry import Group, listing

GROUPS = {
    "board": Group("board games", ["board/chess", "board/go"], {"board/poker": "it has cards"}),
    "atari": Group("Atari games", [], {"atari/...": 'atari/... needs ale-py: pip install "muzero[atari]"'}),
    "gym": Group(
        "environments",
        ["gym/CartPole-v0", "gym/CartPole-v1"],
        {"gym/LunarLander-v3": 'pip install "gymnasium[box2d]"'},
    ),
    "python": Group("your own: python/<module>:<Class>", [], {}),
}


def test_the_overview_explains_every_group_and_names_what_is_missing():
    assert overview(GROUPS) == [
        "board/  board games",
        "  board/chess  board/go",
        "  1 more cannot be played here; muzero-games board/WORD says why",
        "",
        "atari/  Atari games",
        '  atari/... needs ale-py: pip install "muzero[atari]"',
        "",
        "gym/  environments",
        "  gym/CartPole-v0  gym/CartPole-v1",
        "  1 more cannot be played here; muzero-games gym/WORD says why",
        "",
        "python/  your own: python/<module>:<Class>",
    ]


def test_games_of_continuous_actions_are_listed_apart():
    groups = {"gym": Group("environments", ["gym/CartPole-v1", "gym/Pendulum-v1"], {}, ["gym/Pendulum-v1"])}
    assert overview(groups)[1:] == [
        "  gym/CartPole-v1",
        "  with continuous actions:",
        "  gym/Pendulum-v1",
    ]
    assert matching(groups, ["v1"]) == [
        "gym/CartPole-v1",
        "gym/Pendulum-v1  has continuous actions",
    ]


def test_every_listed_environment_has_settings_of_which_none_is_refused():
    gym = listing()["gym"]
    assert "gym/Pendulum-v1" in gym.continuous and "gym/CartPole-v1" not in gym.continuous
    for name in gym.names:
        kind = build.configure(name, []).kind("planner")
        assert kind == ("mppi" if name in gym.continuous else "gumbel")


def test_names_are_never_broken_and_fit_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    names = [f"gym/A-rather-long-name-v{number}" for number in range(9)]
    lines = overview({"gym": Group("", names, {})})[1:]
    assert " ".join(lines).split() == names and max(map(len, lines)) <= 30


@pytest.mark.parametrize("word", ["cart", "CARTPOLE", "gym/cartpole"])
def test_words_match_in_any_case_one_name_in_a_line(word):
    assert matching(GROUPS, [word]) == ["gym/CartPole-v0", "gym/CartPole-v1"]


def test_where_nothing_matches_that_is_said_with_the_extra_that_is_missing():
    lines = matching(GROUPS, ["lunar"])
    assert lines[0] == "nothing that can be played here matches lunar"
    assert lines[1] == 'gym/LunarLander-v3  cannot be played here: pip install "gymnasium[box2d]"'
    assert lines[2].startswith('atari/...  cannot be played here: atari/... needs ale-py: pip install "muzero[atari]"')


def test_a_misspelt_word_is_answered_with_the_nearest_name():
    lines = matching(GROUPS, ["ches", "chss"])
    assert lines == ["board/chess"]
    assert matching(GROUPS, ["chss"])[1] == "nearest: board/chess"


def test_every_kind_has_a_group_and_every_other_game_a_reason(capsys):
    pytest.importorskip("pyspiel")
    groups = listing()
    assert list(groups) == ["board", "atari", "gym", "minatar", "python"]
    assert "board/tic_tac_toe" in groups["board"].names and "gym/CartPole-v1" in groups["gym"].names
    assert groups["board"].missing["board/kuhn_poker"] == "it has dice, cards or other chance"
    assert "moved to the gymnasium-robotics" in groups["gym"].missing["gym/Ant-v2"]
    for group in groups.values():
        assert not set(group.names) & set(group.missing) and all(group.missing.values())
    assert games_command(["tic_tac_toe"]) == 0
    assert "board/tic_tac_toe" in capsys.readouterr().out.split("\n")

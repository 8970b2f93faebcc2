"""Games of a person: what is shown, in whose seat, and how they end."""

import json
import re

import pytest

from muzero.cli.evaluate.command import evaluate_command

pytest.importorskip("pyspiel")


@pytest.fixture
def person(monkeypatch, capsys):
    """Evaluate with a person who answers these; what was shown, and the asked moves."""

    def play(answers, *words, code=0):
        left = iter(answers)
        asked = []

        def answer(prompt):
            asked.append(prompt)
            reply = next(left, "resign")
            if reply is KeyboardInterrupt:
                raise KeyboardInterrupt
            return reply

        monkeypatch.setattr("builtins.input", answer)
        assert evaluate_command([*map(str, words)]) == code
        return capsys.readouterr().out

    return play


def test_a_game_is_labelled_and_shown_to_its_end(person, tmp_path):
    words = ("minimax", "--game", "board/tic_tac_toe", "--against", "human", "--json", tmp_path / "out.json")
    shown = person(["1", "3", "6", "8", "5", "7", "2", "0", "4"], *words)
    assert shown.startswith("\ngame 1 of 1, against minimax: you are x and move first\n\n  0 1 2\n0 . . .\n")
    assert "moves: 0 = x(0,0), 1 = x(0,1)" in shown and "last move: o(" in shown
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["games"] == 1 and report["openings"] == [0, 0] and report["moving_second"]["draws"] == report["draws"]
    last_board = shown.split("  0 1 2\n")[-1].splitlines()
    assert len([cell for row in last_board[:3] for cell in row.split()[1:] if cell != "."]) >= 5
    assert re.search(r"(you lose: three in a row|draw: the board is full), after \d moves\n$", shown)
    assert "inf" not in shown and "%" not in shown and "Elo" not in shown


@pytest.mark.parametrize(
    ("seat", "games", "said"),
    [
        ("first", 1, ["you are x and move first"]),
        ("second", 1, ["you are o and move second"]),
        ("both", 2, ["you are x and move first", "you are o and move second"]),
    ],
)
def test_a_person_chooses_the_seat(person, seat, games, said):
    shown = person([], "random", "--game", "board/connect_four", "--against", "human", "--seat", seat)
    assert re.findall(r"against random: (.*)", shown) == said
    assert shown.count("you lose (you resigned)") == games
    assert ("of 2 games you won 0, drew 0, lost 2" in shown) == (games == 2)
    assert shown.count("0 1 2 3 4 5 6\n") == 2 * games  # once before the move, once at the end


def test_a_person_under_test_has_the_seat_that_was_chosen(person, tmp_path):
    words = ("human", "--game", "board/nim", "--against", "random", "--seat", "second", "--json", tmp_path / "out.json")
    shown = person([], *words)
    assert "against random: you are player 1 and move second" in shown
    assert json.loads((tmp_path / "out.json").read_text())["moving_second"]["losses"] == 1


def test_moves_are_named_as_the_game_names_them_or_numbered(person):
    shown = person(["x9", "x3", "7", "2"], "random", "--game", "board/connect_four", "--against", "human")
    assert "'x9' is not a legal move; did you mean x0?" in shown and "'7' is not a legal move\n" in shown
    assert re.search(r"\. \. \. x . . \.\n|x", shown)


def test_games_are_played_one_after_the_other(person):
    shown = person([], "random", "--game", "board/tic_tac_toe", "--against", "human", "--games", 3)
    order = re.findall(r"game \d of 3|you lose", shown)
    assert order == ["game 1 of 3", "you lose", "game 2 of 3", "you lose", "game 3 of 3", "you lose"]


def test_an_interrupted_game_does_not_count(person, tmp_path):
    words = ("random", "--game", "board/tic_tac_toe", "--against", "human", "--games", 3)
    shown = person(["resign", KeyboardInterrupt], *words, "--json", tmp_path / "out.json", code=130)
    assert "interrupted" in shown and json.loads((tmp_path / "out.json").read_text())["games"] == 1


def test_a_person_can_play_a_single_agent_game_one_at_a_time(person, monkeypatch):
    shown = person(["1"] * 99, "human", "--game", "gym/CartPole-v1", "--games", 2)
    assert "moves: 0, 1" in shown and shown.count("says nothing") == 0

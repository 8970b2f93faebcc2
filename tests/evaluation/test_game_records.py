"""Games as files: what was played can be read back."""

import json
import re

import pytest

from muzero.evaluation import game_records
from muzero.games.board import BoardGames, BoardRules, load
from muzero.play.match import Outcome, play
from muzero.players.uniform import RandomPlayer

pytest.importorskip("pyspiel")


def played(name, count=4):
    return play(BoardGames(name, count, training=False), RandomPlayer(), RandomPlayer(), range(count), 0, (2, 4))


def start(name):
    return BoardRules(load(name).new_initial_state())


def records(folder, name):
    return game_records.GameRecords(folder, f"board/{name}", start(name))


def test_histories_bring_every_game_back(tmp_path):
    outcomes = played("connect_four")
    for some in (outcomes[:2], outcomes[2:]):
        records(tmp_path / "deep" / "er", "connect_four").add("me", "you", some)
    rows = [json.loads(line) for line in (tmp_path / "deep" / "er" / "histories.jsonl").read_text().splitlines()]
    assert [row["players"] for row in rows] == [["me", "you"], ["you", "me"]] * 2
    for row in rows:
        state = load("connect_four").new_initial_state()
        for action in row["actions"]:
            state.apply_action(action)
        assert state.is_terminal() and state.returns()[0] == row["score_of_first"]
    assert not list((tmp_path / "deep" / "er").glob("games.*"))


def test_go_is_written_as_sgf(tmp_path):
    name = "go(board_size=5)"
    outcomes = played(name)
    records(tmp_path, name).add("a]b", "you", outcomes)
    games = (tmp_path / "games.sgf").read_text().strip().split("\n\n")
    for text, outcome in zip(games, outcomes, strict=True):
        assert text.startswith("(;FF[4]GM[1]CA[UTF-8]SZ[5]KM[7.5]") and text.endswith(")")
        assert ("PB[a\\]b]PW[you]" if outcome.seat == 0 else "PB[you]PW[a\\]b]") in text
        state = load(name).new_initial_state()
        moves = re.findall(r";([BW])\[([a-e]{0,2})\]", text)
        for colour, point in moves:
            assert colour == "BW"[state.current_player()]
            action = 25 if not point else (ord("e") - ord(point[1])) * 5 + ord(point[0]) - ord("a")
            state.apply_action(action)
        assert state.is_terminal() and tuple(state.history()) == outcome.actions
        assert ("RE[B+]" in text) == (state.returns()[0] > 0)


def test_points_of_sgf_count_rows_from_the_top():
    text = game_records.sgf(start("go(board_size=9)"), Outcome(1.0, 0, 2, 0, 0, (10, 81), True), ("x", "y"))
    assert ";B[bh];W[]" in text and "RE[B+R]" in text  # 10 is B2


def test_chess_is_written_as_pgn(tmp_path):
    outcomes = played("chess", 2)
    records(tmp_path, "chess").add('the "best"', "you", outcomes)
    games = re.split(r"\n\n(?=\[Event)", (tmp_path / "games.pgn").read_text())
    for text, outcome in zip(games, outcomes, strict=True):
        head, moves = text.strip().split("\n\n")
        assert ('[White "the \\"best\\""]' if outcome.seat == 0 else '[Black "the \\"best\\""]') in head
        assert all(len(line) <= 80 for line in moves.splitlines())
        words = [word for word in moves.split() if not word.endswith(".")]
        state = load("chess").new_initial_state()
        for word in words[:-1]:
            state.apply_action(state.parse_move_to_action(word))
        assert state.is_terminal()
        assert words[-1] == {1.0: "1-0", 0.0: "1/2-1/2", -1.0: "0-1"}[state.returns()[1]] and words[-1] in head

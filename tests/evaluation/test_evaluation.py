"""muzero-eval, from the names of players to the figures: matches, ladders and positions."""

import json
import re
from pathlib import Path

import pytest
from evaluating import evaluated

from muzero.cli.evaluate.command import evaluate_command
from muzero.evaluation import arena, entrants, in_training
from muzero.planners.reactive import ReactivePlanner
from muzero.players.uniform import RandomPlayer

pytest.importorskip("pyspiel")
SOLVED = Path(__file__).parents[1] / "data" / "connect4" / "positions.jsonl"


# --- matches -------------------------------------------------------------------------------------------------------


def test_a_match_reports_results_by_seat_intervals_elo_and_provenance(run, tmp_path, capsys):
    report = evaluated(tmp_path, run, "--against", "random", "--games", 20, "--save-games", tmp_path / "games")
    assert report["games"] == report["wins"] + report["draws"] + report["losses"] == 20
    for seat in ("moving_first", "moving_second"):
        assert sum(report[seat][each] for each in ("wins", "draws", "losses")) == 10
        assert all(0 <= low <= high <= 1 for low, high in report[seat]["intervals_95"].values())
    low, high = report["share_interval_95"]
    assert low < report["share"] < high and report["openings"] == [2, 4] and report["step"] >= 700
    assert report["provenance"]["machine"]["cores"] >= 1 and report["provenance"]["versions"]["muzero"]
    assert len((tmp_path / "games" / "histories.jsonl").read_text().splitlines()) == 20
    shown = capsys.readouterr().out
    assert f"{run} " in shown and "against random" in shown  # whole, since this is not a terminal


def test_the_same_seed_plays_the_same_games_side_by_side_or_not(run, tmp_path):
    words = (run, "--against", "mcts:5", "--games", 12)
    first = evaluated(tmp_path, *words, "--save-games", tmp_path / "a")
    again = evaluated(tmp_path, *words, "--save-games", tmp_path / "b", "--batch", 4)
    other = evaluated(tmp_path, *words, "--save-games", tmp_path / "c", "--seed", 1)
    games = [(tmp_path / name / "histories.jsonl").read_text() for name in "abc"]
    assert games[0] == games[1] != games[2]
    assert first["share"] == again["share"] and other["seed"] == 1


def test_simulations_can_be_named_swept_and_left_out(run, tmp_path):
    report = evaluated(tmp_path, run, "--sweep", "simulations=0,1,6", "--against", "random", "--games", 4)
    assert [row["simulations"] for row in report["rows"]] == [0, 1, 6]
    assert all(row["milliseconds_per_move"] > 0 for row in report["rows"])
    policy_alone = entrants.enter(f"{run}@0")
    assert policy_alone.agent and isinstance(policy_alone.agent.player.planner, ReactivePlanner)
    assert entrants.enter(f"{run}@6").agent.player.planner.simulations == 6
    assert entrants.enter(str(run), 7).agent.player.planner.simulations == 7


def test_a_rule_ends_a_match_when_its_interval_or_test_is_done(tmp_path):
    words = ("random", "--game", "board/tic_tac_toe", "--against", "random", "--batch", 50)
    report = evaluated(tmp_path, *words, "--until-interval", "60elo")
    low, high = report["elo_interval_95"]
    assert (high - low) / 2 <= 60 and 50 < report["games"] < 500 and report["games"] % 50 == 0
    report = evaluated(tmp_path, "minimax", *words[1:], "--sprt", "0,30")
    assert report["sprt"]["high_holds"] is True and report["games"] <= 200


def test_a_match_against_minimax_examines_all_positions_too(tmp_path):
    report = evaluated(tmp_path, "random", "--game", "board/tic_tac_toe", "--against", "minimax", "--games", 4)
    assert report["all_positions"]["positions"] == 4520 and report["wins"] == 0


def test_a_ladder_orders_anchors_and_several_checkpoints_of_a_run(run, tmp_path, capsys):
    words = ["ladder", str(run), "--anchors", "random,mcts:50", "--checkpoints", "2", "--games", "10"]
    assert evaluate_command([*words, "--json", str(tmp_path / "ladder.json")]) == 0
    report = json.loads((tmp_path / "ladder.json").read_text())
    names = [row["player"] for row in report["players"]]
    assert names[:2] == ["random", "mcts:50"] and len(names) == 4
    assert all(re.fullmatch(rf"{run}:\d+", name) for name in names[2:])
    elo = {row["player"]: row["elo"] for row in report["players"]}
    assert elo["random"] == 0 and elo["mcts:50"] > 100
    assert len(report["matches"]) == 6 and all(row["games"] == 30 for row in report["players"])
    assert "Elo above random" in capsys.readouterr().out


def test_a_single_game_has_no_interval(capsys):
    for words in (["--game", "gym/CartPole-v1"], ["--game", "board/connect_four", "--against", "random"]):
        assert evaluate_command(["random", *words, "--games", "1"]) == 0
        shown = capsys.readouterr().out
        assert "1 game says nothing about strength" in shown and "inf" not in shown and "nan" not in shown
        assert ".." not in shown.partition("\n")[2].replace("...", "")


def test_games_that_repeat_others_are_counted(capsys, tmp_path):
    nim = "board/nim(pile_sizes=1;2)"  # five different games are possible, from two seats each
    report = evaluated(tmp_path, "minimax", "--game", nim, "--against", "minimax", "--games", 30)
    assert report["distinct_games"] <= 10
    assert f"{report['distinct_games']} of 30 games are distinct; the others repeat them" in capsys.readouterr().out


def test_the_game_may_be_that_of_the_opponents_run(run, tmp_path):
    report = evaluated(tmp_path, "random", "--against", run, "--games", 4)
    assert report["game"] == "board/connect_four" and report["games"] == 4


# --- interrupted by Ctrl-C -----------------------------------------------------------------------------------------


def interrupt_after(monkeypatch, chunks):
    """Press Ctrl-C in the chunk after these, once a game of it is finished."""
    begun = []

    def pressing(config, player, opponent, numbers, *more, watch):
        begun.append(numbers)

        def watching(finished):
            watch(finished)
            if finished and len(begun) > chunks:
                raise KeyboardInterrupt

        return in_training.played(config, player, opponent, numbers, *more, watch=watching)

    monkeypatch.setattr(arena, "played", pressing)


def test_an_interrupted_match_shows_the_finished_games(monkeypatch, capsys, tmp_path):
    interrupt_after(monkeypatch, 2)
    words = ["random", "--game", "board/tic_tac_toe", "--against", "random", "--batch", "4", "--games", "40"]
    assert evaluate_command([*words, "--json", str(tmp_path / "out.json")]) == 130
    assert "interrupted: these are the games that were finished\n" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["games"] == 8


@pytest.mark.parametrize(("chunks", "games", "partial"), [(0, 1, True), (1, 4, False)])
def test_an_interrupted_single_agent_shows_the_finished_games(monkeypatch, capsys, tmp_path, chunks, games, partial):
    interrupt_after(monkeypatch, chunks)
    words = ["random", "--game", "gym/CartPole-v1", "--batch", "4", "--games", "40"]
    assert evaluate_command([*words, "--json", str(tmp_path / "out.json")]) == 130
    report, shown = json.loads((tmp_path / "out.json").read_text()), capsys.readouterr().out
    assert report["games"] >= 1 and (report["games"] == games or partial)
    assert report.get("partial_batch", False) == ("the shortest are finished first" in shown) == partial


def test_an_interrupted_ladder_rates_the_finished_matches(monkeypatch, capsys):
    interrupt_after(monkeypatch, 1)
    words = ["ladder", "random", "minimax", "mcts:2", "--game", "board/tic_tac_toe", "--games", "4"]
    assert evaluate_command(words) == 130
    shown = capsys.readouterr().out
    assert "the ratings are of the matches that were finished" in shown and "mcts:2" not in shown


def test_interrupted_positions_show_the_examined_players(monkeypatch, capsys):
    choose = RandomPlayer.choose

    def pressing(self, positions):
        raise KeyboardInterrupt

    words = ["minimax", "random", "--game", "board/tic_tac_toe", "--positions", "fresh:9"]
    monkeypatch.setattr(RandomPlayer, "choose", pressing)
    assert evaluate_command(words) == 130
    shown = capsys.readouterr().out
    assert "these are the players that were examined" in shown and "minimax" in shown and "random" not in shown
    monkeypatch.setattr(RandomPlayer, "choose", choose)


# --- positions -----------------------------------------------------------------------------------------------------


def test_positions_of_a_file_are_examined(run, tmp_path):
    report = evaluated(tmp_path, run, "--positions", SOLVED)
    assert report["positions"] == 60 and report["optimal"] <= report["outcome_preserving"] <= 1
    assert report["value_error"] > 0 and sum(row["positions"] for row in report["by_plies"].values()) == 60
    swept = evaluated(tmp_path, run, "--positions", SOLVED, "--sweep", "simulations=0,4")
    assert [row["simulations"] for row in swept["rows"]] == [0, 4] and swept["rows"][1]["optimal"] == report["optimal"]


def test_positions_are_made_on_demand_and_kept(tmp_path):
    file = tmp_path / "fresh.jsonl"
    words = ("minimax", "--game", "board/tic_tac_toe", "--positions")
    report = evaluated(tmp_path, *words, "fresh:40", "--save-positions", file, "--seed", 3)
    assert report["optimal"] == 1.0 and len(file.read_text().splitlines()) == 40
    assert evaluated(tmp_path, *words, file)["positions"] == 40
    assert evaluated(tmp_path, "random", "--positions", "all")["positions"] == 4520

"""Evaluation, from the names of players to the figures: commands, the arena, evaluations during a run."""

import json
import re
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from muzero import build
from muzero.agent import Agent
from muzero.cli.evaluate.command import evaluate_command
from muzero.cli.train import train_command
from muzero.config import ConfigError, parse_settings
from muzero.evaluation import arena, entrants, in_training, published_scores
from muzero.evaluation.aggregate import aggregate
from muzero.evaluation.arena import LocalArena, Match, contest
from muzero.evaluation.in_training import Evaluated
from muzero.evaluation.positions import PositionsError
from muzero.evaluation.schedule import EvaluationSchedule
from muzero.games import registry
from muzero.interfaces import PlayerError
from muzero.planners.reactive import ReactivePlanner
from muzero.play.match import Outcome
from muzero.players.uniform import RandomPlayer
from muzero.runs import evaluations
from muzero.runs.checkpoint import CheckpointError
from muzero.runs.evaluations import Evaluation
from muzero.training.loop import Training
from muzero.util.extras import MissingExtra

pytest.importorskip("pyspiel")
SOLVED = Path(__file__).parents[1] / "data" / "connect4" / "positions.jsonl"
SMALL = ["planner.simulations=4", "model.channels=4", "learner.batch=16", "replay.capacity=500", "run.start=100"]


def train(folder, game, *more, steps="700"):
    sets = [word for each in [*SMALL, "run.games=8", "run.updates_per_step=0.02", *more] for word in ("--set", each)]
    assert train_command(["--game", game, "--run", str(folder), "--steps", steps, *sets]) == 0
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation") / "four"
    more = ("run.evaluate_every=200", "run.evaluation_games=6", "run.opponent=mcts:2", "run.keep=1")
    return train(folder, "board/connect_four", *more)


@pytest.fixture(scope="module")
def carts(tmp_path_factory):
    root = tmp_path_factory.mktemp("carts")
    sets = ("model.width=16", "run.evaluation_games=2")
    folders = []
    for seed in range(3):
        words = [word for each in [*SMALL[:1], *SMALL[2:], *sets, f"run.seed={seed}"] for word in ("--set", each)]
        folder = root / f"cart{seed}"
        assert train_command(["--game", "gym/CartPole-v1", "--run", str(folder), "--steps", "300", *words]) == 0
        folders.append(folder)
    return folders


def evaluated(tmp_path, *words):
    file = tmp_path / "out.json"
    assert evaluate_command([*map(str, words), "--json", str(file)]) == 0
    return json.loads(file.read_text())


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


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["randon", "--game", "board/nim"], "randon: no such player and no such folder; did you mean random"),
        (["runs/missing", "--against", "random"], "runs/missing: no such player and no such folder"),
        (["random", "--against", "random"], "name the game with --game"),
        (["random", "--game", "board/nim"], "choose an opponent with --against"),
        (["random", "--game", "gym/CartPole-v1", "--against", "random"], "has a single agent; leave it out"),
        (["random", "--game", "gym/CartPole-v1", "--positions", "all"], "which gym/CartPole-v1 does not have"),
        (["random", "--sweep", "simulations=1,2", "--positions", "all"], "random is not a run that could search"),
        (["minimax", "--game", "board/connect_four", "--positions", "missing.jsonl"], "missing.jsonl: no such file"),
        (["random", "--positions", "fresh:none"], "expected fresh:N"),
        (["ladder", "random"], "a ladder needs at least two players"),
        (["ladder", "random", "mcts:2", "--game", "gym/CartPole-v1"], "has a single agent"),
        (["random", "--game", "board/nim", "--against", "human", "--sprt", "0,9"], "does not fit games of a person"),
        (["random", "mcts:2", "--game", "board/nim", "--against", "human"], "one player at a time"),
        (["random", "--positions", "/dev/zero"], "--positions /dev/zero: that is not a regular file"),
        (["solver", "--game", "board/nim", "--against", "random"], "solver plays board/connect_four"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_a_remedy(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ConfigError, PlayerError, ValueError)) as caught:
        evaluate_command(words)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["r", "--games", "0"], "expected a whole number of at least 1"),
        (["r", "--openings", "4-2"], "from 2 to 4: 2-4"),
        (["r", "--until-interval", "wide"], "such as 30elo"),
        (["r", "--sprt", "30,0"], "the lower first"),
        (["r", "--sweep", "simulation=1"], "expected simulations=0,1,2"),
        (["r", "--games", "4", "--sprt", "0,30"], "not allowed with"),
        (["r", "--positions", "all", "--games", "4"], "--games is for games"),
        (["r", "--sweep", "simulations=1", "--simulations", "3"], "give one"),
        (["r", "--seat", "first", "--against", "random"], "the seat of a person; play with --against human"),
        (["r", "--against", "human", "--seat", "third"], "invalid choice: 'third'"),
        (["r", "--against", "random", "--json", "."], "--json .: that is a folder"),
        (["r", "--gamse", "4"], "did you mean --game or --games"),
    ],
)
def test_options_that_contradict_each_other_are_refused(words, message, capsys):
    with pytest.raises(SystemExit):
        evaluate_command(words)
    assert message in capsys.readouterr().err


def test_players_of_different_games_do_not_meet(run, carts):
    with pytest.raises(ConfigError, match="players of different games"):
        evaluate_command([str(run), str(carts[0])])
    with pytest.raises(ConfigError, match="players of different games"):
        evaluate_command([str(run), "--against", str(carts[0])])


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        (":bset", "'bset' follows the run; expected a step or best"),
        ("@x", "'x' follows the run; expected a number of simulations"),
    ],
)
def test_a_misspelt_checkpoint_or_number_of_simulations_is_named(run, suffix, expected):
    with pytest.raises(ConfigError, match=expected):
        evaluate_command([f"{run}{suffix}", "--against", "random"])


def test_a_file_of_positions_that_is_missing_says_what_else_is_possible(run):
    with pytest.raises(PositionsError, match="no such file; expected a file, all, fresh or fresh:N"):
        evaluate_command([str(run), "--positions", "alll"])


def test_a_run_is_not_begun_with_an_opponent_that_cannot_be_had(tmp_path):
    for opponent, message in (("randm", "did you mean random"), ("human", "a run would wait for a person")):
        config = build.configure("board/tic_tac_toe", [parse_settings([f"run.opponent={opponent}"])])
        with pytest.raises(ConfigError, match=message):
            Training(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# --- single-agent games --------------------------------------------------------------------------------------------


def test_a_single_agent_is_compared_with_random_and_published_scores(carts, tmp_path, capsys):
    report = evaluated(tmp_path, carts[0], "--games", 6)
    assert [row["player"] for row in report["rows"]] == [str(carts[0]), "random"]
    assert len(report["scores"]) == 6 and report["mean"] == pytest.approx(np.mean(report["scores"]))
    assert {row["agent"] for row in report["references"]} == {"A2C", "DQN", "PPO"}
    assert "Stable-Baselines3" in capsys.readouterr().out and report["human_normalised"] is None


def test_games_that_reach_the_limit_of_steps_are_counted(tmp_path, capsys):
    report = evaluated(tmp_path, "random", "--game", "gym/MountainCar-v0", "--games", 3)
    assert report["games_at_limit"] == 3 and report["step_limit"] == 200
    assert "random: 3 of 3 games reached the limit of 200 steps" in capsys.readouterr().out


def test_several_runs_are_seeds_with_an_interquartile_mean(carts, tmp_path):
    pytest.importorskip("rliable")
    report = evaluated(tmp_path, *carts, "--games", 3)
    means = [row["mean"] for row in report["rows"][:3]]
    assert report["over_seeds"]["runs"] == 3
    assert min(means) <= report["over_seeds"]["low"] <= report["over_seeds"]["iqm"] <= report["over_seeds"]["high"]


def test_the_interquartile_mean_leaves_out_a_quarter_at_each_end():
    pytest.importorskip("rliable")
    found = aggregate(np.array([[0.0], [10.0], [12.0], [1000.0]]))
    assert found.iqm == 11.0 and (found.runs, found.tasks) == (4, 1) and found.low < 11 < found.high


def test_a_missing_package_names_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rliable", None)
    with pytest.raises(MissingExtra, match=r"muzero\[report\]"):
        aggregate(np.zeros((2, 1)))


def test_human_normalised_scores_are_0_for_random_and_1_for_human_play():
    assert len(published_scores.ATARI) == 57
    for name, (random, human) in published_scores.ATARI.items():
        assert published_scores.human_normalised(f"atari/{name}", random) == 0 and human > random
        assert published_scores.human_normalised(f"atari/{name}", human) == 1
    assert published_scores.human_normalised("gym/CartPole-v1", 500) is None
    for game in ("atari/pong", "gym/CartPole-v1", "minatar/breakout"):
        assert all(row.source for row in published_scores.of(game)) and published_scores.of(game)


def test_atari_is_evaluated_with_and_without_sticky_actions():
    pytest.importorskip("ale_py")
    protocols = registry.protocols(build.configure("atari/pong", []))
    assert [config.table("game")["sticky"] for config in protocols.values()] == [0.0, 0.25]
    games = build.games(protocols[""], 1, training=False)
    assert games._environment.reward_clipping is False if hasattr(games._environment, "reward_clipping") else True
    games.close()


# --- while a run learns --------------------------------------------------------------------------------------------


def test_a_run_keeps_what_it_evaluated_and_the_best_by_its_lower_end(run):
    rows = evaluations.read(run)
    assert len(rows) >= 3 and all(row.name == "against mcts:2" and row.games == 6 for row in rows)
    assert all(row.low <= row.mean <= row.high and row.cost > 0 for row in rows)
    kept = {int(path.name[5:14]) for path in (run / "checkpoints").glob("step-*")}
    best = evaluations.best(rows, [row.step for row in rows])
    assert rows[-1].step in kept and best in kept and len(kept) <= 3
    assert Agent.load(run, step="best").step == best
    assert entrants.enter(f"{run}:{best}").agent.step == best


def test_a_missing_checkpoint_is_refused_with_those_that_exist(run, carts):
    with pytest.raises(CheckpointError, match=r"does not hold 77, only step-\d+"):
        entrants.enter(f"{run}:77")


def row(step, low, mean=0.0):
    return Evaluation(step, step, 1.0, "x", 10, mean, low, 1.0, 0.1)


def test_luck_does_not_make_the_best_checkpoint():
    rows = [row(1, -0.5, mean=0.9), row(2, 0.1, mean=0.3), row(3, 0.0, mean=0.4)]
    assert evaluations.best(rows, [1, 2, 3]) == 2
    assert evaluations.best(rows, [1, 3]) == 3 and evaluations.best(rows, []) is None


def test_corrupt_lines_of_evaluations_are_skipped(tmp_path):
    evaluations.append(tmp_path, row(5, 0.2))
    with (tmp_path / "evaluations.jsonl").open("a") as file:
        file.write('{"step": 6}\nnonsense\n[1]\n{"step": 7, "up')
    assert evaluations.read(tmp_path) == [row(5, 0.2)]
    assert evaluations.read(tmp_path / "missing") == []


def test_an_evaluation_that_a_kill_interrupted_is_repeated(tmp_path):
    schedule = EvaluationSchedule(tmp_path, 100)
    schedule.begin(200, 20, 3.0)
    schedule.restore(200)
    assert schedule.due(200, 0.2, 3.0)
    schedule.begin(200, 20, 3.0)
    outcomes = [Outcome(score, 0, 5, number) for number, score in enumerate((1.0, -1.0, 1.0))]
    results = Evaluated({"alone": outcomes}, 0.5)
    assert schedule.finish(results, 19) is None  # of an older checkpoint, whose actor was given up
    assert schedule.finish(results, 20) == evaluations.read(tmp_path)[0]
    schedule.restore(200)
    assert not schedule.due(250, 0.25, 4.0) and schedule.due(300, 0.3, 5.0)


# --- the arena -----------------------------------------------------------------------------------------------------


def test_a_match_is_played_in_whole_pairs_and_a_single_agent_is_not():
    for game, opponent, sizes in (("board/nim", "random", [4, 3]), ("gym/CartPole-v1", None, [3, 3, 1])):
        config = build.configure(game, []).to_toml()
        match = Match(config=config, player="random", opponent=opponent)
        with closing(LocalArena()) as local:
            assert [len(part.outcomes) for part in contest(local, match, 7, 3)] == sizes


def test_a_contest_ends_when_there_is_enough():
    config = build.configure("board/tic_tac_toe", []).to_toml()
    match = Match(config=config, player="random", opponent="random")
    with closing(LocalArena()) as local:
        parts = list(contest(local, match, 100, 4, lambda outcomes: len(outcomes) >= 10))
    assert sum(len(part.outcomes) for part in parts) == 12

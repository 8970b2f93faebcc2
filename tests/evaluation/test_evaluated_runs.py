"""Evaluations of a run while it learns, and matches that are played in chunks."""

from contextlib import closing

import pytest

from muzero import build
from muzero.agent import Agent
from muzero.evaluation import entrants
from muzero.evaluation.arena import LocalArena, Match, contest
from muzero.evaluation.in_training import Evaluated
from muzero.evaluation.schedule import EvaluationSchedule
from muzero.play.match import Outcome
from muzero.runs import evaluations
from muzero.runs.checkpoint import CheckpointError
from muzero.runs.evaluations import Evaluation

pytest.importorskip("pyspiel")


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

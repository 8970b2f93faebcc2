"""Runs that learn from recorded experience: what they learn, how they resume, and what the commands say."""

import json
import signal

import numpy as np
import pytest
from killing import go, in_child, stopped
from recordings import LENGTH, episodes, write

from muzero import Agent, build
from muzero.cli.train import train_command
from muzero.config import parse_settings
from muzero.data.segment_log import SegmentLog
from muzero.runs import checkpoint

GAME = "python/recordings:Corridor"
SMALL = ["run.reanalyse_every=20", "run.evaluation_games=2", "model.width=16", "model.hidden=16", "learner.batch=16"]
SMALL += ["planner.simulations=4", "run.save_every=64", "game.discount=0.9", "run.evaluate_every=0"]
KILLED = -signal.SIGKILL


@pytest.fixture
def data(tmp_path):
    return write(tmp_path / "corridor.npz", episodes(40))


def command(*words, settings=SMALL):
    return train_command([*map(str, words), *(part for setting in settings for part in ("--set", setting))])


def begun(folder, data, *settings):
    """What muzero-train --data does, up to the evaluation at the end."""
    given = [f"run.data={data}", "run.updates=200", *SMALL, "replay.capacity=1000", "run.start=1", *settings]
    return go(folder, GAME, *given)


@pytest.mark.slow
def test_a_run_learns_the_best_play_from_random_play(tmp_path, data):
    given = [*SMALL[:1], "run.evaluation_games=4", "game.discount=0.9", "planner.simulations=8", "model.width=32"]
    run = tmp_path / "run"
    assert command("--game", GAME, "--data", data, "--run", run, "--updates", 400, settings=given) == 0
    agent = Agent.load(run, trust=True)
    moves = [int(agent.act(np.eye(LENGTH, dtype=np.float32)[place])) for place in range(LENGTH - 1)]
    assert moves == [1] * (LENGTH - 1)


def test_a_run_plans_what_was_recorded_and_plays_nothing(tmp_path, data, capsys):
    run = tmp_path / "run"
    assert command("--game", GAME, "--data", data, "--run", run, "--updates", 96) == 0
    out = capsys.readouterr().out
    assert "learning from " in out and "in 40 episodes" in out and "nothing is played" in out
    assert "96/96 updates" in out and "steps/s" not in out
    newest = checkpoint.listed(run / "checkpoints")[-1]
    state = json.loads((newest / "state.json").read_text())
    assert state["learner"]["updates"] == state["rounds"] == 96
    recorded = sum(len(one[2]) for one in episodes(40))
    assert state["replay"]["steps"] == recorded
    assert state["reanalysis"]["requested"] > 0
    assert "trained" in json.loads((run / "evaluation.json").read_text())


def test_nothing_is_planned_before_returns_were_learned_and_then_every_position(tmp_path, data):
    early = begun(tmp_path / "early", data, "run.updates=32", "run.reanalyse_every=31").replay
    assert len(early) and not early.rows["taught"].any()
    late = begun(tmp_path / "late", data).replay
    over = late.rows["over"][: len(late)]
    np.testing.assert_array_equal(late.rows["taught"][: len(late)], ~over)


@pytest.mark.parametrize("place", ["train.after_store", "train.after_play", "log.after_append"])
def test_a_killed_run_equals_one_that_was_not(tmp_path, data, place):
    whole, again = tmp_path / "whole", tmp_path / "again"
    assert in_child(lambda: begun(whole, data)) == 0
    assert in_child(lambda: begun(again, data), f"{place}:kill:1") == KILLED
    if place == "train.after_play":
        assert in_child(lambda: begun(again, data), f"{place}:kill:9") == KILLED
        data.unlink()  # what was recorded is in the log by now
    assert in_child(lambda: begun(again, data)) == 0
    assert (whole / "digest").read_text() == (again / "digest").read_text()


def test_a_run_that_was_stopped_in_the_middle_of_a_round_equals_one_that_was_not(tmp_path, data):
    given = [f"run.data={data}", "run.updates=200", *SMALL, "replay.capacity=1000", "run.start=1"]
    whole, again = tmp_path / "whole", tmp_path / "again"
    assert in_child(lambda: go(whole, GAME, *given)) == 0
    for after in (40, 64):
        assert in_child(lambda after=after: stopped(after, again, GAME, *given)) == 0
    assert in_child(lambda: go(again, GAME, *given)) == 0
    assert (whole / "digest").read_text() == (again / "digest").read_text()


def test_the_experience_of_a_run_serves_another_with_other_settings(tmp_path, data, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    assert command("--game", GAME, "--run", first, settings=[*SMALL[1:], "run.steps=128", "run.start=32"]) == 0
    other = [*SMALL[:-2], "game.discount=0.8", "planner.kind=puct", "run.evaluate_every=0"]
    assert command("--game", GAME, "--data", first, "--run", second, "--updates", 64, settings=other) == 0
    assert "learning from " in capsys.readouterr().out

    config = build.configure(GAME, [parse_settings([*other, f"run.data={first}", "run.updates=64"])])
    log = SegmentLog(second / "replay", build.spec(config))
    discounts = {float(d) for _, one in log.scan() for d in one.columns["discount"][: one.steps]}
    log.close()
    assert discounts <= {0.0, float(np.float32(0.8))}


def test_a_game_that_cannot_be_played_is_learned_without_evaluation(tmp_path, data, capsys):
    run, game = tmp_path / "run", "python/recordings:Unplayable"
    assert command("--game", game, "--data", data, "--run", run, "--updates", 64, settings=SMALL[:-1]) == 0
    assert "not evaluated, because the game cannot be played here" in capsys.readouterr().out
    config = (run / "config.toml").read_text()
    assert "evaluate_every = 0  # chosen: " in config and "the robot is asleep" in config


def test_a_run_is_continued_by_more_updates_and_keeps_to_what_it_learns_from(tmp_path, data, capsys):
    run = tmp_path / "run"
    assert command("--game", GAME, "--data", data, "--run", run, "--updates", 64) == 0
    assert train_command(["--resume", str(run), "--trust"]) == 0
    assert "--updates 128" in capsys.readouterr().out
    assert train_command(["--resume", str(run), "--trust", "--updates", "96"]) == 0
    out = capsys.readouterr().out
    assert "at 64 updates" in out and "96/96 updates" in out
    with pytest.raises(Exception, match="a resumed run keeps that"):
        train_command(["--resume", str(run), "--trust", "--override", "--set", 'run.data=""'])


def test_weights_alone_continue_with_the_data_read_again(tmp_path, data, capsys):
    run = tmp_path / "run"
    assert command("--game", GAME, "--data", data, "--run", run, "--updates", 64) == 0
    assert train_command(["--resume", str(run), "--trust", "--updates", "96", "--weights-only"]) == 0
    assert "96/96 updates" in capsys.readouterr().out


def test_a_dry_run_says_what_is_there_and_what_it_takes(tmp_path, data, capsys, monkeypatch):
    from muzero.cli import dry_run

    monkeypatch.setattr(dry_run, "MEASURE", 0.05)
    assert command("--game", GAME, "--data", data, "--updates", 64, "--dry-run") == 0
    out = capsys.readouterr().out
    assert "in 40 episodes" in out and "planning again" in out and "64 updates" in out
    assert "run.data" in out and "nothing was trained" in out


def test_a_setting_is_explained(data, capsys):
    assert command("--game", GAME, "--data", data, "--updates", 64, "--explain", "run.data") == 0
    assert "without playing" in capsys.readouterr().out

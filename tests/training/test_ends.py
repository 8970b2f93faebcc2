"""How runs end: by their time, by a stop, and where environments or opponents fail."""

import io
import math
import re
import signal
import time

import pytest
from commands import command, sets
from killing import made
from rich.console import Console

from muzero.evaluation import in_training
from muzero.evaluation.in_training import Stopped
from muzero.games import batched
from muzero.interfaces import EnvironmentFault, MemorylessPlayer, Moves, PlayerError
from muzero.runs import checkpoint, evaluations
from muzero.training import ending, evaluator
from muzero.training.progress import Progress

GAME = "board/tic_tac_toe"
HERE = "actors.overlap=off"  # what a test replaces in this process is meant for the actor too


def quiet(training):
    return Progress(training.folder, Console(quiet=True))


def run(training):
    training.folder.mkdir(parents=True, exist_ok=True)
    progress = quiet(training)
    try:
        return training.run(progress)
    finally:
        progress.close(training.status())
        training.experience.close()


def steps_saved(folder):
    return checkpoint.latest(folder / "checkpoints")[0].step


class Ticks:
    """A clock that advances by one second whenever it is read."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", self.read)

    def read(self):
        self.now += 1.0
        return self.now


def slow_start(training, monkeypatch, rounds):
    """Have a run wait in vain for a result this many times at first; returns the rounds that it waited in all."""
    next_result, waited = training.pool.next_result, []

    def wait(timeout):
        waited.append(timeout)
        return next_result(timeout) if len(waited) > rounds else None

    monkeypatch.setattr(training.pool, "next_result", wait)
    return waited


def test_a_run_of_little_time_plays_until_it_has_stored_steps(tmp_path, monkeypatch):
    training = made(tmp_path, GAME, "run.seconds=0.001", HERE)
    waited = slow_start(training, monkeypatch, 3)
    assert run(training) is None
    assert len(waited) > 3 and 0 < training.replay.steps == steps_saved(tmp_path)
    assert training.warnings == []


@pytest.mark.parametrize("rounds", [0, math.inf], ids=["no segment", "no result"])
def test_a_run_that_stores_nothing_ends_half_a_minute_after_its_time_and_says_so(tmp_path, monkeypatch, rounds):
    Ticks(monkeypatch)
    training = made(tmp_path, "gym/Acrobot-v1", "run.seconds=5", "selfplay.segment_steps=100", HERE)
    waited = slow_start(training, monkeypatch, rounds)
    begun = time.monotonic()
    assert run(training) is None
    assert waited and training.replay.steps == 0
    assert 5 + ending.LATE < time.monotonic() - begun < 5 + ending.LATE + 60  # the clock's own readings included
    (warning,) = training.warnings
    assert re.fullmatch(r"nothing was learned: no game or segment was complete in \d+ s; use a longer --time", warning)


def test_time_that_is_up_ends_a_play_call_after_the_step_under_way(tmp_path, monkeypatch):
    Ticks(monkeypatch)
    training = made(
        tmp_path, "gym/CartPole-v1", "run.games=8", "run.play=1000", "run.seconds=30", "run.start=600", HERE
    )
    assert run(training) is None
    assert 0 < training.replay.steps < 8 * 40 and steps_saved(tmp_path) == training.replay.steps


def test_updates_that_are_owed_when_the_time_is_up_wait_for_a_resume(tmp_path, monkeypatch):
    settings = ["run.start=100", "run.steps=1000000", "run.updates_per_step=100", HERE]
    Ticks(monkeypatch)
    training = made(tmp_path, "gym/CartPole-v1", "run.seconds=200", *settings)
    assert run(training) is None
    assert training.learner.updates < training.learning.owed
    resumed = made(tmp_path, "gym/CartPole-v1", "run.seconds=260", *settings)
    resumed.restore()
    before = resumed.learner.updates
    run(resumed)
    assert resumed.learner.updates > before


def test_a_run_without_a_time_limit_plays_whole_calls(tmp_path):
    training = made(tmp_path, "gym/CartPole-v1", HERE)
    training.folder.mkdir(parents=True, exist_ok=True)
    assert training.pool.deadline == math.inf
    played = training.pool.next_result(0).found
    assert sum(len(segment) for segment in played.segments) <= training.settings.games * training.settings.play


def stop_in_evaluation(monkeypatch, training, number=signal.SIGINT):
    """A signal arrives at the first step of the next evaluation."""
    before = evaluator.evaluate

    def evaluate(*arguments, watch, **named):
        def and_stop(*now):
            training.stop.number = number
            watch(*now)

        return before(*arguments, watch=and_stop, **named)

    monkeypatch.setattr(evaluator, "evaluate", evaluate)


def test_a_signal_ends_an_evaluation_and_a_resume_evaluates_again(tmp_path, monkeypatch):
    training = made(tmp_path, "gym/CartPole-v1", "run.evaluate_every=200")
    stop_in_evaluation(monkeypatch, training)
    assert run(training) == signal.SIGINT
    assert steps_saved(tmp_path) == training.replay.steps < 600 and evaluations.read(tmp_path) == []
    monkeypatch.undo()
    resumed = made(tmp_path, "gym/CartPole-v1", "run.evaluate_every=200")
    resumed.restore()
    run(resumed)
    assert evaluations.read(tmp_path)


def test_a_signal_in_the_last_evaluation_ends_it_with_what_was_finished(tmp_path, monkeypatch):
    training = made(tmp_path, "gym/CartPole-v1")
    run(training)
    stop_in_evaluation(monkeypatch, training)
    with pytest.raises(Stopped, match="trained: 0 of 4 games"):
        training.evaluate(4, quiet(training))
    assert evaluations.read(tmp_path) == []


@pytest.mark.parametrize(("seconds", "least"), [(8.0, 60.0), (8.0, 0.5), (800.0, 60.0)])
def test_a_run_with_a_time_limit_limits_its_last_evaluation(tmp_path, monkeypatch, seconds, least):
    monkeypatch.setattr(evaluator, "LAST_LEAST", least)
    training = made(tmp_path, "python/sample_games:BreaksLate", f"run.seconds={seconds}")
    training.save(wait=True)
    progress, seen = quiet(training), []
    progress.evaluating = lambda title, games, finished: seen.append(finished)
    Ticks(monkeypatch)  # one second for each step of the games, and some before the first
    limit = max(least, seconds / 10)
    with pytest.raises(Stopped, match=f"^trained: 0 of 1 games in the {limit:,.0f} s that it may take$"):
        training.evaluate(1, progress)
    assert max(1, limit - 3) <= len(seen) <= limit + 1
    assert evaluations.read(tmp_path) == [] and training.stop.number is None
    training.close()


def test_a_real_signal_in_the_last_evaluation_is_a_stop(tmp_path):
    training = made(tmp_path, "gym/CartPole-v1")
    run(training)
    progress = quiet(training)
    progress.evaluating = lambda *now: signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Stopped):
        training.evaluate(4, progress)
    assert training.stop.number == signal.SIGTERM


def test_an_evaluation_shows_the_games_that_are_finished(tmp_path, monkeypatch):
    training = made(tmp_path, "gym/CartPole-v1", "game.max_steps=3")
    run(training)
    Ticks(monkeypatch)
    shown = Console(file=io.StringIO(), width=80)
    progress = Progress(training.folder, shown)
    progress.screen_every = 1.0
    training.evaluate(2, progress)
    lines = shown.file.getvalue().splitlines()
    assert lines[:3] == [f"evaluating trained: {n} of 2 games finished, step {s}" for n, s in ((0, 1), (0, 2), (2, 3))]
    assert lines[-1] == "evaluating random: 2 of 2 games finished, step 3"


def test_each_evaluation_counts_its_own_steps(tmp_path):
    shown = Console(file=io.StringIO(), width=80)
    progress = Progress(tmp_path, shown)
    progress.screen_every = 0.0
    for finished in (0, 2, 0):  # the last is of the next evaluation
        progress.evaluating("trained", 2, finished)
    assert [line[-6:] for line in shown.file.getvalue().splitlines()] == ["step 1", "step 2", "step 1"]


class Dies(MemorylessPlayer):
    """An engine that dies in its second move."""

    title, moves = "dies", 0

    def choose(self, positions):
        Dies.moves += 1
        if Dies.moves == 2:
            raise PlayerError("the engine has ended")
        return Moves(positions.legal.argmax(1), positions.legal.argmax(1).astype("float32"))


def test_an_opponent_that_fails_in_an_evaluation_is_a_warning(tmp_path, monkeypatch):
    pytest.importorskip("pyspiel")
    training = made(tmp_path, "board/tic_tac_toe", "run.evaluate_every=200")
    monkeypatch.setattr(in_training.registry, "player", lambda name: Dies())
    assert run(training) is None and training.replay.steps >= 600
    assert any("failed: the engine has ended" in warning for warning in training.warnings)
    assert len(evaluations.read(tmp_path)) >= 1


def test_an_environment_that_fails_in_an_evaluation_is_a_warning(tmp_path, monkeypatch):
    def evaluate(*arguments, **named):
        raise EnvironmentFault("the only machine is in use")

    monkeypatch.setattr(evaluator, "evaluate", evaluate)
    training = made(tmp_path, "gym/CartPole-v1", "run.evaluate_every=200")
    assert run(training) is None and training.replay.steps >= 600
    assert any("failed: the only machine is in use" in warning for warning in training.warnings)


def test_a_game_without_an_end_is_learned_and_evaluated_and_the_run_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(batched, "MAX_STEPS", 30)
    training = made(tmp_path, "python/sample_games:EndlessGame", "run.evaluate_every=200")
    run(training)
    results = training.evaluate(4, quiet(training))
    assert results["trained"].mean == 30.0 and "30 steps" in training.spec.notes[0]


def test_an_environment_in_which_every_game_breaks_ends_the_run_saved(tmp_path):
    training = made(tmp_path, "python/sample_games:BreaksLate")
    with pytest.raises(EnvironmentFault, match="21 games in a row broke before their end"):
        run(training)
    assert steps_saved(tmp_path) == training.replay.steps and training.scores.score is None


ENVIRONMENT = """
import asyncio, os, sys

class Panic(BaseException):
    pass

class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")

def leave():
    sys.exit()

def raising(kind):
    def fault():
        raise kind
    return fault

FAULTS = {
    "exit": leave,
    "panic": raising(Panic()),
    "interrupt": raising(KeyboardInterrupt()),
    "cancelled": raising(asyncio.CancelledError()),
    "unprintable": raising(Unprintable()),
    "moves": lambda: os.chdir(os.environ["ELSEWHERE"]),
}

class Nim:
    actions, observation_shape, games = 2, (1,), 0

    def reset(self, seed):
        Nim.games += 1
        first = int(os.environ["FIRST"])
        if Nim.games == first or Nim.games > first and os.environ["OFTEN"]:
            FAULTS[os.environ["FAULT"]]()
        self.stones, self.player = 10, 0

    def observation(self):
        return [self.stones / 10]

    def legal(self):
        return [True, self.stones >= 2]

    def to_move(self):
        return self.player

    def step(self, action):
        self.stones -= action + 1
        self.player = 1 - self.player
        return float(self.stones == 0), self.stones == 0
"""


def train_nim(folder, fault, first, often="", *words):
    (folder / "nim.py").write_text(ENVIRONMENT)
    (folder / "elsewhere").mkdir()
    environment = {
        "FAULT": fault,
        "FIRST": str(first),
        "OFTEN": often,
        "ELSEWHERE": str(folder / "elsewhere"),
    }
    words = ["--game", "python/nim:Nim", "--no-probe", "--run", "out", *sets("run.save_every=150"), *words]
    return command("train", *words, folder=folder, env=environment)


@pytest.mark.parametrize("fault", ["exit", "panic", "interrupt", "cancelled", "unprintable"])
def test_one_exception_of_any_kind_is_a_fault_and_the_run_continues(tmp_path, fault):
    result = train_nim(tmp_path, fault, 40)
    assert result.returncode == 0, result.stderr
    assert "environment faults so far: 1, the last: python/nim:Nim, environment " in result.stdout
    assert steps_saved(tmp_path / "out") >= 600


def test_an_environment_that_always_exits_ends_the_run_with_an_error_saved(tmp_path):
    result = train_nim(tmp_path, "exit", 40, "often")
    assert result.returncode == 4 and "SystemExit" in result.stderr and "Traceback" not in result.stderr
    assert "--resume out" in result.stdout and steps_saved(tmp_path / "out") > 0


def test_an_environment_that_can_never_work_is_not_offered_a_resume(tmp_path):
    result = train_nim(tmp_path, "exit", 5, "often")
    assert result.returncode == 4 and "21 games in a row broke" in result.stderr
    assert "--resume" not in result.stdout + result.stderr


@pytest.mark.parametrize("first", [1, 40])
def test_an_environment_that_changes_the_working_directory_loses_nothing(tmp_path, first):
    result = train_nim(tmp_path, "moves", first)
    assert result.returncode == 0 and "not written" not in result.stdout, result.stdout + result.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert steps_saved(tmp_path / "out") >= 600 and (tmp_path / "out" / "evaluation.json").exists()
    assert "muzero-eval out " in result.stdout

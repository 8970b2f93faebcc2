"""What a run shows while it learns."""

import io
import json
from dataclasses import replace

import pytest
import torch
from killing import go
from rich.console import Console
from statuses import START
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from muzero import build
from muzero.interfaces import Loss
from muzero.objectives.value_equivalence import ValueEquivalence
from muzero.runs.evaluations import Evaluation
from muzero.training.metrics import tag
from muzero.training.progress import Progress

LOSSES = {name: torch.tensor(0.5) for name in ("policy", "value", "reward", "drift", "gradient")}


@pytest.fixture
def shown(tmp_path):
    """A progress on a file, and what it printed."""
    stream = io.StringIO()
    progress = Progress(tmp_path, Console(file=stream, width=200))
    yield progress, stream, tmp_path
    progress.metrics.close()


def test_play_and_learning_in_turn_show_the_rates_of_both(shown):
    progress, stream, _ = shown
    for second in range(0, 61, 5):  # steps come every 20 seconds, updates in between
        steps, updates = 1000 + second // 20 * 200, 40 * second
        status = replace(START, clock=float(second), steps=steps, updates=updates, seconds=second, losses=LOSSES)
        progress.show(status)
    lines = stream.getvalue().splitlines()[4:]
    assert lines and all("steps/s" in line and "updates/s" in line for line in lines)
    assert not any(" 0 steps/s" in line or " 0 updates/s" in line for line in lines)


def test_a_rate_of_nothing_is_left_out(shown):
    progress, stream, _ = shown
    for second in (0, 20, 40):
        progress.show(replace(START, clock=float(second), steps=1000, updates=10 * second, losses=LOSSES))
    assert "10 updates/s" in stream.getvalue() and "steps/s" not in stream.getvalue()


def test_what_is_minimised_is_shown_apart_from_what_is_measured(shown):
    progress, stream, _ = shown
    progress.show(replace(START, updates=1, losses=LOSSES, terms=("policy", "value", "reward")))
    assert stream.getvalue().endswith("  loss policy 0.50 value 0.50 reward 0.50  drift 0.50 gradient 0.50\n")


def test_the_scores_of_exploring_and_of_greedy_play_are_named(shown):
    progress, stream, folder = shown
    evaluation = Evaluation(500, 5, 1.0, "trained", 10, 400.9, 380.0, 420.0, 2.0)
    progress.show(replace(START, score=20.27, length=19.0, greedy=evaluation))
    assert "exploring score 20.27" in stream.getvalue() and "greedy score 400.90" in stream.getvalue()
    row = json.loads((folder / "metrics.jsonl").read_text())
    assert row["self_play_score"] == 20.27 and row["self_play_length"] == 19.0


def test_a_line_about_an_evaluation_is_not_padded_where_no_terminal_is(tmp_path):
    stream = io.StringIO()
    progress = Progress(tmp_path, Console(file=stream, width=1_000_000))  # as commands set it for pipes and files
    progress.evaluated(Evaluation(500, 5, 1.0, "trained", 10, 400.9, 380.0, 420.0, 2.0), START)
    progress.metrics.close()
    assert stream.getvalue() == "greedy score after 500 steps, trained: 400.90 ± 20.00 (10 games, 2.0 s)\n"


def test_a_warning_is_shown_once_and_at_once(shown):
    progress, stream, _ = shown
    for clock in (0.0, 0.1, 0.2):
        progress.show(replace(START, clock=clock, warnings=("the disk is \x1b[2Jfull",)))
    assert stream.getvalue().count("warning: the disk is full") == 1


def test_tensorboard_shows_scores_and_losses_before_everything_else():
    names = ["self_play_score", "self_play_length", "evaluation/trained", "loss/value", "loss/policy"]
    others = ["environment_faults", "recoveries", "actors/alive", "orders/balance", "time/play", "replay_rows"]
    ordered = sorted(map(tag, [*others, *names]))
    assert set(ordered[: len(names)]) == set(map(tag, names))
    assert tag("environment_faults") == "faults/environment_faults" and tag("time/play") == "time/play"
    assert all("/" in each for each in ordered)


class Curious(ValueEquivalence):
    """MuZero's objective with one more term and one more metric."""

    def forward(self, *given):
        loss = super().forward(*given)
        extra = {"novelty": loss.terms["value"] * 0.5}
        return Loss(loss.terms | extra, loss.priority, {**loss.metrics, "surprise": loss.priority.max()})


def test_a_new_term_and_a_new_metric_of_an_objective_are_shown_everywhere(tmp_path, monkeypatch):
    monkeypatch.setitem(build.SCHEMA["objective"], "curious", Curious)
    stream = io.StringIO()
    go(tmp_path, "gym/CartPole-v1", "objective.kind=curious", console=Console(file=stream, width=10_000))
    names = ["policy", "value", "reward", "discount", "consistency", "novelty", "value_error", "surprise", "gradient"]
    last = stream.getvalue().splitlines()[-1]
    words = last.partition("loss ")[2].split()
    assert words[::2] == names
    row = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert [key.removeprefix("loss/") for key in row if key.startswith("loss/")] == names
    assert [f"{row[f'loss/{name}']:.2f}" for name in names] == words[1::2]
    assert row["loss/novelty"] == pytest.approx(row["loss/value"] / 2)
    assert row["loss/surprise"] >= row["loss/value_error"] > 0
    (file,) = tmp_path.glob("events.*")
    *_, event = EventFileLoader(str(file)).Load()
    values = {value.tag: value for value in event.summary.value}
    for name in names:
        assert values[f"2_loss/{name}"].tensor.float_val[0] == pytest.approx(row[f"loss/{name}"])


def test_a_line_says_that_learning_has_not_begun(shown):
    progress, stream, _ = shown
    progress.show(START)
    assert "learning begins at 1,000 steps" in stream.getvalue() and "loss" not in stream.getvalue()

"""The dashboard of a run: it fits every terminal, leaves it clean, and changes nothing that is learned."""

import io
import os
import pty
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import commands
import numpy as np
import pytest
import torch
from commands import sets
from killing import digest, made
from rich.console import Console
from statuses import START

from muzero.cli.showing import progress_of
from muzero.interactive.thoughts import Move
from muzero.runs.evaluations import Evaluation
from muzero.training import progress as lines
from muzero.training.progress import Progress
from muzero.training.view import dashboard, shown_game
from muzero.training.view.bottleneck import limit, shares
from muzero.training.view.chart import chart, short, sparkline
from muzero.training.view.dashboard import Dashboard
from muzero.training.view.game_panel import facts
from muzero.training.view.history import MOST, History
from muzero.training.view.layout import laid_out
from muzero.training.view.panels import View
from muzero.training.view.shown_game import Shown, ShownGame

SIZES = [(160, 45), (100, 30), (80, 24), (60, 20), (60, 12), (110, 12), (40, 8), (30, 6), (20, 3), (200, 60)]
LOSSES = {name: torch.tensor(0.5) for name in ("policy", "value", "reward", "discount", "gradient")}
BOARD = ". . . . . . .\n" * 5 + ". x . . . . .\n0 1 2 3 4 5 6"
MOVES = [Move(a, f"o{a}", 0.14, 20 - a, 0.2, None if a == 6 else 0.1 * a) for a in range(7)]
GAME = Shown(3, 8, BOARD, None, "o", MOVES, "o0", 0.21, 0.18, ["o0", "x3"], None, [0.0, 0.9], [0.0, 1.0])
FRAME = replace(GAME, text="", frame=np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8), player="")
NUMBERS = replace(GAME, moves=(), line=(), played="[0.5]", searched=False, numbers="[0.25]")
WARNING = "warning: the learner starves: it waits for games 80% of the time; learn more from each step [b] \x1b[2J"


def view(folder, **changes):
    """What a dashboard shows in the middle of a run."""
    greedy = Evaluation(50_000, 5, 1.0, "trained", 10, 400.9, 380.0, 420.0, 2.0)
    status = replace(
        START,
        clock=60.0,
        steps=52_345,
        goal=100_000,
        updates=12_345,
        seconds=3725.0,
        done=0.52,
        losses=LOSSES,
        terms=("policy", "value", "reward", "discount"),
        score=20.27,
        length=19.0,
        greedy=greedy,
        comparison="on track",
        phases={"play": 20.0, "learn": 35.0, "save": 1.0},
        apart=True,
        counters={"health/policy_entropy": 0.61, "health/value_explained": -0.001},
    )
    history = History(folder)
    for step in range(0, 52_345, 500):
        history.add(replace(status, steps=step, score=step**0.5))
    found = View(
        title="board/connect_four",
        where="run in runs/board/connect_four/2026",
        status=status,
        left=3725.0,
        rates={"steps/s": 1234.0, "updates/s": 0.2},
        spent=shares(status, START),
        history=history,
        shown=GAME,
        silence="",
        said=[WARNING],
    )
    return replace(found, **changes) if changes else found


def drawn(shown, width, height, colour="truecolor"):
    """The lines of a dashboard in a terminal."""
    console = Console(record=True, file=io.StringIO(), width=width, height=height, color_system=colour)
    console.print(laid_out(shown, width, height), height=height)
    return console.export_text(styles=False).rstrip("\n").split("\n")


def test_a_planner_without_a_tree_is_not_called_a_search():
    said = " ".join(facts(NUMBERS, 60, 20))
    assert "plays [0.5]" in said and "the network alone would play [0.25]" in said and "value +0.18 by" in said
    assert "search" not in said and "expects" not in said


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("shown", [GAME, FRAME, NUMBERS, None, replace(GAME, moves=[]), replace(GAME, text="0.1 0.2")])
@pytest.mark.parametrize("colour", ["truecolor", None])
def test_a_dashboard_fits_its_terminal(tmp_path, width, height, shown, colour):
    found = drawn(view(tmp_path, shown=shown), width, height, colour)
    assert len(found) <= height and max(map(len, found)) <= width
    assert "steps" in found[0] and ("1h02m left" in found[0] or width < 40)
    assert not any("\x1b" in line for line in found)


@pytest.mark.parametrize(("width", "height"), SIZES[:4])
def test_a_dashboard_shows_score_game_time_and_warnings(tmp_path, width, height):
    text = "\n".join(drawn(view(tmp_path), width, height))
    for part in (
        "exploring 20.3",
        "greedy 401",
        ". x . . . . .",
        "o0",
        "visits",
        "Balanced: the learner waits",
        "starves",
    ):
        assert part in text, part
    assert "\x1b" not in text
    if width >= 100:
        for part in ("loss policy", "undecided policy", "61%", "1,234 steps/s", "reward predicted +0.90, real +1.00"):
            assert part in text, part


def test_a_run_that_has_just_begun_has_a_dashboard(tmp_path):
    empty = view(tmp_path, status=START, left=None, rates={}, spent={}, history=History(tmp_path), shown=None, said=[])
    for size in SIZES:
        assert max(map(len, drawn(empty, *size))) <= size[0]
    text = "\n".join(drawn(empty, 120, 40))
    for part in ("time left: not known yet", "nothing to show yet", "learning begins at 1,000 steps", "No warnings."):
        assert part in text, part


def test_a_chart_goes_from_corner_to_corner():
    drawn_lines = chart([(0, 0.0), (50, 5.0), (100, 10.0)], [(100, 10.0)], 30, 6).plain.split("\n")
    assert len(drawn_lines) == 6 and all(len(line) <= 30 for line in drawn_lines)
    assert drawn_lines[0].startswith("10 ") and drawn_lines[0].endswith("●")
    assert drawn_lines[4].startswith(" 0 ") and drawn_lines[4][3] != " "
    assert drawn_lines[5].split() == ["0", "100"]
    for points in ([], [(1, 2.0)], [(1, float("nan"))], [(5, 2.0), (5, 3.0)]):
        chart(points, points, 20, 4)


def test_what_takes_long_to_draw_is_drawn_less_often(tmp_path, monkeypatch):
    training = made(tmp_path, "board/tic_tac_toe")
    seconds = iter([1.0, 1.0, 1.0, 2.0])  # nothing, then a second
    monkeypatch.setattr(dashboard, "time", SimpleNamespace(perf_counter=lambda: next(seconds)))
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=30)
    found = progress_of(training, console, view=True)
    found.show(training.status())
    assert found.screen_every == dashboard.SCREEN_SECONDS
    found._refresh()
    assert found.screen_every == pytest.approx(1 / dashboard.DRAWING)
    training.close()


def test_numbers_and_curves_are_short():
    assert [short(number) for number in (0.12345, 999.5, 9_999, 12_345, 2.5e6)] == [
        "0.123",
        "1,000",
        "9,999",
        "12.3k",
        "2.5M",
    ]
    assert sparkline([0, 1, 2, float("nan"), 3], 10) == "▁▃▆█" and sparkline([1], 10) == ""


def test_what_limits_a_run_is_named():
    def said(play, learn, **changes):
        return " ".join(limit(replace(START, steps=5000, apart=True, **changes), {"play": play, "learn": learn}))

    assert "The learner waits for games 70%" in said(0.7, 0.2) and "--actors auto" in said(0.7, 0.2)
    assert "Games wait for the learner, busy 95%" in said(0.02, 0.95)
    assert "One process plays (70%)" in " ".join(limit(replace(START, steps=5000), {"play": 0.7, "learn": 0.2}))
    assert "learning begins at 10,000 steps" in said(0.9, 0.0, start=10_000)


def test_a_history_stays_small_and_a_resumed_run_has_its_earlier_part(tmp_path):
    history = History(tmp_path)
    for step in range(0, 100_000, 7):
        history.add(replace(START, steps=step, score=float(step)))
    assert MOST / 3 < len(history.exploring) <= MOST and history.exploring[-1][0] > 99_000
    (tmp_path / "metrics.jsonl").write_text('{"steps": 10, "self_play_score": 2.5}\n{"steps": "x"}\nno\n')
    assert History(tmp_path).exploring == [(10, 2.5)]


# --- the game that is shown ----------------------------------------------------------------------------------------


def watched(folder, game, *settings, console=None):
    """A run with a dashboard, and its shown game."""
    training = made(folder, game, *settings)
    console = console or Console(file=io.StringIO(), force_terminal=True, width=100, height=30)
    drawing = progress_of(training, console, view=True)
    assert isinstance(drawing, Dashboard)
    training.run(drawing)
    drawing.close(training.status())
    training.experience.close()
    return training, drawing


@pytest.mark.parametrize(
    ("game", "settings"),
    [("board/tic_tac_toe", ()), ("gym/CartPole-v1", ("learner.average=0.9", "actors.overlap=off"))],
)
def test_a_run_learns_the_same_with_and_without_a_dashboard(tmp_path, monkeypatch, game, settings):
    monkeypatch.setattr(shown_game, "PERIOD", 0.0)
    monkeypatch.setattr(shown_game, "SHARE", 1e9)
    monkeypatch.setattr(lines, "SCREEN_SECONDS", 0.0)
    monkeypatch.setattr(dashboard, "SCREEN_SECONDS", 0.0)
    monkeypatch.setattr(dashboard, "DRAWING", 1e9)
    seen, drawing = watched(tmp_path / "with", game, *settings)
    shown = drawing.game.newest
    assert not drawing.game.error and shown is not None and drawing.game.games > 1
    assert sum(move.visits for move in shown.moves) == 4 and len(shown.predicted) == len(shown.real) > 5
    plain = made(tmp_path / "without", game, *settings)
    plain.run(progress := Progress(tmp_path / "without", Console(quiet=True)))
    progress.close(plain.status())
    plain.experience.close()
    assert digest(seen) == digest(plain)


def test_the_shown_game_takes_a_bounded_share_of_the_time(tmp_path, monkeypatch):
    training = made(tmp_path, "board/tic_tac_toe")
    game, clock, spent = ShownGame(training.config, training.learner.acting), [0.0], []
    training.close()
    monkeypatch.setattr(shown_game, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    game.live = game  # prepared

    def move():
        clock[0] += 0.1
        spent.append(0.1)

    game._move = move
    for _ in range(50_000):
        clock[0] += 0.01
        game.look()
    assert 4 < sum(spent) <= shown_game.SHARE * clock[0] + 0.1


def test_a_game_that_cannot_be_shown_says_why_and_the_run_continues(tmp_path, monkeypatch):
    def broken(*given):
        raise RuntimeError("no \x1b[2J display")

    monkeypatch.setattr(shown_game, "LiveGame", broken)
    training, drawing = watched(tmp_path, "board/tic_tac_toe")
    assert drawing.game.error == "RuntimeError: no  display"
    assert training.replay.steps >= 600


def test_a_dashboard_that_fails_gives_way_to_lines(tmp_path, monkeypatch):
    def broken(*given):
        raise IndexError("no such panel")

    monkeypatch.setattr(dashboard, "laid_out", broken)
    stream = io.StringIO()
    training, drawing = watched(
        tmp_path, "board/tic_tac_toe", "run.steps=300", console=Console(file=stream, force_terminal=True, width=120)
    )
    after = stream.getvalue().rpartition("\x1b[?1049l")[2]
    assert training.replay.steps >= 300 and drawing.live is None
    assert "the dashboard failed, lines follow (IndexError: no such panel)" in after and "300 steps" in after


# --- the terminal --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_lost_terminal_does_not_end_a_run(tmp_path, monkeypatch, after):
    monkeypatch.setattr(lines, "SCREEN_SECONDS", 0.0)
    monkeypatch.setattr(dashboard, "SCREEN_SECONDS", 0.0)
    monkeypatch.setattr(dashboard, "DRAWING", 1e9)

    class Fragile(io.StringIO):
        left = after

        def write(self, text):
            if self.left == 0:
                raise OSError(5, "the terminal is gone")
            self.left -= 1
            return super().write(text)

    console = Console(file=Fragile(), force_terminal=True, width=100, height=30)
    training, drawing = watched(tmp_path, "board/tic_tac_toe", "run.steps=300", console=console)
    assert drawing.silent and training.replay.steps >= 300


def test_without_a_terminal_there_are_lines_and_a_word_why(tmp_path):
    stream = io.StringIO()
    training = made(tmp_path, "board/tic_tac_toe")
    found = progress_of(training, Console(file=stream, width=200), view=True)
    training.close()
    assert type(found) is Progress and stream.getvalue() == (
        "--view needs a terminal to draw on, and the output is not a terminal: showing lines\n"
    )


def in_terminal(folder, stop, *words):
    """What a command with a dashboard writes to its terminal, of 24 lines, until a signal stops it."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "LINES": "24", "COLUMNS": "80"}
    code = commands.code("train")
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written, sent = b"", 0
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # the other end is closed
            break
        written += part
        if b"exploring" in written and sent < stop:
            process.send_signal(signal.SIGINT)
            sent += 1
    os.close(ours)
    return process.wait(timeout=300), written.decode("utf-8", "replace")


def test_an_interrupted_dashboard_leaves_a_clean_terminal(tmp_path):
    words = ["--game", "board/tic_tac_toe", "--run", "run", "--view", *sets("run.steps=20000", "run.start=64")]
    code, written = in_terminal(tmp_path, 1, *words)
    assert code == 128 + signal.SIGINT and "Traceback" not in written
    before, _, during = written.partition("\x1b[?1049h")
    assert "weights on cpu" in before
    after = during.rpartition("\x1b[?1049l")[2]
    assert during.count("\x1b[?1049l") == 1 and "\x1b[?25h" in during
    assert "saved; resume it with: muzero-train --resume run" in after and "steps" in after


def test_a_second_signal_gives_the_terminal_back_too(tmp_path):
    training = made(tmp_path, "board/tic_tac_toe")
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream:
        drawing = progress_of(training, Console(file=stream, force_terminal=True, width=80, height=24), view=True)
        drawing.show(training.status())
        training.stop.leave()
    training.close()
    with os.fdopen(read, "rb") as found:
        assert found.read().count(b"\x1b[?1049l\x1b[?25h") == 1

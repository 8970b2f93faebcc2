"""A lost terminal or a full disk loses what was to be printed or written there, and nothing more."""

import errno
import io
import json
import os
import pty
import subprocess
import sys

import commands
import killing
import pytest
from commands import Running, sets
from disks import room
from rich.console import Console

from muzero.cli import tables
from muzero.cli.output import Outlet
from muzero.runs import checkpoint
from muzero.training import metrics, progress
from muzero.training.metrics import Metrics
from muzero.training.progress import Progress

# --- in process ----------------------------------------------------------------------------------------------------


class Fragile(io.StringIO):
    """A stream that fails after some writes."""

    def __init__(self, error, after=0):
        super().__init__()
        self.error, self.left = error, after

    def write(self, text):
        if self.left == 0:
            raise self.error
        self.left -= 1
        return super().write(text)


GONE = [BrokenPipeError(), OSError(errno.EIO, "the terminal is gone"), ValueError("I/O operation on closed file")]


@pytest.mark.parametrize("error", GONE, ids=["pipe", "terminal", "closed"])
def test_an_outlet_whose_reader_left_takes_everything_and_says_why(error):
    stream = Fragile(error, after=1)
    outlet = Outlet(stream)
    for word in ("one", "two", "three"):
        assert outlet.write(word) == len(word)
        outlet.flush()
    assert stream.getvalue() == "one" and outlet.broken is error and not outlet.isatty()


@pytest.mark.parametrize("error", [*GONE, ConnectionResetError(), OSError(errno.EBADF, "not open for writing")])
def test_an_output_without_a_reader_is_not_incomplete(error, monkeypatch):
    stream = Fragile(error)
    monkeypatch.setattr(stream, "isatty", lambda: True)
    outlet = Outlet(stream)
    outlet.write("one")
    assert outlet.broken is error and outlet.incomplete is None


def test_a_terminal_that_was_closed_has_no_reader():
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        outlet = Outlet(stream)
        os.close(ours)
        print("one", file=outlet, flush=True)
        assert getattr(outlet.broken, "errno", None) == errno.EIO and outlet.incomplete is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EIO])
def test_a_file_that_could_not_be_written_is_incomplete(number):
    outlet = Outlet(Fragile(OSError(number, os.strerror(number))))
    assert outlet.incomplete is None
    outlet.write("one")
    assert outlet.incomplete is outlet.broken


def test_an_outlet_for_a_stream_that_never_was_takes_everything():
    outlet = Outlet(None)
    print("one", file=outlet, flush=True)
    Console(file=outlet).print("two")
    assert outlet.broken is None and not outlet.isatty()


def test_what_an_encoding_lacks_is_spelt_out():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    outlet = Outlet(stream)
    print("±", file=outlet, flush=True)
    assert stream.buffer.getvalue() == b"\\xb1\n" and outlet.broken is None


@pytest.mark.parametrize("error", GONE, ids=["pipe", "terminal", "closed"])
@pytest.mark.parametrize("live", [True, False])
def test_progress_falls_silent_if_the_console_fails_metrics_continue(tmp_path, error, live, monkeypatch):
    monkeypatch.setattr("muzero.training.progress.PLAIN_SECONDS", 0.0)
    monkeypatch.setattr("muzero.training.progress.SCREEN_SECONDS", 0.0)
    monkeypatch.setattr("muzero.training.progress.FILE_SECONDS", 0.0)
    monkeypatch.setattr(Console, "on_broken_pipe", leave)  # as rich does it, but for the standard output
    made = killing.made(tmp_path, "gym/CartPole-v1", "run.steps=200", "run.evaluate_every=100")
    stream = Fragile(error, after=3)
    progress = Progress(tmp_path, Console(file=stream, force_terminal=live, width=80))
    assert made.run(progress) is None
    progress.close(made.status())
    assert progress.silent and stream.getvalue()
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["steps"] >= 200 and any("evaluation/trained" in row for row in rows)


def leave(console):
    raise SystemExit(1)


def test_tensorboard_reads_metrics_also_after_a_full_disk(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    metrics = Metrics(tmp_path)
    metrics.add({"steps": 1}, {"loss/value": 0.5, "rate": 3})
    with room(60):
        metrics.add({"steps": 2}, {"loss/value": 0.25, "rate": 3})
    metrics.add({"steps": 3}, {"loss/value": 0.125})
    metrics.close()
    assert metrics.dropped == 2
    read = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in read.Scalars("2_loss/value")] == [(1, 0.5), (3, 0.125)]
    assert [json.loads(line)["steps"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [1, 3]


# --- the commands --------------------------------------------------------------------------------------------------


def left(name, *words, folder):
    """Run a command whose reader leaves after its first line; returns its exit code, that line, and its complaints."""
    process = Running(name, *words, folder=folder)
    first = process.stdout.readline()
    process.stdout.close()
    errors = process.communicate()[1]
    return process.returncode, first, errors


def piped(code, *words, folder, lines=1):
    """The same of code in a fresh process whose reader leaves after so many lines."""
    process = subprocess.Popen(
        [sys.executable, *["-u"] * (lines > 0), "-c", code, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    read = [process.stdout.readline() for _ in range(lines)]
    process.stdout.close()
    errors = process.stderr.read()
    return process.wait(timeout=300), "".join(read), errors


@pytest.fixture(scope="module")
def unread(tmp_path_factory):
    """A run whose reader left after its first line."""
    folder = tmp_path_factory.mktemp("unread")
    words = ["--game", "board/tic_tac_toe", "--run", "[/b] :smile:", *sets("run.evaluate_every=200")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "PLAIN_SECONDS", 0.0)
        patch.setattr(progress, "FILE_SECONDS", 0.0)
        return folder / "[/b] :smile:", *left("train", *words, folder=folder)


def test_a_run_whose_reader_left_goes_on_to_its_end_and_saves(unread):
    run, code, first, errors = unread
    assert (code, errors) == (0, "")
    assert "run in [/b] :smile:" in first
    assert checkpoint.latest(run / "checkpoints")[0].step >= 600
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["steps"] >= 600 and sum("evaluation/against random" in row for row in rows) >= 2
    assert (run / "evaluation.json").is_file()


@pytest.mark.parametrize("lines", [0, 1])  # buffered to the end, and line by line
def test_a_command_whose_reader_left_does_its_work_and_says_nothing(unread, tmp_path, lines):
    def quiet(name, *words):
        if lines:
            code, _, errors = left(name, *words, folder=tmp_path)
        else:
            code, _, errors = piped(commands.code(name), *words, folder=tmp_path, lines=0)
        return (code, errors) == (0, "")

    assert quiet("games")
    if lines:
        assert quiet("tree", unread[0], "--html", "tree.html")
        assert (tmp_path / "tree.html").is_file()
    else:
        assert quiet("evaluate", unread[0], "--against", "random", "--games", "4", "--json", "out.json")
        assert json.loads((tmp_path / "out.json").read_text())["games"] == 4


def shell(line, folder):
    """A line of a shell in which $MUZERO is a command's beginning."""
    environment = os.environ | {"PYTHON": sys.executable, "CODE": commands.code("games")}
    return subprocess.run(["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


GAMES = '"$PYTHON" -c "$CODE"'


def test_an_incomplete_output_is_an_error_a_closed_one_is_not(tmp_path):
    full = shell(f"{GAMES} > /dev/full", tmp_path)
    assert full.returncode == 1 and "the output could not be written: [Errno 28] No space left" in full.stderr
    assert "Traceback" not in full.stderr and len(full.stderr.splitlines()) == 1
    silent = {">&- 2>&-": 0, "1</dev/null": 0, "--hlep 2>&-": 2, "--hlep 2>/dev/full": 2}
    for words, code in silent.items():
        result = shell(f"{GAMES} {words}", tmp_path)
        assert (result.returncode, result.stderr) == (code, ""), words


class Full(metrics.Rows):
    def write(self, row):
        raise OSError(28, "No space left on device")


def test_a_run_without_any_room_for_metrics_learns_and_saves(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "Rows", Full)
    done = commands.command("train", "--game", "gym/CartPole-v1", "--run", "run", *sets(), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "rows of metrics could not be written" in done.stdout
    assert checkpoint.latest(tmp_path / "run" / "checkpoints")[0].step >= 600


def test_a_folder_named_like_markup_is_printed_as_it_is(capsys):
    tables.terminal().print("run in [/b] [red]x :smile:")
    assert capsys.readouterr().out == "run in [/b] [red]x :smile:\n"

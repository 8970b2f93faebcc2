"""The commands' options and messages: misspelt options find the right one, no text from outside does any harm."""

import random
import re
import time
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from edits import one_edit
from hypothesis import example, given, settings
from hypothesis import strategies as st

from muzero.cli import exits, parser, train, train_runs
from muzero.cli.agent_options import refuse_absent
from muzero.cli.bench import bench_command
from muzero.cli.evaluate.command import evaluate_command
from muzero.cli.games import games_command
from muzero.cli.report import report_command
from muzero.cli.train import train_command
from muzero.cli.train_options import train_parser
from muzero.cli.tree import tree_command
from muzero.cli.watch import watch_command
from muzero.config import ConfigError
from muzero.interfaces import EnvironmentFault
from muzero.runs import folder as folders
from muzero.runs.folder import require_run
from muzero.runs.zoo import located
from muzero.util.text import printable

COMMANDS = {
    "train": (train_command, []),
    "eval": (evaluate_command, ["run"]),
    "games": (games_command, []),
    "tree": (tree_command, ["run"]),
    "bench-search": (lambda words: bench_command(["search", *words]), []),
    "bench-inference": (lambda words: bench_command(["inference", *words]), []),
}


def refusal(command, words, capsys):
    with pytest.raises(SystemExit) as caught:
        command(words)
    assert caught.value.code == exits.BAD_USAGE
    return capsys.readouterr().err


@pytest.fixture
def options(monkeypatch):
    """The options of a command, by calling it for help."""
    seen = []
    monkeypatch.setattr(parser.Parser, "print_help", lambda self, file=None: seen.extend(self.options()))

    def listed(command):
        seen.clear()
        with pytest.raises(SystemExit):
            command(["--help"])
        return list(seen)

    return listed


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_with_one_edit_is_found(name, options, capsys):
    if name == "bench-inference":
        pytest.importorskip("onnxruntime")
    command, before = COMMANDS[name]
    known = options(command)
    right = tried = 0
    for option in known:
        wrong = {edit.replace("_", "-") for edit in one_edit(option)} - {*known, "", "-", "--"}
        # A word without a dash is a word, where words are taken.
        wrong = sorted(edit for edit in wrong if edit.startswith("-") or name != "games")
        for edit in random.Random(option).sample(wrong, min(40, len(wrong))):
            message = refusal(command, [*before, edit, "3"], capsys)
            right += "did you mean" in message and option in message.split("did you mean")[1]
            tried += 1
    assert tried > 20 and right >= 0.95 * tried


def test_a_misspelt_required_option_choice_or_benchmark_is_found(capsys):
    assert "no option --againts=none; did you mean --against?" in refusal(
        evaluate_command, ["r", "--againts=none"], capsys
    )
    assert "no option x--against; did you mean --against?" in refusal(
        evaluate_command, ["r", "x--against", "none"], capsys
    )
    assert "did you mean cuda?" in refusal(train_command, ["--game", "x", "--device", "cudda"], capsys)
    assert bench_command(["serach"]) == exits.BAD_USAGE
    assert "did you mean search?" in capsys.readouterr().err
    assert bench_command([]) == exits.BAD_USAGE
    assert "muzero-bench: name a benchmark\n" in capsys.readouterr().err
    assert "muzero-train: no option --game\n" in refusal(train_command, ["--\x1b[31mgame\a", "x"], capsys)


@pytest.mark.parametrize("command", [watch_command, evaluate_command])
def test_a_command_without_a_run_names_one_that_is_there(command, capsys):
    said = refusal(command, [], capsys)
    name = re.search(r"for example: muzero-\w+ (zoo/\S+) ", said)
    assert name and located(Path(name[1])).is_dir()


def test_a_run_that_is_not_there_is_compared_with_those_beside_it(tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "config.toml").touch()
    with pytest.raises(ConfigError, match=f"has no config.toml; did you mean {tmp_path / 'first'}\\?"):
        require_run(tmp_path / "frist")
    with pytest.raises(ConfigError, match=r"has no config.toml$"):
        require_run(tmp_path / "nowhere" / "first")
    with pytest.raises(ConfigError, match="zoo/brekout:3: no such run; did you mean zoo/breakout"):
        refuse_absent("zoo/brekout:3")


def test_a_word_that_is_not_an_option_is_answered_with_its_option(capsys):
    message = "unexpected 'board/tic_tac_toe'; did you mean --game board/tic_tac_toe?"
    assert message in refusal(train_command, ["board/tic_tac_toe"], capsys)
    assert "unexpected 'now'\n" in refusal(train_command, ["--game", "board/tic_tac_toe", "now"], capsys)
    assert "no player lader; did you mean muzero-eval ladder?" in refusal(evaluate_command, ["lader", "r"], capsys)
    assert "'many' is not a whole number" in refusal(train_command, ["--steps", "many"], capsys)


# --- messages ------------------------------------------------------------------------------------------------------


HOSTILE = "\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m \x9b31m\r\b\x00\u202e\u2028end"


def test_what_a_terminal_would_obey_is_not_printed():
    assert printable(HOSTILE) == "red   end"
    assert printable("\x1b]0;no end") == "0;no end"
    assert printable("one\ntwo\tthree é 日本 \ud800") == "one two three é 日本 "


@given(st.text(st.characters() | st.sampled_from("\x1b[]\x07\x9b\x9d;m\\")), st.integers(0, 80))
def test_any_text_becomes_one_line_of_printable_text_of_limited_length(text, limit):
    shown = printable(text, limit)
    assert shown.isprintable() and len(shown) <= limit
    assert printable(shown, limit) == shown
    if text.isprintable() and len(text) <= limit:
        assert shown == text


def test_a_long_text_loses_its_middle():
    assert printable("a" * 10**7 + "z", 9) == "aaaa...az"
    assert printable("abc" * 20) == "abc" * 20
    assert len(printable("\x1b" * 10**7)) <= 60


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ConfigError([f"one {HOSTILE}", "two\nthree"]), "error: one red   end\ntwo three"),
        (EnvironmentFault(f"step 3: {HOSTILE}\nFile x"), "error: step 3: red   end\nFile x"),
        (EnvironmentFault("\n".join(map(str, range(1000)))), "error: 0\n1\n2\n"),
        (OSError("x" * 10**6), "xxx...xxx"),
    ],
)
def test_an_error_is_printed_in_bounds_without_control_characters(error, shown, capsys):
    assert exits.fail(error, 4) == 4
    printed = capsys.readouterr().err
    assert shown in printed
    assert len(printed) < 3000 and all(line.isprintable() for line in printed.split("\n"))


def test_all_problems_of_a_configuration_are_printed(capsys):
    exits.fail(ConfigError([f"problem {number}" for number in range(500)]), 2)
    assert "problem 499" in capsys.readouterr().err


RUN_WANTED = {
    "train": (train_command, "--resume RUN"),
    "eval": (evaluate_command, "RUN"),
    "eval-step": (evaluate_command, "RUN:300@4"),
    "eval-against": (evaluate_command, "random --game board/tic_tac_toe --against RUN"),
    "eval-positions": (evaluate_command, "RUN --positions all"),
    "ladder": (evaluate_command, "ladder random RUN"),
    "tree": (tree_command, "RUN"),
    "report": (report_command, "RUN"),
}


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("name", RUN_WANTED)
def test_a_folder_that_is_not_a_run_is_wrong_usage_of_every_command(name, exists, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if exists:
        (tmp_path / "folder").mkdir()
    command, words = RUN_WANTED[name]
    given = words.replace("RUN", "folder").split()
    assert exits.outcome(lambda _: command(given)) == exits.BAD_USAGE
    printed = capsys.readouterr().err
    assert printed.startswith("error: folder") and printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"] * exists


# --- the run's folder ----------------------------------------------------------------------------------------------


LOOK_ALIKES = "\ufb01le/\uff0e\uff0e/\u0445\u2215\u2044"  # a ligature, wide full stops, a Cyrillic x, other slashes
NAMES = ["..", "/", "\0", "-rf", "CON", "a/../../b", "//etc/passwd", "..\\..\\x", "com1.txt", "x" * 5000, "~", ""]
NAMES += [LOOK_ALIKES]
BEGAN = time.struct_time((2026, 1, 2, 3, 4, 5, 4, 2, 0))


@given(st.text(st.characters() | st.sampled_from("./\\-_~ab"), max_size=200))
@settings(deadline=None)
@example("a/" * 2500)
@example("aux/" + "y" * 300)
def test_the_folder_of_a_run_is_a_plain_one_below_runs_for_any_name(game):
    check(game)


@pytest.mark.parametrize("game", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("kind", ["", "gym/", "python/"])
def test_the_folder_of_a_run_is_a_plain_one_below_runs(kind, game):
    check(kind + game)


def check(game):
    folder = folders.run_folder(game, 3, BEGAN)
    first, *rest = folder.parts
    assert first == "runs" and 1 <= len(rest) <= 3 and rest[-1] == "20260102-030405-s3"
    for part in rest:
        assert folders.plain_name(part) == part and len(part) <= 64
        assert part[0].isalnum() and part.isascii() and part[-1] != "."
        assert not PureWindowsPath(part).is_reserved()
    assert PurePosixPath(*rest).is_relative_to("") and Path("/r", folder).resolve().is_relative_to("/r/runs")


def test_the_folder_of_a_run_is_called_after_the_game():
    assert folders.run_folder("gym/CartPole-v1", 0, BEGAN) == Path("runs/gym/CartPole-v1/20260102-030405-s0")
    assert folders.run_folder("board/go(board_size=9)", 0, BEGAN).parts[1:3] == ("board", "go_board_size_9_")
    assert folders.run_folder("gym/ALE/Pong-v5", 0, BEGAN).parts[1:3] == ("gym", "ALE_Pong-v5")
    long = [folders.plain_name("x" * 100 + end) for end in "ab"]
    assert long[0] != long[1] and all(name.startswith("xxx") for name in long)


def test_two_runs_that_begin_in_the_same_second_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_runs.time, "localtime", lambda: BEGAN)
    options = train_parser().parse_args(["--game", "gym/CartPole-v1"])
    _, first, _ = train.begun(options)
    first.mkdir(parents=True)
    _, second, _ = train.begun(options)
    assert (first.name, second.name) == ("20260102-030405-s0", "20260102-030405-s0.1")

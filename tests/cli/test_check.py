"""muzero-check: what it prints, its exit codes, and environments that hang or end the process."""

import os
import re

import pytest

from muzero.cli import check
from muzero.cli.check import check_command

MODULE = """
import os, signal, sys, time
import numpy as np
from plain_games import Plain


class Good(Plain):
    def reset(self, seed=None, options=None):
        self.length = 3 + np.random.default_rng(seed).integers(8)
        return super().reset()

    def seen(self):
        return np.array([self.steps / 10, 0], np.float32)

    def step(self, action):
        found = super().step(action)
        return (*found[:2], bool(self.steps == self.length), *found[3:])


class Four(Good):
    def step(self, action):
        return self.seen(), 1.0, False, {}


class Hangs(Good):
    def step(self, action):
        while True:
            pass


class Exits(Good):
    def step(self, action):
        os._exit(3)


class Crashes(Good):
    def step(self, action):
        os.kill(os.getpid(), signal.SIGSEGV)


class Talks(Good):
    def step(self, action):
        print("a step")
        return super().step(action)
"""


@pytest.fixture
def checked(tmp_path, monkeypatch, capfd):
    """The exit code, output and errors of muzero-check of a class of the module above."""
    (tmp_path / "to_check.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)

    def run(name, *words):
        game = name if "/" in name else f"python/to_check:{name}"
        code = check_command([game, *words])
        return code, *capfd.readouterr()

    return run


def test_a_good_environment_gives_a_table_and_0(checked):
    code, out, _ = checked("Good")
    lines = out.splitlines()
    assert code == 0 and lines[0] == "python/to_check:Good"
    assert "all good" in lines[-1] and "muzero-train --game python/to_check:Good --dry-run" in lines[-1]
    assert len(lines) == 12 and all(re.match(r"  [a-z ]+ ok  ", line) for line in lines[1:-1])


def test_a_fault_gives_1_and_three_lines_that_explain_it(checked):
    code, out, _ = checked("Four")
    assert code == 1 and "1 fault: a run would not learn this game as it is meant" in out
    lines = [line.split(None, 1) for line in out.splitlines()]
    assert [name for name, *_ in lines if name in ("seen", "expected", "remedy")] == ["seen", "expected", "remedy"]
    assert re.search(r"seen +step returned 4 values, .*\n +expected .*\n +remedy +gymnasium's five .*split done", out)


def test_an_environment_that_hangs_is_ended_and_its_line_is_named(checked, monkeypatch):
    monkeypatch.setattr(check, "PATIENCE", 0.5)
    code, out, _ = checked("Hangs", "--seconds", "0.5")
    line = 1 + MODULE.splitlines().index("            pass")
    assert code == 1 and re.search(
        rf"an answer +fault\n +seen +it did not return .*to_check.py, line ({line}|{line - 1}), in step", out
    )


@pytest.mark.parametrize(("name", "how"), [("Exits", "with exit code 3"), ("Crashes", "by SIGSEGV")])
def test_an_environment_that_ends_the_process_is_a_fault(checked, name, how):
    code, out, _ = checked(name)
    assert code == 1 and f"it ended the process {how}" in out


def test_what_an_environment_prints_does_not_lie_between_the_lines(checked):
    code, out, errors = checked("Talks")
    assert code == 0 and "a step\n" not in out and "a step\n" in errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gym/CartPol-v1"], "game 'gym/CartPol-v1' is not known; nearest: gym/CartPole-v1"),
        (["gmy/Taxi-v4"], "game 'gmy/Taxi-v4' is not known; nearest: gym/Taxi-v4"),
        (["Nothing"], "game 'python/to_check:Nothing' is not known"),
        (["Good", "--set", "game.sise=3"], "takes no 'sise'"),
        (["Good", "--set", "game.kwargs.size=3"], "cannot be made with game.kwargs = {size = 3}"),
        (["Good", "--config", "missing.toml"], "cannot read missing.toml"),
    ],
)
def test_bad_input_is_an_error_of_usage(checked, words, message):
    code, out, errors = checked(*words)
    assert code == 2 and message in errors and "fault" not in out


def test_nothing_is_left_behind_when_the_command_is_interrupted(checked, monkeypatch):
    children, ended = [], []
    monkeypatch.setattr(check, "_received", lambda *words: (_ for _ in ()).throw(KeyboardInterrupt))
    end = check._end
    monkeypatch.setattr(
        check, "_end", lambda child, done: children.append(child) or ended.append(end(child, done)) or ended[-1]
    )
    with pytest.raises(KeyboardInterrupt):
        checked("Hangs")
    assert len(children) == 1
    with pytest.raises(ChildProcessError):
        os.waitpid(children[0], os.WNOHANG)

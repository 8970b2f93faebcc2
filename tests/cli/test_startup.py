"""Commands read their options before they import what takes long, and Ctrl-C ends them quietly meanwhile."""

import os
import subprocess
import sys

import pytest
from commands import code

HELP = """
import sys
from importlib import import_module
NAMES = "train evaluate.command games tree report worker bench export zoo completion watch play gtp serve"
for name in NAMES.split():
    sys.argv = ["command", "--help"]
    try:
        import_module(f"muzero.cli.{name}").main()
    except SystemExit as end:
        assert end.code == 0, name
    found = {"torch", "numpy", "rich"} & set(sys.modules)
    assert not found, (name, found)
"""


def python(text, *words, **settings):
    return subprocess.run([sys.executable, "-c", text, *words], capture_output=True, text=True, timeout=100, **settings)


def test_help_is_printed_without_importing_what_takes_long(tmp_path):
    result = python(HELP, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("usage: ") == 13 and "muzero-bench search" in result.stdout


INTERRUPTED = "import os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(60)"
WORDS = {"train": ["--game", "gym/CartPole-v1"], "evaluate": ["random"], "tree": ["run"], "games": []}


@pytest.mark.parametrize("name", WORDS)
def test_an_interrupt_while_modules_are_imported_ends_quietly(tmp_path, name):
    for module in ("torch", "numpy"):
        (tmp_path / f"{module}.py").write_text(INTERRUPTED)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    result = python(code(name), *WORDS[name], cwd=tmp_path, env=environment)
    assert (result.returncode, result.stderr) == (130, "")


def test_misuse_is_found_without_importing_what_takes_long(tmp_path):
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    result = python(code("train"), "--device", "gpu", cwd=tmp_path, env=environment)
    assert result.returncode == 2 and "did you mean cuda?" in result.stderr


def test_an_interrupt_before_a_command_begins_prints_no_traceback(tmp_path):
    program = "import sys; sys.argv[0] = {!r}; import muzero.cli; raise {}"
    quiet = python(program.format("/usr/bin/muzero-train", "KeyboardInterrupt"), cwd=tmp_path)
    assert quiet.returncode != 0 and quiet.stderr == ""
    for name, error in (("/usr/bin/muzero-train", "ValueError"), ("mine.py", "KeyboardInterrupt")):
        assert "Traceback" in python(program.format(name, error), cwd=tmp_path).stderr


def test_a_command_looks_for_garbage_seldom_while_it_imports(tmp_path):
    program = "import gc, sys; from muzero.cli.exits import guarded; guarded(lambda _: print(*gc.get_threshold()))()"
    assert python(program, cwd=tmp_path).stdout.split()[0] == "5000"

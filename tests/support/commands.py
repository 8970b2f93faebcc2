"""The commands as processes."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from importlib import import_module
from pathlib import Path

import torch._dynamo  # noqa: F401  # which optimisers import: once here, and not in every child
from killing import TINY

CODE = "import sys; from muzero.cli.{0} import main; sys.argv[0] = 'muzero-{1}'; main()"
LIMIT = 300  # seconds after which a command counts as hanging
QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)  # as Python begins


def module(name):
    return "evaluate.command" if name == "evaluate" else name


def code(name):
    """A program that is a command."""
    return CODE.format(module(name), name)


def command(name, *words, folder: Path, env=None, fresh=False):
    """Run a command in a child of this process, which spares it the imports, or in a fresh process."""
    if not fresh:
        return forked(name, *map(str, words), folder=folder, env=env)
    words = [sys.executable, "-c", code(name), *words]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=LIMIT, env=env)


def forked(name, *words, folder, env):
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            os._exit(called(name, words, folder, env))
        killer = threading.Timer(LIMIT, os.kill, (child, signal.SIGKILL))
        killer.start()
        status = os.waitpid(child, 0)[1]
        killer.cancel()
        for file in (output, errors):
            file.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return subprocess.CompletedProcess([name, *words], code, output.read(), errors.read())


def called(name, words, folder, env):
    """What a new process does, once it has imported the package.  Returns the exit code."""
    try:
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(file, "w" if file else "r") for file in range(3))  # not pytest's
        warnings.resetwarnings()
        for category in QUIET:
            warnings.simplefilter("ignore", category)
        os.environ |= env or {}
        os.chdir(folder)
        for file in Path().glob("*.py"):
            sys.modules.pop(file.stem, None)  # of this name, that another test has imported
        sys.path.insert(0, "")
        sys.argv = [f"muzero-{name}", *words]
        import_module(f"muzero.cli.{module(name)}").main()
    except SystemExit as end:
        return end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 1


def sets(*settings):
    return [word for setting in [*TINY, *settings] for word in ("--set", setting)]

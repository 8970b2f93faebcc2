"""The commands as processes."""

import io
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


class Running:
    """A command that runs in a child of this process, to be read, signalled and waited for as a `subprocess.Popen`."""

    def __init__(self, name, *words, folder):
        reader, writer = os.pipe()
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            os.dup2(writer, 1)
            os.dup2(self.errors.fileno(), 2)
            os.close(writer)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, LIMIT)
            os._exit(called(name, map(str, words), folder, None, unbuffered=True))
        os.close(writer)
        self.stdout = os.fdopen(reader)

    def send_signal(self, number):
        os.kill(self.pid, number)

    def communicate(self):
        """Wait for its end.  Returns what else it wrote, and its complaints; its code is then in `returncode`."""
        written = "" if self.stdout.closed else self.stdout.read()
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.stdout.close()
        with self.errors:
            self.errors.seek(0)
            return written, self.errors.read()


def output(unbuffered):
    """Standard output as Python opens it, or as `python -u` does."""
    return io.TextIOWrapper(os.fdopen(1, "wb", 0), write_through=True) if unbuffered else os.fdopen(1, "w")


def called(name, words, folder, env, unbuffered=False):
    """What a new process does, once it has imported the package.  Returns the exit code."""
    try:
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), output(unbuffered), os.fdopen(2, "w")  # not pytest's
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

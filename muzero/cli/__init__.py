"""The commands: each is a module, whose function `main` is the program."""

import sys
from types import TracebackType


def _end_quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print no traceback for Ctrl-C; `guarded` cannot handle it before the module of the command is imported."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


if sys.argv and sys.argv[0].rpartition("/")[2].startswith("muzero-"):  # not where a program imports the package
    sys.excepthook = _end_quietly

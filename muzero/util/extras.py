"""Optional packages: imported where they are used, and named where they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType


class MissingExtra(ImportError):
    """A game needs a package that is not installed; the message says how to install it."""


def need(module: str, game: str, package: str, extra: str) -> ModuleType:
    """Import a module of an optional package.

    Raises:
        MissingExtra: naming the extra that brings the package.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(f'{game} needs {package}: pip install "muzero[{extra}]"') from error

"""Descriptions of configuration keys, read from the `Args:` sections of docstrings."""

from __future__ import annotations

import inspect
import re
from functools import cache

from muzero.config.schema import Constructor

_ENTRY = re.compile(r"    (\w+)(?: \([^)]*\))?: (.*)")


@cache
def descriptions(constructor: Constructor) -> dict[str, str]:
    """Parameter -> its description, on one line.

    The docstrings of a function are read, or of a class, its `__init__` and its bases: a parameter may be described
    where it is inherited from.
    """
    found: dict[str, str] = {}
    for each in reversed(getattr(constructor, "__mro__", (constructor,))):
        for owner in (each, vars(each).get("__init__")):
            found |= arguments(getattr(owner, "__doc__", None) or "")
    return found


def arguments(docstring: str) -> dict[str, str]:
    """The entries `name: text` of the section `Args:`, whose texts may continue on lines that are indented deeper."""
    found: dict[str, str] = {}
    name, inside = "", False
    for line in inspect.cleandoc(docstring).splitlines():
        entry = _ENTRY.fullmatch(line)
        if line == "Args:":
            inside = True
        elif inside and line and not line.startswith(" "):
            return found
        elif inside and entry:
            name, found[entry[1]] = entry[1], entry[2]
        elif inside and name and line.strip():
            found[name] += f" {line.strip()}"
    return found

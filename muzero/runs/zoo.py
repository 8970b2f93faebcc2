"""Trained agents, `zoo/NAME`: each is the folder of a run in small, with one checkpoint of the weights alone.

They lie below the working directory or in the package.  They are read as any run is: checked, and never executed.
"""

from __future__ import annotations

from pathlib import Path

from muzero.config.shipped import PACKAGE
from muzero.runs.folder import RunFolder
from muzero.util.text import nearest

ZOO = "zoo"
MOST_NAMED = 20  # agents in a message
SHIPPED = PACKAGE / ZOO if (PACKAGE / ZOO).exists() else PACKAGE.parent / ZOO  # in a wheel, in a checkout


def located(path: Path) -> Path:
    """Where a path leads: zoo/... means the working directory's zoo first, then that of the package."""
    if path.parts[:1] != (ZOO,) or path.exists():
        return path
    shipped = SHIPPED.joinpath(*path.parts[1:])
    return shipped if shipped.exists() else path


def is_agent(folder: Path) -> bool:
    """Whether a folder is that of a trained agent, without what learning needs."""
    return RunFolder(folder).entry.is_file()


def names() -> list[str]:
    """The trained agents that there are, as `located` takes them."""
    folders = [path for zoo in (Path(ZOO), SHIPPED) if zoo.is_dir() for path in zoo.iterdir() if is_agent(path)]
    return sorted({f"{ZOO}/{path.name}" for path in folders}, key=str.lower)


def hint(text: str) -> str:
    """What may be meant by a name that is not there, for the end of a message; empty where nothing is close."""
    there = names()
    close = nearest(text.removesuffix("/"), there, 3)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    asked = text == ZOO or text.startswith(f"{ZOO}/")
    return f"; trained agents: {', '.join(there[:MOST_NAMED]) or 'none'}" if asked else ""


def outputs(folder: Path) -> Path:
    """Where a command writes what it makes of a run: its folder, or the working directory for a trained agent."""
    return Path() if is_agent(folder) else folder

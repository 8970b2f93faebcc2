"""Words that a shell can complete: games, trained agents, runs, settings.

The shell calls a command with the variable _ARGCOMPLETE set, and `Parser` hands it to `complete`.  What takes seconds
to find is kept in the user's cache.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

MOST_RUNS = 200
MOST_BYTES = 2**22  # of the cache


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell, and end the process; does nothing where argcomplete is not installed."""
    try:
        import argcomplete
    except ImportError:
        return
    for action in parser._actions:
        if completer := completer_of(action):
            action.completer = completer  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options=False)


def completer_of(action: argparse.Action) -> Callable[..., Iterable[str]] | None:
    """What finds the words for an option or an argument; None: its choices, or files."""
    for name in (*action.option_strings, str(action.metavar)):
        if name in COMPLETERS:
            return COMPLETERS[name]
    return None


# --- words ---------------------------------------------------------------------------------------------------------


def games(prefix: str, **_: Any) -> list[str]:
    """The names of games."""
    names: list[str] = kept("games", _games)
    return [name for name in names if name.startswith(prefix)]


def runs(prefix: str, **_: Any) -> list[str]:
    """Trained agents, runs below runs/, and folders."""
    from muzero.runs import zoo

    found = [path.parent.as_posix() for path in Path("runs").glob("**/config.toml")][:MOST_RUNS]
    known = [*zoo.names(), *sorted(found)]
    return [*known, *(folder for folder in folders(prefix) if folder[:-1] not in known)]


def resumed(prefix: str, **_: Any) -> list[str]:
    """Runs that can be resumed."""
    return ["latest", *(name for name in runs(prefix) if not name.startswith("zoo/"))]


def players(prefix: str, **_: Any) -> list[str]:
    """Runs and players that need none."""
    return ["random", "mcts:", "minimax:", "solver", "optimal", "human", "gtp:", "uci:", *runs(prefix)]


def assigned(prefix: str, **_: Any) -> list[str]:
    """Settings as --set takes them: "planner.simulations=", and after that the words that are allowed."""
    known: dict[str, list[str]] = kept("settings", _settings)
    name, equals, _value = prefix.partition("=")
    return [f"{name}={word}" for word in known.get(name, [])] if equals else [f"{name}=" for name in known]


def settings(prefix: str, **_: Any) -> list[str]:
    """Names of settings and of tables."""
    known: dict[str, list[str]] = kept("settings", _settings)
    return [*dict.fromkeys(name.partition(".")[0] for name in known), *known]


def configurations(prefix: str, **_: Any) -> list[str]:
    """Settings that are shipped for a device, and files."""
    from muzero.config.shipped import presets

    return [*presets(), *folders(prefix), *(path.as_posix() for path in _below(prefix) if path.suffix == ".toml")]


def folders(prefix: str) -> list[str]:
    """Folders that a path may continue with."""
    return [f"{path.as_posix()}/" for path in _below(prefix) if path.is_dir() and not path.name.startswith(".")]


def _below(prefix: str) -> list[Path]:
    folder = Path(os.path.dirname(prefix) or ".")
    return sorted(folder.iterdir()) if folder.is_dir() else []


COMPLETERS: dict[str, Callable[..., Iterable[str]]] = {
    "--game": games,
    "--set": assigned,
    "--explain": settings,
    "--config": configurations,
    "--resume": resumed,
    "--against": players,
    "--anchors": players,
    "RUN": runs,
    "PLAYER": players,
    "WORD": games,
    "GAME": games,
}


# --- the cache -----------------------------------------------------------------------------------------------------


def _games() -> list[str]:
    from muzero.games.registry import listing

    return [name for group in listing().values() for name in group.names]


def _settings() -> dict[str, list[str]]:
    from collections.abc import Mapping

    from muzero import build
    from muzero.cli.explain import settings as every
    from muzero.config.schema import choices, parameters

    found = {f"{table}.kind": list(entry) for table, entry in build.SCHEMA.items() if isinstance(entry, Mapping)}
    for one in every():
        annotation = parameters(one.constructor)[one.key].annotation
        found[one.name] = ["true", "false"] if annotation is bool else choices(annotation)
    return found


def kept(what: str, find: Callable[[], Any]) -> Any:
    """What `find` returns, found once for the packages that are installed.

    A cache that cannot be written or read only costs time.
    """
    from muzero.util.files import read_regular, replace
    from muzero.util.provenance import versions

    mark = hashlib.sha256(json.dumps([versions(), __file__, _changed()]).encode()).hexdigest()[:16]
    file = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "muzero", f"{what}-{mark}.json")
    try:
        return json.loads(read_regular(file, MOST_BYTES))
    except (OSError, ValueError):
        found = find()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace(file, json.dumps(found))
    except OSError:
        pass
    return found


def _changed() -> float:
    """When the code that knows the settings was changed last, in a checkout."""
    package = Path(__file__).parent.parent
    return max(path.stat().st_mtime for path in (package, package / "build.py", *package.glob("*/")))

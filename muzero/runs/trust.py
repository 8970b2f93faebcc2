"""What in the configuration of a run would execute code, or follow an address: for runs that somebody else made."""

from __future__ import annotations

from muzero.config import Config
from muzero.config.schema import written
from muzero.util.text import printable

ENGINES = ("gtp", "uci")  # protocols of players that are commands
LONGEST = 1000  # characters of a sentence


def dangers(config: Config) -> list[str]:
    """The settings that execute something on this machine or send it elsewhere, a sentence for each; empty if none do.

    Each sentence names the setting, its value, where the value was set, and what it does.
    """
    run, actors = config.table("run"), config.table("actors")
    found = []
    kind, _, name = run["game"].partition("/")
    module, colon, attribute = name.partition(":")
    if kind == "python":
        found.append(("run", "game", f"imports the module {module!r} and calls {attribute!r}"))
    elif kind == "gym" and colon:
        found.append(("run", "game", f"imports the module {module!r}"))
    protocol, colon, command = run["opponent"].partition(":")
    if protocol in ENGINES and colon:
        found.append(("run", "opponent", f"starts the command {command.strip()!r}"))
    if actors["address"]:
        found.append(
            ("actors", "address", f"connects to a Ray cluster at {actors['address']!r}, which can run code here")
        )
    if actors["insecure"]:
        found.append(("actors", "insecure", "accepts a Ray cluster that asks for no token"))
    return [_sentence(config, *danger) for danger in found]


def _sentence(config: Config, table: str, key: str, effect: str) -> str:
    setting = f"[{table}] {key} = {written(config.table(table)[key])}"
    return printable(f"{setting} (from {config.source(table, key)}) {effect}", LONGEST)

"""What in the configuration of a run would execute code, or follow an address: for runs of other people."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from muzero.config import Config, ConfigError
from muzero.config.schema import written
from muzero.util.text import printable

ENGINES = ("gtp", "uci")  # protocols of players that are commands
LONGEST = 1000  # characters of a sentence
GAME = ("run.game",)
ALL = (*GAME, "run.opponent", "actors.address", "actors.insecure")


def dangers(config: Config, keys: Collection[str] = ALL) -> list[str]:
    """The settings that execute something on this machine or send it elsewhere, a sentence for each; empty if none do.

    Each sentence names the setting, its value, where the value was set, and what it does.

    Args:
        config: from any source; nothing in it is followed.
        keys: the settings to look at, as "table.key".
    """
    run, actors = config.table("run"), config.table("actors")
    found = []
    kind, _, name = run["game"].partition("/")
    kinds = (kind, config.kind("game"))  # the name is read by the kind of the table [game]
    module, colon, attribute = name.partition(":")
    if "python" in kinds:
        found.append(("run", "game", f"imports the module {module!r} and calls {attribute!r}"))
    elif "gym" in kinds and colon:
        found.append(("run", "game", f"imports the module {module!r}"))
    elif "gym" in kinds and name.startswith("GymV"):  # gymnasium's doors to environments of older versions
        found.append(("run", "game", "makes an environment of another library"))
    protocol, colon, command = run["opponent"].partition(":")
    if protocol in ENGINES and colon:
        found.append(("run", "opponent", f"starts the command {command.strip()!r}"))
    if actors["address"]:
        found.append(
            ("actors", "address", f"connects to a Ray cluster at {actors['address']!r}, which can run code here")
        )
    if actors["insecure"]:
        found.append(("actors", "insecure", "accepts a Ray cluster that asks for no token"))
    return [_sentence(config, *danger) for danger in found if f"{danger[0]}.{danger[1]}" in keys]


def require_trust(config: Config, folder: Path, remedy: str, keys: Collection[str] = ALL) -> None:
    """Refuse to follow the configuration of a run that another person may have written.

    Args:
        config: of the run.
        folder: of the run, for the message.
        remedy: what the user can do who trusts the run.
        keys: the settings that would be followed and that the user did not give.

    Raises:
        ConfigError: naming every setting that would execute something.
    """
    if found := dangers(config, keys):
        raise ConfigError([f"the settings of {folder} would execute code; if you trust its author, {remedy}", *found])


def _sentence(config: Config, table: str, key: str, effect: str) -> str:
    setting = f"[{table}] {key} = {written(config.table(table)[key])}"
    return printable(f"{setting} (from {config.source(table, key)}) {effect}", LONGEST)

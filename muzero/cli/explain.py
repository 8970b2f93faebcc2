"""muzero-train --explain: what settings mean, what they can be, and where their present values come from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from muzero import build
from muzero.config import Config, ConfigError
from muzero.config.descriptions import descriptions
from muzero.config.schema import Constructor, parameters, written
from muzero.util.text import nearest, printable

WIDTH = 100
KIND = "the kind of the table, on which its other keys depend"


class Setting(NamedTuple):
    """A key of a table, of one kind of the table."""

    table: str
    kind: str | None  # None: the table has no kinds
    key: str
    constructor: Constructor

    @property
    def name(self) -> str:
        """The setting as --set takes it."""
        return f"{self.table}.{self.key}"


def settings() -> Iterator[Setting]:
    """Every key that a configuration can have."""
    for table, entry in build.SCHEMA.items():
        kinds = entry.items() if isinstance(entry, Mapping) else [(None, entry)]
        for kind, constructor in kinds:
            for key in parameters(constructor):
                yield Setting(table, kind, key, constructor)


def explain(asked: str, config: Config, refusals: Sequence[str] = ()) -> int:
    """Print what a setting, a table or (asked is empty) every table has, and why a run is refused with them.

    Raises:
        ConfigError: if there is no such setting; names the nearest.
    """
    notes = [f"note: a run with these settings is refused: {printable(refusal, 1000)}" for refusal in refusals]
    wrapped = [textwrap.fill(note, WIDTH, break_long_words=False, break_on_hyphens=False) for note in notes]
    print("\n\n".join([explanation(asked, config), *wrapped]))
    return 0


def explanation(asked: str, config: Config) -> str:
    """What `explain` prints of the settings.

    Raises:
        ConfigError: if there is no such setting; names the nearest.
    """
    asked = asked.strip("[]")
    known = list(settings())
    tables = [*build.SCHEMA] if not asked else [asked] if asked in build.SCHEMA else []
    if tables:
        return "\n\n".join(overview(table, config) for table in tables)
    parts = asked.split(".")
    if parts[1:] == ["kind"] and isinstance(kinds := build.SCHEMA.get(parts[0]), Mapping):
        names = ", ".join(map(written, kinds))
        source = config.source(parts[0], "kind") + reason(config, parts[0], "kind")
        now = printable(f"{written(config.kind(parts[0]))} (from {source})", 1000)
        return f"{asked}\n  {KIND}\n  type     one of {names}\n  now      {now}"
    # Two parts of a name are a table and its key; a third is a free key, which only its environment can explain.
    found = [one for one in known if ".".join(parts[:2]) in (one.name, one.key)]
    if not found:
        names = dict.fromkeys([*(one.name for one in known), *(one.key for one in known), *build.SCHEMA])
        close = nearest(asked, names)
        hint = f"did you mean {close[0]}?" if close else "muzero-train --explain lists all settings"
        raise ConfigError([f"--explain {printable(asked)}: no such setting; {hint}"])
    return "\n\n".join(details(one, config) for one in found)


def details(one: Setting, config: Config) -> str:
    """A description of one setting, with its type, default and present value."""
    parameter = parameters(one.constructor)[one.key]
    text = descriptions(one.constructor).get(one.key, "(not described)")
    lines = [one.name + (f', where {one.table}.kind = "{one.kind}"' if one.kind else "")]
    lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
    lines += [f"  type     {parameter.expected}", f"  default  {written(parameter.default)}"]
    if config.kind(one.table) == one.kind:
        lines.append(f"  now      {present(one, config)}")
    return "\n".join(lines)


def overview(table: str, config: Config) -> str:
    """The keys of a table in its present kind, with their values and the beginnings of their descriptions."""
    kind = config.kind(table)
    shown = [one for one in settings() if one.table == table and one.kind == kind]
    entry = build.SCHEMA[table]
    heading = f"[{table}]"
    if isinstance(entry, Mapping):
        heading += f"  kind = {written(kind)} (from {config.source(table, 'kind')}); kinds: {', '.join(entry)}"
    lines = [heading]
    for one in shown:
        text = descriptions(one.constructor).get(one.key, "(not described)")
        lines.append(f"  {one.key} = {present(one, config)}")
        lines += textwrap.wrap(text, WIDTH, initial_indent="      ", subsequent_indent="      ")
    own = {one.key for one in shown}
    others: dict[str, list[str]] = {}
    for one in settings():
        if one.table == table and one.kind != kind and one.key not in own:
            others.setdefault(str(one.kind), []).append(one.key)
    lines += [f'  with kind = "{other}" also: {", ".join(keys)}' for other, keys in others.items()]
    return "\n".join(lines)


def present(one: Setting, config: Config) -> str:
    """The value in force, where it comes from, and why it was chosen."""
    value = written(config.table(one.table)[one.key])
    return printable(f"{value} (from {config.source(one.table, one.key)}{reason(config, one.table, one.key)})", 1000)


def reason(config: Config, table: str, key: str) -> str:
    """Why a value was chosen, behind its source; "" where it was not."""
    note = config.note(table, key)
    return f": {note}" if note else ""

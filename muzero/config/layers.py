"""Where settings come from: TOML files and the command line, read into layers that know the place of every value."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from itertools import islice
from pathlib import Path
from typing import Any

from muzero.util.text import nearest, printable

_MAX_BYTES = 2**20
_MAX_VALUES = 1000  # tables included
_MAX_LINE = 1000  # tomllib needs quadratic time for a long dotted key
_MAX_FILES = 1000  # among which one of a similar name is looked for
# What goes deeper than [table], [table.key] and plain values: [a.b.c] and [[a]]; a = [[ and a = {b = {; a.b.c
_DEEP = re.compile(
    r"\s*\[(?![^\[\].]*(\.[^\[\].]*)?\]\s*(#|$))"
    r"|[^=#]*=\s*(\{.*\{|(\{.*)?\[\s*[\[{])"
    r"|\s*[\w-]+\s*\.\s*[\w-]+\s*\."
)
_POSITION = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)")  # in messages of tomllib
_HEADER = re.compile(r"\s*\[\s*([\w-]+)\s*(?:\.\s*([\w-]+)\s*)?\]")
_ENTRY = re.compile(r"\s*([\w-]+)\s*(?:\.\s*[\w-]+\s*)?=")
NOTE = "  # chosen: "  # in a file, between a value and the reason for it
_NOTED = re.compile(rf'\s*[\w-]+\s*=\s*(?:"[^"\\#]*"|[\w.+-]+){NOTE}(.+)')


class ConfigError(Exception):
    """Everything that is wrong with a configuration, one problem on a line."""

    def __init__(self, problems: Iterable[str]):
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


@dataclass(frozen=True)
class Layer:
    """Settings from one source, not yet checked against a schema.

    A value is a number, a string, true, false, an array of these, or a table of free keys with such values.
    """

    source: str
    tables: Mapping[str, Mapping[str, Any]]
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict, compare=False)  # of (table, key), in a file
    notes: Mapping[tuple[str, str], str] = field(default_factory=dict, compare=False)  # why a value was chosen

    def __post_init__(self) -> None:
        problems = []
        for table, entries in self.tables.items():
            if not isinstance(entries, Mapping):
                place = self.origin("", table)
                problems.append(f"{name_from_outside(table)} stands outside any [table] (from {place})")
                continue
            for key, value in entries.items():
                if not all(_is_plain(part) for part in (value.values() if isinstance(value, Mapping) else [value])):
                    where = f"[{name_from_outside(table)}] {quoted(key)} (from {self.origin(table, key)})"
                    problems.append(f"{where}; expected a number, string, true or false, or an array of those")
        if problems:
            raise ConfigError(problems)

    def origin(self, table: str, key: str = "") -> str:
        """The place of a value, or of a table: "my.toml, line 3", or the source alone if the line is not known."""
        line = self.lines.get((table, key))
        return self.source if line is None else f"{self.source}, line {line}"


def read_layer(path: str | Path) -> Layer:
    """Read a TOML file.

    Raises:
        ConfigError: naming the file and line, if it cannot be read or is more than tables of plain values.
    """
    data = _contents(Path(path))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError([f"{path}, line {line}: not text in UTF-8 (byte 0x{data[error.start]:02x})"]) from error
    return read_text(text, str(path))


def read_text(text: str, source: str) -> Layer:
    """Read TOML text.

    source: where the text came from, for messages.

    Raises:
        ConfigError: naming the source and line, if it is more than tables of plain values.
    """
    tables = _parse(text, source)
    if _count(tables) > _MAX_VALUES:
        raise ConfigError([f"{source}: more than {_MAX_VALUES:,} values; this is not a configuration"])
    places = _places(text)
    return Layer(source, tables, places, _notes(text, places))


def _count(table: Mapping[str, Any]) -> int:
    """Values of a table, the tables in it and theirs included."""
    return sum(1 + (_count(value) if isinstance(value, dict) else 0) for value in table.values())


def _contents(path: Path) -> bytes:
    """The bytes of a regular file of moderate size; a pipe or a device is never waited for."""
    try:
        # Opening a pipe would wait for a process that writes into it.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ConfigError([f"cannot read {path}: not a regular file; give the name of a TOML file"])
            data = b"" if found.st_size > _MAX_BYTES else file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        hint = _similar_file(path) if isinstance(error, FileNotFoundError) else ""
        reason = getattr(error, "strerror", None) or error
        raise ConfigError([f"cannot read {path}: {reason}{hint}"]) from error
    if max(found.st_size, len(data)) > _MAX_BYTES:
        raise ConfigError([f"{path}: larger than {_MAX_BYTES:,} bytes; this is not a configuration"])
    return data


def _places(text: str) -> dict[tuple[str, str], int]:
    """The line of each table and key, except those that occur several times: a long string may contain similar text."""
    table, places, doubtful = "", {}, set()
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            table = f"{header[1]}.{header[2]}" if header[2] else header[1]
            place = (header[1], header[2] or "")
        elif entry := _ENTRY.match(line):
            place = (table, entry[1])
        else:
            continue
        if place in places:
            doubtful.add(place)
        places[place] = number
    return {place: number for place, number in places.items() if place not in doubtful}


def _notes(text: str, places: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], str]:
    """The reasons that stand behind values, as `Config.to_toml` writes them."""
    lines = text.split("\n")
    found = {place: _NOTED.fullmatch(lines[number - 1]) for place, number in places.items()}
    return {place: match[1].strip() for place, match in found.items() if match}


def parse_settings(settings: Iterable[str], source: str = "--set") -> Layer:
    """Read `table.key=value` settings, the value in TOML or as a bare word; a later one wins.

    `table.key.name=value` sets one name of a key that is a table itself.  All settings are one layer, so that a kind
    and its keys can come in any order.

    Raises:
        ConfigError: naming each setting that is not of this form.
    """
    tables: dict[str, dict[str, Any]] = {}
    problems = []
    for setting in settings:
        name, equals, text = setting.partition("=")
        table, *keys = (part.strip() for part in name.split("."))
        if not (equals and table and all(keys) and len(keys) in (1, 2)):
            problems.append(f"{source} {quoted(setting)}: expected table.key=value")
            continue
        try:
            value = _value(text.strip())
        except ValueError:
            problems.append(
                f"{source} {'.'.join([table, *keys])}: {quoted(text)} is neither a TOML value nor a bare word"
            )
            continue
        place = tables.setdefault(table, {})
        if len(keys) == 2:
            earlier = place.get(keys[0])
            place[keys[0]] = {**(earlier if isinstance(earlier, dict) else {}), keys[1]: value}
        else:
            place[keys[0]] = value
    if problems:
        raise ConfigError(problems)
    return Layer(source, tables)


def _parse(text: str, source: str) -> dict[str, Any]:
    """The tables of a TOML file, which may nest as deep as a layer does."""
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > _MAX_LINE:
            raise ConfigError([f"{source}, line {number}: longer than {_MAX_LINE:,} characters"])
        if _DEEP.match(line):
            expected = "expected [table], [table.key], or key = value with a plain value or an array of plain values"
            raise ConfigError([f"{source}, line {number}: {quoted(line.strip())}; {expected}"])
    try:
        return tomllib.loads(text)
    except RecursionError:
        number = max(range(len(lines)), key=lambda at: lines[at].count("[") - lines[at].count("]")) + 1
        raise ConfigError([f"{source}, line {number}: arrays nest too deep"]) from None
    except ValueError as error:
        found = _POSITION.fullmatch(str(error))
        message, number = found.groups() if found else (str(error), None)
        number = int(number or text.rstrip().count("\n") + 1)  # without a number: at the end
        message = message.replace("Cannot overwrite a value", "this key was given before")
        raise ConfigError([f"{source}, line {number}: {quoted(lines[number - 1].strip())}: {message}"]) from None


def _value(text: str) -> Any:
    """A TOML value, or a bare word as a string."""
    if not text or len(text) > _MAX_LINE or not text.isprintable():
        raise ValueError("empty, too long or unprintable")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = None
    if value is None or isinstance(value, date | time):  # a date is not a value here, but may be a name
        if text[0] in "\"'[{":
            raise ValueError("a broken string, array or table")
        return text
    return value


def _is_plain(value: Any) -> bool:
    """Whether a value is a scalar or an array of scalars."""
    parts = value if isinstance(value, list | tuple) else [value]
    return all(part is None or isinstance(part, bool | int | float | str) for part in parts)


def _similar_file(path: Path) -> str:
    """A hint that names a file of nearly the same name in the same folder."""
    names = sorted(file.name for file in islice(path.parent.glob("*.toml"), _MAX_FILES))
    close = nearest(path.name, names)
    return f"; did you mean {path.with_name(close[0])}?" if close else ""


def name_from_outside(text: str) -> str:
    """A name that is safe to print: control characters are spelt out."""
    return printable(repr(text)[1:-1])


def quoted(text: str) -> str:
    """A name that is safe to print, in quotes."""
    return f"'{name_from_outside(text)}'"

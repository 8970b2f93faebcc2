"""Configuration: layers of TOML, each table of which is a constructor call.

The constructor's signature is the schema.  Its keyword-only parameters are the keys, their annotations say what is
allowed, their defaults are the lowest layer; positional parameters are given by code and cannot be configured::

    class GumbelPlanner:
        def __init__(self, actions: int, *, simulations: Annotated[int, Range(1, 10000)] = 50): ...

    schema = {"planner": {"gumbel": GumbelPlanner, "puct": PuctPlanner}, "learner": Learner}
    config = merge([read_layer("board.toml"), parse_settings(["planner.simulations=16"])], schema)
    planner = config.construct("planner", actions)

Where a table has kinds, the first is the default.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Any

from muzero.parameters import Constructor, Range, convert, parameters, written
from muzero.spelling import nearest

__all__ = ["Config", "ConfigError", "Layer", "Range", "Schema", "merge", "parse_settings", "read_layer"]

Schema = Mapping[str, Mapping[str, Constructor] | Constructor]
"""Table -> constructor, or table -> kind -> constructor."""

DEFAULT = "default"  # the source of values that no layer names
_MAX_BYTES = 2**20
_MAX_VALUES = 1000  # tables included
_MAX_LINE = 1000  # tomllib needs quadratic time for a long dotted key
# What goes deeper than a table of plain values: [a.b] and [[a]]; a = [[ and a = {; a.b.c
_DEEP = re.compile(r"\s*\[(?![^\[\].]*\]\s*(#|$))|[^=#]*=\s*(\{|\[\s*[\[{])|\s*[\w-]+\s*\.\s*[\w-]+\s*\.")
_POSITION = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)")  # in messages of tomllib


class ConfigError(Exception):
    """All that is wrong with a configuration, one problem a line."""

    def __init__(self, problems: Iterable[str]):
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


@dataclass(frozen=True)
class Layer:
    """Settings from one source, not yet held against a schema: numbers, strings, true, false and arrays of them."""

    source: str
    tables: Mapping[str, Mapping[str, Any]]

    def __post_init__(self) -> None:
        problems = []
        for table, entries in self.tables.items():
            if not isinstance(entries, Mapping):
                problems.append(f"{_name(table)} stands outside any [table] (from {self.source})")
                continue
            for key, value in entries.items():
                parts = value if isinstance(value, list | tuple) else [value]
                if not all(_is_scalar(part) for part in parts):
                    where = f"[{_name(table)}] {_quoted(key)} (from {self.source})"
                    problems.append(f"{where}; expected a number, string, true or false, or an array of those")
        if problems:
            raise ConfigError(problems)


def read_layer(path: str | Path) -> Layer:
    """Read a TOML file.

    Raises:
        ConfigError: naming the file and line, if it cannot be read or is more than tables of plain values.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        hint = _similar_file(Path(path)) if isinstance(error, FileNotFoundError) else ""
        reason = getattr(error, "strerror", None) or error
        raise ConfigError([f"cannot read {path}: {reason}{hint}"]) from error
    if len(data) > _MAX_BYTES:
        raise ConfigError([f"{path}: larger than {_MAX_BYTES:,} bytes; this is no configuration"])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError([f"{path}, line {line}: not text in UTF-8 (byte 0x{data[error.start]:02x})"]) from error
    tables = _parse(text, str(path))
    if sum(len(entries) + 1 if isinstance(entries, dict) else 1 for entries in tables.values()) > _MAX_VALUES:
        raise ConfigError([f"{path}: more than {_MAX_VALUES:,} values; this is no configuration"])
    return Layer(str(path), tables)


def parse_settings(settings: Iterable[str], source: str = "--set") -> Layer:
    """Read `table.key=value` settings, the value in TOML or as a bare word; a later one wins.

    Settings that belong together are one layer, so that a kind and its keys can come in any order.

    Raises:
        ConfigError: naming each setting that is not of this form.
    """
    tables: dict[str, dict[str, Any]] = {}
    problems = []
    for setting in settings:
        name, equals, text = setting.partition("=")
        table, _, key = (part.strip() for part in name.partition("."))
        if not (equals and table and key and "." not in key):
            problems.append(f"{source} {_quoted(setting)}: expected table.key=value")
            continue
        try:
            tables.setdefault(table, {})[key] = _value(text.strip())
        except ValueError:
            problems.append(f"{source} {table}.{key}: {_quoted(text)} is neither a TOML value nor a bare word")
    if problems:
        raise ConfigError(problems)
    return Layer(source, tables)


def merge(layers: Iterable[Layer], schema: Schema) -> Config:
    """Resolve every key of every table of the schema; later layers win.

    A layer that names another kind for a table drops what earlier layers said about that table.

    Raises:
        ConfigError: with every problem of every layer.
    """
    tables = {name: _Table(name, schema) for name in schema}
    problems = []
    for layer in layers:
        for name, entries in layer.tables.items():
            if name in tables:
                problems += tables[name].update(entries, layer.source)
            else:
                close = nearest(name, schema)
                hint = f"; did you mean [{close[0]}]?" if close else f"; tables: {', '.join(schema)}"
                problems.append(f"no table [{_name(name)}] (from {layer.source}){hint}")
    if problems:
        raise ConfigError(problems)
    return Config({name: table.resolved() for name, table in tables.items()})


@dataclass(frozen=True)
class Table:
    """A table with every key resolved."""

    constructor: Constructor = field(repr=False, compare=False)
    kind: str | None
    values: Mapping[str, Any]
    sources: Mapping[str, str] = field(compare=False)  # of the values, and of the kind as "kind"

    def entries(self) -> dict[str, Any]:
        """What a file would say: the kind, where there is one, and the values."""
        return dict(self.values) if self.kind is None else {"kind": self.kind, **self.values}


@dataclass(frozen=True)
class Config:
    """Every key of every table, with where its value came from.  Equal if the values are."""

    tables: Mapping[str, Table]

    def table(self, name: str) -> dict[str, Any]:
        """The values of a table, without its kind."""
        return dict(self.tables[name].values)

    def kind(self, name: str) -> str | None:
        """Which kind of the table is in force; None where a table has no kinds."""
        return self.tables[name].kind

    def source(self, name: str, key: str) -> str:
        """Where a value came from: a file, "--set", or "default".  The key may be "kind"."""
        return self.tables[name].sources[key]

    def construct(self, name: str, *positional: Any) -> Any:
        """Call the table's constructor with its values as keywords."""
        table = self.tables[name]
        return table.constructor(*positional, **table.values)

    def to_toml(self) -> str:
        """The whole configuration as a file that reads back as an equal one under the same schema."""
        blocks = []
        for name, table in self.tables.items():
            lines = [f"{key} = {written(value)}" for key, value in table.entries().items()]
            blocks.append("\n".join([f"[{name}]", *lines, ""]))
        return "\n".join(blocks)

    def difference(self, other: Config, besides: Collection[str] = ()) -> list[str]:
        """What differs from the configuration of a run, but for the tables and "table.key"s named in `besides`.

        Where the kinds of a table differ, its keys are not compared.
        """
        lines = []
        for name, table in self.tables.items():
            here, there = table.entries(), other.tables[name].entries()
            keys = ["kind"] if table.kind != other.kind(name) else list(here)
            for key in keys:
                if here[key] != there[key] and not {name, f"{name}.{key}"} & set(besides):
                    lines.append(f"[{name}] {key} = {written(here[key])} here, {written(there[key])} in the run")
        return lines


class _Table:
    """A table while layers are laid over it."""

    def __init__(self, name: str, schema: Schema):
        self.name = name
        self.schema = schema
        self.kinds = _kinds(schema, name)
        self.kind = next(iter(self.kinds))
        self.known = True  # False after an unknown kind, which leaves open what the keys mean
        self.values: dict[str, Any] = {}
        self.sources = {"kind": DEFAULT}

    def update(self, entries: Mapping[str, Any], source: str) -> list[str]:
        """Lay one layer's entries over the others; returns what is wrong with them."""
        entries = dict(entries)
        problems = []
        if None not in self.kinds and "kind" in entries:
            problems += self._name_kind(entries.pop("kind"), source)
        if not self.known:
            return problems
        known = parameters(self.kinds[self.kind])
        for key, value in entries.items():
            if key not in known:
                takes_no = f"[{self.name}] {self.kinds[self.kind].__name__} takes no {_quoted(key)}"
                problems.append(f"{takes_no}; {self._hint(key)} (from {source})")
                continue
            try:
                self.values[key] = convert(known[key].annotation, value)
                self.sources[key] = source
            except ValueError:
                given = f"[{self.name}] {key} = {_short(written(value))} (from {source})"
                problems.append(f"{given}; expected {known[key].expected}")
        return problems

    def resolved(self) -> Table:
        """The table with the defaults of its constructor under the layers."""
        constructor = self.kinds[self.kind]
        defaults = {key: parameter.default for key, parameter in parameters(constructor).items()}
        return Table(constructor, self.kind, defaults | self.values, dict.fromkeys(defaults, DEFAULT) | self.sources)

    def _name_kind(self, kind: Any, source: str) -> list[str]:
        kinds = [name for name in self.kinds if name is not None]
        self.known = kind in kinds
        if not self.known:
            close = nearest(kind, kinds) if isinstance(kind, str) else []
            hint = f"did you mean {written(close[0])}?" if close else f"expected {' or '.join(map(written, kinds))}"
            return [f"[{self.name}] kind = {_short(written(kind))} (from {source}); {hint}"]
        if kind != self.kind:
            self.values = {}
            self.sources = {}
        self.kind = kind
        self.sources["kind"] = source
        return []

    def _hint(self, key: str) -> str:
        """What an unknown key may have meant: a key of this table, of another kind of it, of another table."""
        own = [*["kind"] * (None not in self.kinds), *parameters(self.kinds[self.kind])]
        elsewhere = {  # key -> where it is known
            other: f"kind = {written(kind)}" if table == self.name else f"[{table}]"
            for table in [*(name for name in self.schema if name != self.name), self.name]
            for kind, constructor in _kinds(self.schema, table).items()
            for other in parameters(constructor)
        }
        hints = [f"did you mean {close!r}?" for close in nearest(key, own)]
        if key in elsewhere:
            hints.append(f"{key!r} belongs to {elsewhere[key]}")
        if not hints:
            hints = [f"did you mean {close!r} of {elsewhere[close]}?" for close in nearest(key, elsewhere)]
        return " ".join(hints) or (f"it takes {', '.join(own)}" if own else "it takes no keys")


def _kinds(schema: Schema, table: str) -> Mapping[str | None, Constructor]:
    """The constructors of a table by kind; of a table without kinds, its one constructor under None."""
    entry = schema[table]
    return {**entry} if isinstance(entry, Mapping) else {None: entry}


def _parse(text: str, source: str) -> dict[str, Any]:
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > _MAX_LINE:
            raise ConfigError([f"{source}, line {number}: longer than {_MAX_LINE:,} characters"])
        if _DEEP.match(line):
            expected = "expected [table], or key = value with a plain value or an array of plain values"
            raise ConfigError([f"{source}, line {number}: {_quoted(line.strip())}; {expected}"])
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
        raise ConfigError([f"{source}, line {number}: {_quoted(lines[number - 1].strip())}: {message}"]) from None


def _value(text: str) -> Any:
    """A TOML value, or a bare word as a string."""
    if not text or len(text) > _MAX_LINE or not text.isprintable():
        raise ValueError("empty, too long or unprintable")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = None
    if value is None or isinstance(value, date | time):  # TOML's dates are no values here, but may be names
        if text[0] in "\"'[{":
            raise ValueError("a broken string, array or table")
        return text
    return value


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _similar_file(path: Path) -> str:
    close = nearest(path.name, sorted(file.name for file in path.parent.glob("*.toml")))
    return f"; did you mean {path.with_name(close[0])}?" if close else ""


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _name(text: str) -> str:
    """A name from outside, safe to print."""
    return _short(repr(text)[1:-1])


def _quoted(text: str) -> str:
    return f"'{_name(text)}'"
